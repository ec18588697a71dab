"""Legal holds in Cosmos DB."""

from __future__ import annotations

import pytest

from secure_openai.errors import LegalHold
from secure_openai.store.cosmos.conversations import CosmosConversationStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.holds import CosmosHoldStore
from secure_openai.testing.conversations_contract import ANNA, message_in
from secure_openai.testing.holds_contract import HoldStoreContract, hold_on


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosHoldStore:
    """Return the store under test."""
    return CosmosHoldStore(cosmos)


@pytest.fixture
def conversations(cosmos: CosmosDatabase) -> CosmosConversationStore:
    """Return the conversations of the same database."""
    return CosmosConversationStore(cosmos)


class TestCosmosHoldStore(HoldStoreContract):
    """The contract, on Cosmos DB."""


@pytest.mark.parametrize("before", [False, True])
async def test_placed_at_the_last_moment(
    cosmos: CosmosDatabase,
    store: CosmosHoldStore,
    conversations: CosmosConversationStore,
    monkeypatch: pytest.MonkeyPatch,
    before: bool,
) -> None:
    """A hold placed after a deletion has looked, and before it writes, undoes the deletion."""
    if before:
        # The owner's item is there already.
        other = await conversations.create(ANNA, title="other")
        await conversations.delete(ANNA, other.id, etag=other.etag)
    conversation = await conversations.create(ANNA, title="x")
    (message,) = await conversations.append(ANNA, message_in(conversation))
    container = conversations._container
    real = container.batch

    async def late(partition: str, operations: object) -> object:
        if len(operations) == 3:  # type: ignore[arg-type]
            monkeypatch.setattr(container, "batch", real)
            await store.place(hold_on(conversation=conversation.id))
        return await real(partition, operations)  # type: ignore[arg-type]

    monkeypatch.setattr(container, "batch", late)
    with pytest.raises(LegalHold):
        await conversations.delete(ANNA, conversation.id, etag=conversation.etag)

    assert await conversations.message(ANNA, conversation.id, message.id) == message
