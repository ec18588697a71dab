"""Conversations in SQLite."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from secure_openai.errors import StoreError
from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.schema import MIGRATIONS
from secure_openai.testing.conversations_contract import (
    ANNA,
    ConversationStoreContract,
    MovableClock,
    message_in,
)
from secure_openai.testing.messages_contract import MessagesContract, whole_branch
from secure_openai.testing.search_contract import SearchContract
from secure_openai.testing.titles_contract import TitlesContract
from secure_openai.types import Author, ConversationId, MessageId, MessageStatus


@pytest.fixture
def clock() -> MovableClock:
    """Return the store's clock."""
    return MovableClock()


@pytest.fixture
def store(database: Database, clock: MovableClock) -> SqliteConversationStore:
    """Return the store under test."""
    return SqliteConversationStore(database, clock=clock)


class TestSqliteConversationStore(ConversationStoreContract):
    """The contract, on SQLite."""


class TestSqliteMessages(MessagesContract):
    """The contract of messages, on SQLite."""


class TestSqliteTitles(TitlesContract):
    """The contract of titles, on SQLite."""


class TestSqliteSearch(SearchContract):
    """The contract of the search, on SQLite."""


async def test_unknown_members_survive(store: SqliteConversationStore, database: Database) -> None:
    """Members and versions that only a later program knows survive being read and written."""
    later = '{"version": 7, "starred": true, "large": 12345678901234567890, "n": {"a": 1.0}}'
    conversation = await store.create(ANNA, title="x")
    (message,) = await store.append(ANNA, message_in(conversation))
    for table in ("conversation", "message"):
        statement = f"UPDATE {table} SET document = json_patch(document, ?)"
        await database.write(partial(execute, statement, (later,)))

    await store.append(ANNA, message_in(conversation, "touches it"))
    await store.change(ANNA, conversation.id, title="y", etag=conversation.etag)
    await store.replace(ANNA, replace(message, text="written over"))

    for table, own in (("conversation", ("title", "y")), ("message", ("text", "written over"))):
        statement = f"SELECT document FROM {table} LIMIT 1"
        [(text,)] = await database.read(partial(execute, statement, ()))
        document = json.loads(text)
        assert document[own[0]] == own[1]
        assert {name: document[name] for name in json.loads(later)} == json.loads(later)


async def test_a_status_of_a_later_program(
    store: SqliteConversationStore, database: Database
) -> None:
    """A message whose state and author only a later program knows is shown, as no whole answer."""
    conversation = await store.create(ANNA, title="x")
    await store.append(ANNA, message_in(conversation))
    later = '{"status": "withheld", "author": "tool"}'
    statement = "UPDATE message SET document = json_patch(document, ?)"
    await database.write(partial(execute, statement, (later,)))

    (message,) = (await store.messages(ANNA, conversation.id)).items
    assert (message.author, message.status) == (Author.ASSISTANT, MessageStatus.INTERRUPTED)


def execute(
    statement: str, values: tuple[str, ...], connection: sqlite3.Connection
) -> list[tuple[str, ...]]:
    """Return the rows of a statement."""
    return connection.execute(statement, values).fetchall()


async def test_messages_of_before_branches(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a program without branches stored, before and beside this one, forms one line."""
    with monkeypatch.context() as patched:
        patched.setattr("secure_openai.store.sqlite.schema.MIGRATIONS", MIGRATIONS[:5])
        old = await Database.open(path)
    await old.write(partial(as_before, "conversation", 1, 4))
    await old.write(partial(as_before, "other", 1, 2))
    await old.aclose()

    database = await Database.open(path)
    store = SqliteConversationStore(database)
    conversation = await store.get(ANNA, ConversationId("conversation"))
    await database.write(partial(as_before, "conversation", 4, 6))
    listed = (await store.messages(ANNA, conversation.id)).items
    (edited,) = await store.append(
        ANNA, message_in(conversation, "edited"), parent=MessageId("conversation-2")
    )
    await database.write(partial(as_before, "conversation", 7, 8))

    assert [message.parent for message in listed] == [
        None,
        *(f"conversation-{number}" for number in range(1, 5)),
    ]
    turns = await whole_branch(store, conversation)
    assert [turn.message.id for turn in turns] == [
        "conversation-7",
        edited.id,
        "conversation-2",
        "conversation-1",
    ]
    assert turns[1].siblings == ("conversation-3", edited.id)
    assert await store.leaf(ANNA, conversation.id, MessageId("conversation-3")) == "conversation-5"
    await database.aclose()


def as_before(name: str, begin: int, end: int, connection: sqlite3.Connection) -> None:
    """Store what a program of before branches would."""
    now = "2030-01-02T03:04:05+00:00"
    conversation = {"version": 1, "title": name, "created": now, "updated": now}
    connection.execute(
        "INSERT INTO conversation (owner, id, updated, etag, document, next_position)"
        " VALUES (?, ?, 1, 'e', ?, ?) ON CONFLICT DO UPDATE SET next_position = ?",
        (ANNA.key, name, json.dumps(conversation), end, end),
    )
    for number in range(begin, end):
        message = {
            "version": 1,
            "author": "user",
            "text": "x",
            "created": now,
            "status": "complete",
        }
        connection.execute(
            "INSERT INTO message (owner, conversation_id, position, id, etag, document)"
            " VALUES (?, ?, ?, ?, 'e', ?)",
            (ANNA.key, name, number, f"{name}-{number}", json.dumps(message)),
        )


async def test_the_same_message_twice(store: SqliteConversationStore) -> None:
    """A message whose id is taken is not stored, and nothing that came with it."""
    conversation = await store.create(ANNA, title="x")
    (message,) = await store.append(ANNA, message_in(conversation))

    with pytest.raises(StoreError):
        await store.append(ANNA, message_in(conversation, "other"), replace(message, text="new"))
    assert list((await store.messages(ANNA, conversation.id)).items) == [message]
