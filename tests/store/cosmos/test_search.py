"""What a search in Cosmos DB asks for: so much a call, however much there is."""

from __future__ import annotations

from collections import Counter

import pytest

from secure_openai.store.conversations import Found
from secure_openai.store.cosmos import search
from secure_openai.store.cosmos.conversations import CosmosConversationStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.testing.conversations_contract import ANNA, message_in
from secure_openai.types import Conversation
from tests.cosmosdb.bridge import Bridge


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosConversationStore:
    """Return the store under test."""
    return CosmosConversationStore(cosmos)


async def talk(store: CosmosConversationStore, *texts: str) -> Conversation:
    """Keep a conversation in which something was said."""
    conversation = await store.create(ANNA, title="x")
    for at in range(0, len(texts), 20):
        few = [message_in(conversation, text) for text in texts[at : at + 20]]
        await store.append(ANNA, *few)
    return conversation


def asked(bridge: Bridge) -> Counter[str]:
    """Return how often each kind of request was made since this was asked last."""
    kinds = Counter(call.kind for call in bridge.calls)
    assert {call.partition for call in bridge.calls} <= {f'["{ANNA.key}"]', ANNA.key}
    bridge.calls.clear()
    return kinds


async def all_found(
    store: CosmosConversationStore, bridge: Bridge, text: str, *, limit: int
) -> tuple[list[Found], list[Counter[str]]]:
    """Search to the end; return what was found, and what each call asked for."""
    found: list[Found] = []
    calls: list[Counter[str]] = []
    continuation = None
    asked(bridge)
    while True:
        page = await store.search(ANNA, text, limit=limit, continuation=continuation)
        found += page.items
        calls.append(asked(bridge))
        continuation = page.continuation
        if continuation is None:
            return found, calls


async def test_many_conversations(
    store: CosmosConversationStore, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call makes two queries, and reads what its page shows and no more."""
    monkeypatch.setattr(search, "CONVERSATIONS_AT_ONCE", 10)
    monkeypatch.setattr(search, "LOOKED_THROUGH", 24)
    talks = [await talk(store, "a word", f"needle {at % 3}", "the end") for at in range(24)]
    common, each = await all_found(store, bridge, "word", limit=4)
    rare, few = await all_found(store, bridge, "needle 1", limit=20)
    none, nothing = await all_found(store, bridge, "nowhere", limit=20)

    assert [one.conversation.id for one in common] == [one.id for one in reversed(talks)]
    assert each == [Counter(query=2, read=4)] * 6
    assert len(rare) == 8
    # Eight conversations of three messages are as many as a call looks through.
    assert [one["query"] for one in few] == [2] * 3
    assert sum(one["read"] for one in few) == 8
    assert (none, nothing) == ([], [Counter(query=2)] * 3)


async def test_a_conversation_longer_than_a_call_looks_through(
    store: CosmosConversationStore, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its newest messages are looked through first, then those before, then the next one's."""
    monkeypatch.setattr(search, "LOOKED_THROUGH", 10)
    queried: list[dict[str, object]] = []
    query = store._container.query

    async def noted(text: str, parameters: dict[str, object], **more: object) -> object:
        queried.append(parameters)
        return await query(text, parameters, **more)  # type: ignore[arg-type]

    other = await talk(store, "needle", "after")
    long = await talk(store, "needle", *(f"hay {at}" for at in range(34)), "the last needle")
    monkeypatch.setattr(store._container, "query", noted)
    found, _ = await all_found(store, bridge, "needle", limit=5)
    last, _ = await all_found(store, bridge, "the last", limit=5)
    first, calls = await all_found(store, bridge, "hay 2", limit=5)
    none, nothing = await all_found(store, bridge, "nowhere", limit=5)

    assert [one.conversation.id for one in found] == [long.id, other.id]
    assert found[0].excerpt == "the last needle"
    assert [one.conversation.id for one in last] == [long.id]
    assert [one.excerpt for one in first] == ["hay 29"]
    assert [one["query"] for one in calls] == [2, 2]
    assert none == []
    assert [one["query"] for one in nothing] == [2] * 5
    spans = [one["end"] - one["first"] for one in queried if "end" in one]  # type: ignore[operator]
    assert max(spans) == 10
