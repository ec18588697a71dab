"""Usage in SQLite."""

from __future__ import annotations

from datetime import timedelta

import pytest

from secure_openai.errors import Refused
from secure_openai.store.quota import DAYS_KEPT
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.usage import SqliteUsageStore
from secure_openai.testing.usage_contract import ANNA, NOON, UsageStoreContract, reserve


@pytest.fixture
def store(database: Database) -> SqliteUsageStore:
    """Return the store under test."""
    return SqliteUsageStore(database)


class TestSqliteUsageStore(UsageStoreContract):
    """The contract, on SQLite."""


async def count(database: Database, table: str) -> int:
    """Return how many rows a table has."""
    (rows,) = await database.read(
        lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    )
    return int(rows)


async def test_purge(database: Database) -> None:
    """Minutes go after a day, expired reservations too, days after their term; refused or not."""
    store = SqliteUsageStore(database)
    await reserve(store, lifetime=10)
    assert await count(database, "usage_window") == 2

    with pytest.raises(Refused):
        await reserve(store, 10**9, now=NOON + timedelta(days=2))
    assert await count(database, "usage_window") == 1
    assert await count(database, "reservation") == 0

    with pytest.raises(Refused):
        await reserve(store, 10**9, now=NOON + timedelta(days=DAYS_KEPT + 1))
    assert await count(database, "usage_window") == 0
    assert (await store.totals(ANNA, "gpt", now=NOON)).tokens_today == 0
