"""Requests of principals in SQLite."""

from __future__ import annotations

import sqlite3

import pytest

from secure_openai.store.requests import RequestKind, RequestState
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.requests import SqliteRequestStore
from secure_openai.testing.requests_contract import ANNA, BEN, NOW, RequestStoreContract


@pytest.fixture
def store(database: Database) -> SqliteRequestStore:
    """Return the store under test."""
    return SqliteRequestStore(database)


class TestSqliteRequestStore(RequestStoreContract):
    """The contract, on SQLite."""


LATER = "UPDATE request SET document = json_set(document, ?, ?) WHERE owner = ? AND id = ?"


async def test_requests_of_a_later_program(store: SqliteRequestStore, database: Database) -> None:
    """What only a later program can do is left to it, and keeps nobody else waiting."""
    moved = await store.ask(ANNA, RequestKind.EXPORT, by=ANNA, now=NOW)
    paused = await store.ask(ANNA, RequestKind.ERASURE, by=ANNA, now=NOW)
    mine = await store.ask(BEN, RequestKind.EXPORT, by=BEN, now=NOW)

    def later(connection: sqlite3.Connection) -> None:
        connection.execute(LATER, ("$.request", "transfer", ANNA.key, moved.id))
        connection.execute(LATER, ("$.state", "paused", ANNA.key, paused.id))

    await database.write(later)

    assert await store.due(now=NOW) == [mine]
    assert [(one.id, one.state) for one in await store.list(ANNA)] == [
        (paused.id, RequestState.ASKED)
    ]
    assert (await store.ask(ANNA, RequestKind.ERASURE, by=ANNA, now=NOW)).id == paused.id
