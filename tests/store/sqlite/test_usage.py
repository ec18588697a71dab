"""Usage in SQLite."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from secure_openai.errors import Refused
from secure_openai.store.quota import DAYS_KEPT
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.schema import MIGRATIONS
from secure_openai.store.sqlite.usage import SqliteUsageStore
from secure_openai.store.usage import UsageDay
from secure_openai.testing.usage_contract import ANNA, NOON, UsageStoreContract, reserve, spend
from secure_openai.types import Usage


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


WINDOWS = (
    "INSERT INTO usage_window VALUES ('tenant/anna', 'gpt', '2030-01-02T12:00', 3, 40),"
    " ('tenant/anna', 'gpt', '2030-01-02', 3, 40) ON CONFLICT DO UPDATE SET"
    " requests = requests + 3, tokens = tokens + 40"
)
"""What a program counts that keeps no totals."""


async def test_totals_of_a_program_before(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a program before has counted is in the totals, also where it goes on beside ours."""
    with monkeypatch.context() as patched:
        patched.setattr("secure_openai.store.sqlite.schema.MIGRATIONS", MIGRATIONS[:3])
        before = await Database.open(path)
        await before.write(lambda connection: connection.execute(WINDOWS).rowcount)
        await before.aclose()
    database = await Database.open(path)
    store = SqliteUsageStore(database)
    assert await store.of(ANNA) == [UsageDay(ANNA, "gpt", "2030-01-02", 3, 0, 40)]

    await spend(store, Usage(5, 6))
    await database.write(lambda connection: connection.execute(WINDOWS).rowcount)
    assert await store.roll_up(now=NOON) == 1
    assert await store.roll_up(now=NOON) == 0

    assert await store.of(ANNA) == [UsageDay(ANNA, "gpt", "2030-01-02", 7, 5, 86)]
    await database.aclose()
