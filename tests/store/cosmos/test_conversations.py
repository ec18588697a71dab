"""Conversations in Cosmos DB."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from secure_openai.errors import NotFound, StoreError, TooLarge
from secure_openai.store.cosmos.conversation_items import LARGEST_MESSAGE_BYTES
from secure_openai.store.cosmos.conversations import CosmosConversationStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.testing.conversations_contract import (
    ANNA,
    ConversationStoreContract,
    MovableClock,
    message_in,
)
from secure_openai.testing.messages_contract import MessagesContract, all_messages, whole_branch
from secure_openai.testing.search_contract import SearchContract
from secure_openai.testing.titles_contract import TitlesContract
from secure_openai.types import Conversation, JsonObject
from tests.cosmosdb.bridge import Bridge, Call, Fault
from tests.cosmosdb.faults import UNANSWERED, UNDONE, first

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> MovableClock:
    """Return the store's clock."""
    return MovableClock()


@pytest.fixture
def store(cosmos: CosmosDatabase, clock: MovableClock) -> CosmosConversationStore:
    """Return the store under test."""
    return CosmosConversationStore(cosmos, clock=clock)


class TestCosmosConversationStore(ConversationStoreContract):
    """The contract, on Cosmos DB."""


class TestCosmosMessages(MessagesContract):
    """The contract of messages, on Cosmos DB."""


class TestCosmosTitles(TitlesContract):
    """The contract of titles, on Cosmos DB."""


class TestCosmosSearch(SearchContract):
    """The contract of the search, on Cosmos DB."""


async def items(cosmos: CosmosDatabase) -> list[JsonObject]:
    """Return everything that is kept of Anna's conversations."""
    return await cosmos.container("conversations").query(
        "SELECT * FROM c WHERE c.owner = @owner AND c.kind != 'holds'",
        {"owner": ANNA.key},
        limit=10_000,
    )


async def filled(store: CosmosConversationStore, count: int) -> Conversation:
    """Return a conversation with so many messages."""
    conversation = await store.create(ANNA, title="x")
    while count:
        several = min(count, 99)
        await store.append(ANNA, *(message_in(conversation) for _ in range(several)))
        count -= several
    return conversation


async def test_unknown_members_survive(
    store: CosmosConversationStore, cosmos: CosmosDatabase
) -> None:
    """Members and versions that only a later program knows survive being read and written."""
    later = {"version": 7, "starred": True, "n": {"a": 1.5}}
    conversation = await store.create(ANNA, title="x")
    (message,) = await store.append(ANNA, message_in(conversation))
    container = cosmos.container("conversations")
    for item in await items(cosmos):
        await container.upsert({**item, **later})

    await store.append(ANNA, message_in(conversation, "touches it"))
    await store.change(ANNA, conversation.id, title="y", etag=conversation.etag)
    await store.replace(ANNA, replace(message, text="written over"))

    kept = [item for item in await items(cosmos) if item.get("sequence", 1) == 1]
    assert {item.get("title", item.get("text")) for item in kept} == {"y", "written over"}
    for item in kept:
        assert {name: item[name] for name in later} == later


async def test_messages_of_before_branches(
    store: CosmosConversationStore, cosmos: CosmosDatabase
) -> None:
    """What a program without branches stored, before and beside this one, forms one line."""
    conversation = await store.create(ANNA, title="x")
    line = [*await store.append(ANNA, *(message_in(conversation, str(n)) for n in range(5)))]
    await forget_parents(cosmos)
    (beside,) = await store.append(ANNA, message_in(conversation, "edited"), parent=line[1].id)
    (after,) = await store.append(ANNA, message_in(conversation, "after"))
    await forget_parents(cosmos, after.id)
    later = await store.replace(ANNA, replace(line[2], text="over it"))
    line[2] = later

    stored = [*line, beside, after]
    assert list((await store.messages(ANNA, conversation.id)).items) == stored
    assert [await store.message(ANNA, conversation.id, one.id) for one in stored] == stored
    (page,) = (await store.messages(ANNA, conversation.id, limit=1, newest_first=True)).items
    assert page == after
    turns = await whole_branch(store, conversation)
    assert [turn.message for turn in turns] == [after, beside, line[1], line[0]]
    assert [len(turn.siblings) for turn in turns] == [1, 2, 1, 1]
    assert turns[1].siblings == (later.id, beside.id)
    assert await store.leaf(ANNA, conversation.id, later.id) == line[4].id
    assert await store.leaf(ANNA, conversation.id, line[1].id) == after.id
    (anew,) = await store.append(ANNA, message_in(conversation, "anew"), parent=None)
    assert (await whole_branch(store, conversation))[0].siblings == (line[0].id, anew.id)


async def forget_parents(cosmos: CosmosDatabase, *only: str) -> None:
    """Store messages again as a program without branches did."""
    container = cosmos.container("conversations")
    for item in await items(cosmos):
        if not only or item.get("message") in only:
            kept = {name: item[name] for name in item if name not in {"parent", "newest"}}
            await container.upsert(kept)


async def test_the_same_message_twice(store: CosmosConversationStore) -> None:
    """A message whose id is taken is not stored, and nothing that came with it."""
    conversation = await store.create(ANNA, title="x")
    (message,) = await store.append(ANNA, message_in(conversation))

    with pytest.raises(StoreError):
        await store.append(ANNA, message_in(conversation, "other"), replace(message, text="new"))
    with pytest.raises(StoreError):
        await store.append(ANNA, replace(message, text="new"), message_in(conversation, "other"))
    assert list((await store.messages(ANNA, conversation.id)).items) == [message]


