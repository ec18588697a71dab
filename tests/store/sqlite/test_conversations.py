"""Conversations in SQLite."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from functools import partial

import pytest

from secure_openai.errors import StoreError
from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.testing.conversations_contract import (
    ANNA,
    ConversationStoreContract,
    message_in,
)
from secure_openai.types import Author, MessageStatus


@pytest.fixture
def store(database: Database) -> SqliteConversationStore:
    """Return the store under test."""
    return SqliteConversationStore(database)


class TestSqliteConversationStore(ConversationStoreContract):
    """The contract, on SQLite."""


async def test_unknown_members_survive(store: SqliteConversationStore, database: Database) -> None:
    """Members and versions that only a later program knows survive being read and written."""
    later = '{"version": 7, "pinned": true, "large": 12345678901234567890, "n": {"a": 1.0}}'
    conversation = await store.create(ANNA, title="x")
    (message,) = await store.append(ANNA, message_in(conversation))
    for table in ("conversation", "message"):
        statement = f"UPDATE {table} SET document = json_patch(document, ?)"
        await database.write(partial(execute, statement, (later,)))

    await store.append(ANNA, message_in(conversation, "touches it"))
    await store.rename(ANNA, conversation.id, title="y", etag=conversation.etag)
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


async def test_the_same_message_twice(store: SqliteConversationStore) -> None:
    """A message whose id is taken is not stored, and nothing that came with it."""
    conversation = await store.create(ANNA, title="x")
    (message,) = await store.append(ANNA, message_in(conversation))

    with pytest.raises(StoreError):
        await store.append(ANNA, message_in(conversation, "other"), replace(message, text="new"))
    assert list((await store.messages(ANNA, conversation.id)).items) == [message]
