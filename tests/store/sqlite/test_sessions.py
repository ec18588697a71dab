"""Sessions in SQLite."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.sessions import SqliteSessionStore
from secure_openai.testing.sessions_contract import (
    ANNA,
    NOW,
    SessionStoreContract,
    pending,
    session,
)


@pytest.fixture
def store(database: Database) -> SqliteSessionStore:
    """Return the store under test."""
    return SqliteSessionStore(database, clock=lambda: NOW)


class TestSqliteSessionStore(SessionStoreContract):
    """The contract, on SQLite."""


async def test_unknown_members_survive(store: SqliteSessionStore, database: Database) -> None:
    """Members that only a later program knows survive a touch and new roles."""
    await store.put(session())
    await database.write(
        lambda connection: (
            connection.execute(
                "UPDATE session SET document = json_set(document, '$.later', 'kept')"
            ).rowcount
        )
    )
    await store.touch("key", last_seen=NOW)
    await store.update_roles("key", ANNA, roles_checked=NOW, refresh_token=None)

    (text,) = await database.read(
        lambda connection: connection.execute("SELECT document FROM session").fetchone()
    )
    assert json.loads(text)["later"] == "kept"


async def test_a_principal_of_a_later_program(
    store: SqliteSessionStore, database: Database
) -> None:
    """Whoever is of a kind that only a later program knows may do nothing."""
    await store.put(session())
    await database.write(
        lambda connection: (
            connection.execute(
                "UPDATE session SET document = json_set(document, '$.principal.kind', 'agent')"
            ).rowcount
        )
    )
    found = await store.get("key")
    assert found is not None
    assert found.principal.roles == frozenset()


async def test_begun_sign_ins_do_not_pile_up(store: SqliteSessionStore, database: Database) -> None:
    """Beginning a sign-in drops those that expired, and so does purging."""
    await store.begin_sign_in(pending("old", minutes=-10))
    await store.begin_sign_in(pending("new"))

    def states() -> object:
        return database.read(
            lambda connection: connection.execute(
                "SELECT state_hash FROM pending_sign_in"
            ).fetchall()
        )

    assert await states() == [("new",)]  # type: ignore[misc]
    await store.purge(now=NOW + timedelta(hours=1), idle_since=NOW)
    assert await states() == []  # type: ignore[misc]