async def test_too_long(store: CosmosConversationStore, bridge: Bridge) -> None:
    """A text that an item cannot hold is refused with a sentence, before anything is stored."""
    conversation = await store.create(ANNA, title="x")
    (message,) = await store.append(ANNA, message_in(conversation, "short"))
    longest = message_in(conversation, "ä" * (LARGEST_MESSAGE_BYTES // 2 - 500))
    bridge.calls.clear()

    for call in (
        store.append(ANNA, message_in(conversation, "x" * LARGEST_MESSAGE_BYTES)),
        store.append(ANNA, message_in(conversation), longest, longest),
        store.append(ANNA, *(message_in(conversation) for _ in range(100))),
        store.replace(ANNA, replace(message, text="\x00" * (LARGEST_MESSAGE_BYTES // 6))),
    ):
        with pytest.raises(TooLarge) as raised:
            await call
        assert raised.value.detail.endswith(".")
    assert {call.kind for call in bridge.calls} == {"read"}
    assert await all_messages(store, conversation) == ["short"]
    # Measured as it is sent: every character of this one is two bytes.
    await store.append(ANNA, longest)


async def test_the_same_instant(cosmos: CosmosDatabase) -> None:
    """Conversations of one instant are listed once each, whatever their pages."""
    store = CosmosConversationStore(cosmos, clock=lambda: NOON)
    made = {(await store.create(ANNA, title=str(number))).id for number in range(7)}

    listed: list[str] = []
    continuation = None
    while True:
        page = await store.list(ANNA, limit=2, continuation=continuation)
        listed += [conversation.id for conversation in page.items]
        continuation = page.continuation
        if continuation is None:
            break
    assert sorted(listed) == sorted(made)


async def test_a_long_conversation_goes_at_once(
    store: CosmosConversationStore, cosmos: CosmosDatabase, bridge: Bridge
) -> None:
    """While a long conversation is being cleared it is gone already, and then nothing is left."""
    conversation = await filled(store, 230)
    hold = asyncio.Event()
    # The first batch removes the conversation, the second begins to clear.
    batches: list[Call] = []

    def plan(call: Call) -> Fault | None:
        if call.kind == "batch":
            batches.append(call)
        return Fault(until=hold) if call.kind == "batch" and len(batches) == 3 else None

    bridge.fault = plan
    deleting = asyncio.ensure_future(store.delete(ANNA, conversation.id, etag=conversation.etag))
    while len(batches) < 3:
        await asyncio.sleep(0.01)

    assert len(await items(cosmos)) == 131
    assert list((await store.list(ANNA)).items) == []
    for reading in (
        store.get(ANNA, conversation.id),
        store.messages(ANNA, conversation.id),
        store.append(ANNA, message_in(conversation)),
    ):
        with pytest.raises(NotFound):
            await reading
    hold.set()
    await deleting
    assert await items(cosmos) == []


async def test_what_a_dead_process_left(
    store: CosmosConversationStore, cosmos: CosmosDatabase, bridge: Bridge
) -> None:
    """A deletion that died after its first step is finished by the next process that looks."""
    kept = await filled(store, 3)
    conversation = await filled(store, 120)
    bridge.fault = lambda call: (
        UNDONE if call.kind in {"batch", "query"} and deleted(call) else None
    )

    def deleted(_: Call) -> bool:
        return sum(call.kind == "batch" for call in bridge.calls) > 1

    bridge.calls.clear()
    await store.delete(ANNA, conversation.id, etag=conversation.etag)
    bridge.fault = lambda _: None
    assert len(await items(cosmos)) == 4 + 121

    restarted = CosmosConversationStore(cosmos)
    results = await asyncio.gather(restarted.finish_deletions(), store.finish_deletions())
    assert max(results) == 1
    assert await restarted.finish_deletions() == 0
    assert len(await items(cosmos)) == 4
    assert await all_messages(store, kept) == ["Hello"] * 3


@pytest.mark.parametrize("fault", [UNANSWERED, UNDONE], ids=["unanswered", "undone"])
@pytest.mark.parametrize(
    "call", ["create", "change", "append", "replace", "discard", "restore", "delete"]
)
async def test_a_broken_connection(
    store: CosmosConversationStore, bridge: Bridge, call: str, fault: Fault
) -> None:
    """A write whose answer was lost is done once, and whoever asked is told so."""
    conversation = await store.create(ANNA, title="x")
    (message,) = await store.append(ANNA, message_in(conversation, "first"))
    bridge.fault = first(fault)

    match call:
        case "create":
            await store.create(ANNA, title="second")
            assert len((await store.list(ANNA)).items) == 2
        case "change":
            renamed = await store.change(ANNA, conversation.id, title="y", etag=conversation.etag)
            assert await store.get(ANNA, conversation.id) == renamed
        case "append":
            await store.append(ANNA, message_in(conversation, "second"), message_in(conversation))
            assert await all_messages(store, conversation) == ["first", "second", "Hello"]
        case "replace":
            written = await store.replace(ANNA, replace(message, text="over it"))
            assert list((await store.messages(ANNA, conversation.id)).items) == [written]
        case "discard":
            await store.discard(ANNA, conversation.id, etag=conversation.etag)
            assert len((await store.list(ANNA, discarded=True)).items) == 1
        case "restore":
            bridge.fault = lambda _: None
            await store.discard(ANNA, conversation.id, etag=conversation.etag)
            bridge.fault = first(fault)
            restored = await store.restore(ANNA, conversation.id)
            assert await store.get(ANNA, conversation.id) == restored
        case _:
            await store.delete(ANNA, conversation.id, etag=conversation.etag)
            assert list((await store.list(ANNA)).items) == []
