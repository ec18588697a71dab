"""What principals keep beside their conversations, in Cosmos DB."""

from __future__ import annotations

from typing import Any

import pytest

from secure_openai.errors import LegalHold, LimitReached, OutcomeUnknown
from secure_openai.store.cosmos.conversations import CosmosConversationStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.holds import CosmosHoldStore
from secure_openai.store.cosmos.personal import CosmosPersonalStore
from secure_openai.store.personal import Bound
from secure_openai.testing.personal_contract import (
    ANNA,
    PersonalStoreContract,
    hold_on,
    item_of,
)


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosPersonalStore:
    """Return the store under test."""
    return CosmosPersonalStore(cosmos)


@pytest.fixture
def conversations(cosmos: CosmosDatabase) -> CosmosConversationStore:
    """Return the conversations of the same database."""
    return CosmosConversationStore(cosmos)


@pytest.fixture
def holds(cosmos: CosmosDatabase) -> CosmosHoldStore:
    """Return the holds of the same database."""
    return CosmosHoldStore(cosmos)


class TestCosmosPersonalStore(PersonalStoreContract):
    """The contract, on Cosmos DB."""


def once(monkeypatch: pytest.MonkeyPatch, store: CosmosPersonalStore, work: Any) -> None:
    """Let `work` do the next batch that writes in the place of the container."""
    container = store._container
    real = container.batch

    async def replaced(partition: str, operations: Any) -> Any:
        if len(operations) == 1:
            return await real(partition, operations)
        monkeypatch.setattr(container, "batch", real)
        return await work(real, partition, operations)

    monkeypatch.setattr(container, "batch", replaced)


async def test_a_hold_at_the_last_moment(
    store: CosmosPersonalStore, holds: CosmosHoldStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold placed after a removal has looked, and before it writes, undoes the removal."""
    item = await store.add(item_of())

    async def late(real: Any, partition: str, operations: Any) -> Any:
        await holds.place(hold_on())
        return await real(partition, operations)

    once(monkeypatch, store, late)
    with pytest.raises(LegalHold):
        await store.remove(ANNA, item.kind, item.id)

    assert await store.get(ANNA, item.kind, item.id) == item


async def test_an_answer_that_is_lost(
    store: CosmosPersonalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that was done and not answered is recognised, counted once, and told as done."""
    bound = Bound(1)

    async def lost(real: Any, partition: str, operations: Any) -> Any:
        await real(partition, operations)
        raise OutcomeUnknown

    once(monkeypatch, store, lost)
    item = await store.add(item_of(), bound)
    assert await store.get(ANNA, item.kind, item.id) == item
    with pytest.raises(LimitReached):
        await store.add(item_of(item_id="two"), bound)
    once(monkeypatch, store, lost)
    changed = await store.change(item)
    assert await store.get(ANNA, item.kind, item.id) == changed
    once(monkeypatch, store, lost)
    await store.remove(ANNA, item.kind, item.id)
    await store.add(item_of(item_id="two"), bound)
