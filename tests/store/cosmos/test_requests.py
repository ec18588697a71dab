"""How many requests each thing takes, as `docs/store.md` says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from secure_openai.store.cosmos.conversations import CosmosConversationStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.sessions import CosmosSessionStore
from secure_openai.testing.conversations_contract import message_in
from secure_openai.testing.sessions_contract import NOW, pending, session
from tests.cosmosdb.bridge import Bridge
from tests.store.cosmos.asking import ANNA, Asking, asking

PAGE = Path(__file__).parents[3] / "docs" / "store.md"
READ, QUERY, WRITE = 1, 3, 5
"""Request units of items of 1 KB, as the page states them: estimates."""


def row(what: str) -> list[int]:
    """Return reads, queries, writes and the estimate of a row of the page's table."""
    found = re.search(rf"^\| {re.escape(what)} \|(.+)\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert found is not None, f"the page has no row {what!r}"
    cells = [cell.strip() for cell in found[1].split("|")]
    return [*map(int, cells[:3]), int(cells[4])]


def counted(bridge: Bridge) -> list[int]:
    """Return what the calls since the last count were, and what they may cost."""
    reads = sum(call.reads for call in bridge.calls)
    queries = sum(call.kind == "query" for call in bridge.calls)
    writes = sum(call.writes for call in bridge.calls)
    # Whatever is asked, it is asked of one partition.
    assert all(call.partition is not None for call in bridge.calls)
    bridge.calls.clear()
    return [reads, queries, writes, reads * READ + queries * QUERY + writes * WRITE]


@pytest.fixture
async def desk(cosmos: CosmosDatabase, tmp_path: Path) -> AsyncIterator[Asking]:
    """Return where questions are asked."""
    async with asking(cosmos, tmp_path) as opened:
        yield opened


async def test_a_message(desk: Asking, bridge: Bridge) -> None:
    """A message and its answer take as many requests as the page says, in any conversation."""
    conversation = await desk.conversations.create(ANNA.id, title="x")
    await desk.ask(conversation.id, "the first of all")
    desk.now = desk.now.replace(second=30) + timedelta(minutes=1)
    bridge.calls.clear()

    await desk.ask(conversation.id, "the first of a minute")
    assert row("a message and its answer, the first of a minute") == counted(bridge)
    for _ in range(2):
        await desk.ask(conversation.id, "one more")
        assert row("a message and its answer, the next ones") == counted(bridge)


async def test_conversations(desk: Asking, bridge: Bridge) -> None:
    """So do conversations: a list, one that is opened, found, deleted, and gone for good."""
    store: CosmosConversationStore = desk.conversations
    conversation = await store.create(ANNA.id, title="x")
    (message, *_) = await store.append(ANNA.id, *(message_in(conversation) for _ in range(20)))
    bridge.calls.clear()

    await store.replace(ANNA.id, message)
    assert row("each second of a longer answer") == counted(bridge)
    await store.list(ANNA.id)
    assert row("a list of conversations") == counted(bridge)
    await store.branch(ANNA.id, conversation.id, siblings=True)
    assert row("a conversation, opened") == counted(bridge)
    found = await store.search(ANNA.id, "hello")
    assert [one.conversation.id for one in found.items] == [conversation.id]
    assert row("a search of 50 conversations, one found") == counted(bridge)
    await store.discard(ANNA.id, conversation.id, etag=conversation.etag)
    assert row("a conversation, deleted for its owner") == counted(bridge)
    conversation = await store.restore(ANNA.id, conversation.id)
    bridge.calls.clear()
    await store.delete(ANNA.id, conversation.id, etag=conversation.etag)
    assert row("a conversation of 20 messages, gone for good") == counted(bridge)


async def test_sessions(cosmos: CosmosDatabase, bridge: Bridge) -> None:
    """So do sessions: a sign-in, and every request after it."""
    store = CosmosSessionStore(cosmos, clock=lambda: NOW)
    await store.put(session("before"))
    bridge.calls.clear()

    await store.begin_sign_in(pending())
    await store.take_sign_in("state", now=NOW)
    await store.put(session())
    assert row("a sign-in") == counted(bridge)
    await store.get("key")
    assert row("a request's session") == counted(bridge)
    await store.touch("key", last_seen=NOW)
    assert row("a session's use, once a minute") == counted(bridge)
    await store.revoke(session().principal.id)
    assert row("two sessions, revoked") == counted(bridge)
