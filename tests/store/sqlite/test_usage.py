"""Usage in SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import cycle, permutations
from pathlib import Path
from typing import Any

import pytest

from secure_openai.errors import Refused, StoreError
from secure_openai.store.quota import DAYS_KEPT
from secure_openai.store.sqlite import book, reservations
from secure_openai.store.sqlite import connection as connection_module
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.reservations import DELAY_SECONDS, LATE_SECONDS
from secure_openai.store.sqlite.schema import MIGRATIONS
from secure_openai.store.sqlite.usage import SqliteUsageStore
from secure_openai.store.usage import UsageDay, UsageTotals
from secure_openai.testing.usage_contract import (
    ANNA,
    DAY,
    LIMITS,
    NOON,
    UsageStoreContract,
    ask_in_order,
    reserve,
    spend,
)
from secure_openai.types import Usage
from tests.store.sqlite.refusing import ADMIT, REFUSE, executed


@pytest.fixture
def store(database: Database) -> SqliteUsageStore:
    """Return the store under test."""
    return SqliteUsageStore(database)


async def counts(store: SqliteUsageStore, expected: UsageTotals) -> None:
    """Wait until a store, which could not write for a while, counts as expected."""
    async with asyncio.timeout(5):
        while await store.totals(ANNA, "gpt", now=NOON) != expected:
            await asyncio.sleep(0.01)


class TestSqliteUsageStore(UsageStoreContract):
    """The contract, on SQLite."""


class TestFoldedAlways(UsageStoreContract):
    """The contract, where every group finds a journal that is full."""

    @pytest.fixture
    def store(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> SqliteUsageStore:
        """Return the store under test."""
        monkeypatch.setattr(book, "FOLDED", 1)
        return SqliteUsageStore(database)


class InTurn:
    """Stores of one file, each as another process has it, of which every call takes the next.

    Whoever only reads is told what others have written, so they have.
    """

    def __init__(self, *stores: SqliteUsageStore) -> None:
        self._stores = stores
        self._turns = cycle(stores)

    def __getattr__(self, name: str) -> Any:
        return getattr(next(self._turns), name)

    async def totals(self, *args: Any, **kwargs: Any) -> UsageTotals:
        """Return what one counts, once all have written."""
        for store in self._stores:
            await store.of(ANNA)
        return await next(self._turns).totals(*args, **kwargs)


class TestProcessesInTurn(UsageStoreContract):
    """The contract, where one process reserves and another settles, renews, counts and erases."""

    @pytest.fixture
    async def store(self, database: Database, path: Path) -> AsyncIterator[InTurn]:
        """Return the stores under test."""
        other = await Database.open(path)
        yield InTurn(SqliteUsageStore(database), SqliteUsageStore(other))
        await other.aclose()


async def test_processes_at_once(database: Database, path: Path) -> None:
    """However the requests of two processes mix, no more is admitted than one would have."""
    other = await Database.open(path)
    stores = [SqliteUsageStore(database), SqliteUsageStore(other)]
    limits = replace(LIMITS, requests_per_minute=50, concurrent_streams=1_000)

    async def one(number: int) -> bool:
        await asyncio.sleep(number % 7 / 1000)
        try:
            held = await reserve(stores[number % 2], 1, limits=limits)
        except Refused:
            return False
        await stores[number // 2 % 2].settle(held, Usage(1, 1))
        return True

    assert sum(await asyncio.gather(*map(one, range(200)))) == 50
    for store in stores:
        assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(50, 100, 100, 0, 50)
    await other.aclose()


@pytest.mark.parametrize("left", ["journaled", "folded", "emptied", "erased"])
async def test_another_process_has_written(database: Database, path: Path, left: str) -> None:
    """Whoever knew how everybody stood looks again, whatever the other one left in the journal."""
    store = SqliteUsageStore(database)
    await spend(store, Usage(1, 1))
    other = await Database.open(path)
    theirs = SqliteUsageStore(other)
    if left == "folded":
        await theirs.roll_up(now=NOON)
    await spend(theirs, Usage(1, 1))
    if left == "emptied":
        await theirs.aclose()
    if left == "erased":
        await theirs.erase(ANNA, until="2030-01-02")
    before = 0 if left == "erased" else 2

    made = await reserve(store, 5)
    assert made.standing is not None
    assert made.standing.remaining_requests == LIMITS.requests_per_minute - before - 1
    await other.aclose()


async def test_while_another_writes(database: Database, path: Path) -> None:
    """Nobody is told more than can be lost: who comes while a write is late waits for its end."""
    store = SqliteUsageStore(database)
    await spend(store, Usage(1, 1))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        settled = store.settle(await reserve(store, 1), Usage(1, 1))
        await asyncio.sleep(DELAY_SECONDS + 2 * LATE_SECONDS)
        waiting = [asyncio.ensure_future(reserve(store, 1)) for _ in range(3)]
        _, late = await asyncio.wait(waiting, timeout=0.05)
        assert (len(late), settled.done()) == (len(waiting), False)
        other.execute("COMMIT")

    assert len({one.id for one in await asyncio.gather(*waiting)}) == len(waiting)
    await settled
    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(5, 7, 7, 3, 5)


async def test_what_a_dead_process_held(database: Database, path: Path) -> None:
    """Whoever comes after a process that died counts all that it had reserved and settled."""
    dead = SqliteUsageStore(database)
    await spend(dead, Usage(3, 4))
    kept = await reserve(dead, 100)
    await dead.renew(kept, expires=NOON + timedelta(minutes=5))
    later = NOON + timedelta(minutes=2)
    assert await count(database, "usage_journal") > 0

    after = await Database.open(path)
    with pytest.raises(Refused):
        await reserve(
            SqliteUsageStore(after), limits=replace(LIMITS, concurrent_streams=1), now=later
        )
    assert await SqliteUsageStore(after).totals(ANNA, "gpt", now=later) == UsageTotals(
        0, 0, 107, 1, 2
    )
    assert await count(after, "usage_journal") == 0
    await after.aclose()


async def test_asked_in_order(store: SqliteUsageStore) -> None:
    """Whoever reserves after others asked to settle or release is decided after them."""
    await ask_in_order(store)


async def test_read_while_nothing_can_be_written(database: Database) -> None:
    """What is in the journal counts for whoever reads, before it is folded and after, as one."""
    store = SqliteUsageStore(database)
    first, second = [await reserve(store, 100) for _ in range(2)]
    await spend(store, Usage(3, 4))
    for _ in range(2):
        await spend(store, Usage(30, 40), deployment="other")
        assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(3, 207, 207, 2, 3)
        assert await count(database, "usage_journal") > 0
        await store.roll_up(now=NOON)
    # What ends is in the table, and its end in the journal.
    await store.settle(first, Usage(5, 5))
    await store.release(second)
    await store.renew(await reserve(store, 1, now=NOON + DAY), expires=NOON + 2 * DAY)

    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(3, 17, 17, 1, 3)
    assert await store.totals(ANNA, "gpt", now=NOON + 2 * DAY) == UsageTotals(0, 0, 0, 0, 0)
    read = await store.of(ANNA)
    assert read == [
        UsageDay(ANNA, "gpt", "2030-01-02", 3, 8, 9),
        UsageDay(ANNA, "other", "2030-01-02", 2, 60, 80),
        UsageDay(ANNA, "gpt", "2030-01-03", 1, 0, 0),
    ]
    await store.aclose()
    assert await count(database, "usage_journal") == 0
    assert await store.of(ANNA) == read
    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(3, 17, 17, 1, 3)


async def test_closed(database: Database) -> None:
    """A store that is closed leaves tables that say everything."""
    store = SqliteUsageStore(database)
    await spend(store, Usage(3, 4))
    await reserve(store)
    await store.aclose()

    found = await database.read(
        lambda connection: connection.execute(
            "SELECT day, requests, prompt_tokens, completion_tokens, even, even_requests,"
            " even_tokens, odd, odd_requests, odd_tokens FROM usage_total"
        ).fetchall()
    )
    assert found == [("2030-01-02", 2, 3, 4, "2030-01-02T12:00", 2, 7, "", 0, 0)]
    assert await count(database, "reservation") == 1
    assert await count(database, "usage_journal") == 0


@pytest.mark.parametrize("begun", [False, True], ids=["before anything", "under way"])
async def test_what_cannot_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, begun: bool
) -> None:
    """Whoever was told anything is counted as soon as it can be written; until then nobody is."""
    monkeypatch.setattr(connection_module, "BUSY_MILLISECONDS", 10)
    monkeypatch.setattr(reservations, "RETRY_SECONDS", 0.05)
    database = await Database.open(path)
    store = SqliteUsageStore(database)
    kept = await reserve(store, 100)
    # What is written goes on to be decided by; what is rolled up has to be begun again.
    await (store.of(ANNA) if begun else store.roll_up(now=NOON))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        settled = store.settle(kept, Usage(1, 1))
        await asyncio.wait([settled])
        assert isinstance(settled.exception(), StoreError)
        with pytest.raises(StoreError):
            await reserve(store, 100)
        with pytest.raises(StoreError):
            await store.roll_up(now=NOON)
        assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 100, 100, 1, 1)

    await counts(store, UsageTotals(1, 2, 2, 0, 1))
    await reserve(store, 100)
    await store.aclose()
    await database.aclose()


async def test_what_is_given_back_while_a_write_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is charged once it can be written, also where somebody waits for the turn meanwhile."""
    monkeypatch.setattr(reservations, "RETRY_SECONDS", 0.05)
    store = SqliteUsageStore(database)
    held = [await reserve(store, 100) for _ in range(3)]
    await store.of(ANNA)
    await database.write(partial(executed, REFUSE.format("usage_journal")))
    ends = [store.settle(held[0], Usage(1, 1))]
    rolling = asyncio.ensure_future(store.roll_up(now=NOON))
    for number in (1, 2):
        # The first one is told within a while, and so is who comes later.
        await asyncio.wait([ends[-1]], timeout=5)
        ends.append(store.settle(held[number], Usage(1, 1)))
    async with asyncio.timeout(5):
        told = await asyncio.gather(*ends, rolling, return_exceptions=True)
    assert {type(one) for one in told} == {StoreError}

    await database.write(partial(executed, ADMIT))
    await counts(store, UsageTotals(3, 6, 6, 0, 3))


async def test_who_counts_without_the_turn(database: Database, path: Path) -> None:
    """Where the lock's files are taken away all is counted, and more admitted for a moment only."""
    other = await Database.open(path)
    stores = [SqliteUsageStore(database), SqliteUsageStore(other)]
    many = replace(LIMITS, requests_per_minute=1_000, tokens_per_minute=9_000, tokens_per_day=9_000)
    await reserve(stores[0], 1)
    for ending in ("-door", "-lock"):
        path.with_name(path.name + ending).unlink()

    async def one(store: SqliteUsageStore) -> None:
        await store.settle(await reserve(store, 1, limits=many), Usage(1, 1))

    for _ in range(20):
        await asyncio.gather(*(one(store) for store in stores for _ in range(10)))
    for store in stores:
        await store.of(ANNA)
    # Who has the turn is told with the next write that others have counted, or gives it up.
    await asyncio.sleep(3 * DELAY_SECONDS)

    expected = UsageTotals(401, 801, 801, 1, 401)
    assert await stores[0].totals(ANNA, "gpt", now=NOON) == expected
    made = await reserve(stores[1], 1, limits=many)
    assert made.standing is not None
    assert made.standing.remaining_requests == 1_000 - 402
    await other.aclose()


async def test_a_read_that_fails_loses_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be looked up is, once another book was begun."""
    store = SqliteUsageStore(database)
    kept = await reserve(store, 100)
    await store.roll_up(now=NOON)
    reads = 0

    def failing(work: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads == 1:
            raise StoreError
        return Database.read_at_once(database, work)

    monkeypatch.setattr(database, "read_at_once", failing)
    await store.settle(kept, Usage(1, 1))
    assert reads > 1
    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 2, 2, 0, 1)


async def test_closed_while_nothing_can_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends, and whoever settled is told that it was not."""
    monkeypatch.setattr(connection_module, "BUSY_MILLISECONDS", 10)
    database = await Database.open(path)
    store = SqliteUsageStore(database)
    kept = await reserve(store, 100)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        settled = store.settle(kept, Usage(1, 1))
        async with asyncio.timeout(5):
            await store.aclose()
    assert isinstance(settled.exception(), StoreError)
    with pytest.raises(StoreError):
        await reserve(store, 100)
    await database.aclose()


async def test_a_fold_that_fails_is_none(database: Database) -> None:
    """What cannot be folded stays in the journal, and is folded as soon as it can."""
    store = SqliteUsageStore(database)
    await spend(store, Usage(3, 4))

    await database.write(partial(executed, REFUSE.format("usage_total")))
    with pytest.raises(StoreError):
        await store.roll_up(now=NOON)
    await store.aclose()
    assert await count(database, "usage_total") == 0
    store = SqliteUsageStore(database)
    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 7, 7, 0, 1)
    await database.write(partial(executed, ADMIT))
    assert await store.roll_up(now=NOON) == 0
    assert await count(database, "usage_total") == 1
    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 7, 7, 0, 1)


@pytest.mark.parametrize("begin", [0, 1], ids=["even", "odd"])
@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_of_minutes_the_last_two_count(
    database: Database, begin: int, order: tuple[int, ...]
) -> None:
    """However late what began in one of them ends, and wherever it is folded; of a day all do."""
    store = SqliteUsageStore(database)
    minutes = [NOON + timedelta(minutes=begin + number) for number in range(3)]
    held = []
    for minute in minutes:
        held.append(await reserve(store, 100, now=minute))
        await store.roll_up(now=NOON)
    for number in order:
        await store.settle(held[number], Usage(number, 1))
        await store.roll_up(now=NOON)

    told = [await store.totals(ANNA, "gpt", now=minute) for minute in minutes]
    assert told == [
        UsageTotals(0, 0, 6, 0, 3),
        UsageTotals(1, 2, 6, 0, 3),
        UsageTotals(1, 3, 6, 0, 3),
    ]
    # Whoever looks them up to count on is told the same.
    made = await reserve(store, 10, now=minutes[2])
    assert made.standing is not None
    assert made.standing.remaining_tokens == LIMITS.tokens_per_minute - 13


@pytest.mark.parametrize("minutes", [1, 2, 3, 120])
async def test_a_clock_that_is_set_back(database: Database, path: Path, minutes: int) -> None:
    """What is asked in minutes that had been before counts in them, for every process."""
    other = await Database.open(path)
    stores = [SqliteUsageStore(database), SqliteUsageStore(other)]
    ahead = NOON + timedelta(minutes=minutes)
    await spend(stores[0], Usage(1, 1), now=ahead)
    limits, made = replace(LIMITS, requests_per_minute=3), 0
    with pytest.raises(Refused):
        for number in range(10):
            await reserve(stores[number % 2], 1, limits=limits, now=NOON)
            await stores[number % 2].roll_up(now=NOON)
            made += 1
    assert made == 3
    await other.aclose()


async def count(database: Database, table: str) -> int:
    """Return how many rows a table has."""
    (rows,) = await database.read(
        lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    )
    return int(rows)


async def test_purge(database: Database) -> None:
    """Expired reservations go after a day, and days after their term; refused or not."""
    store = SqliteUsageStore(database)
    await reserve(store, lifetime=10)
    await store.roll_up(now=NOON)
    assert await count(database, "reservation") == 1

    with pytest.raises(Refused):
        await reserve(store, 10**9, now=NOON + timedelta(days=2))
    assert await count(database, "usage_total") == 1
    assert await count(database, "reservation") == 0

    with pytest.raises(Refused):
        await reserve(store, 10**9, now=NOON + timedelta(days=DAYS_KEPT + 1))
    assert await count(database, "usage_total") == 0
    assert (await store.totals(ANNA, "gpt", now=NOON)).tokens_today == 0


WINDOWS = (
    "INSERT INTO usage_window VALUES ('tenant/anna', 'gpt', '2030-01-02T12:00', 3, 40),"
    " ('tenant/anna', 'gpt', '2030-01-02', 3, 40) ON CONFLICT DO UPDATE SET"
    " requests = requests + 3, tokens = tokens + 40"
)
"""What a program counts that keeps no totals."""


DAYS = (
    "INSERT INTO usage_day VALUES ('tenant/anna', 'gpt', '2030-01-02', 3, 15, 25)"
    " ON CONFLICT DO UPDATE SET requests = requests + 3,"
    " prompt_tokens = prompt_tokens + 15, completion_tokens = completion_tokens + 25"
)
"""What one counts besides, that keeps totals."""


@pytest.mark.parametrize(
    ("version", "statements", "prompt"),
    [(3, (WINDOWS,), 0), (9, (WINDOWS, DAYS), 15)],
    ids=["no totals", "in tables of its own"],
)
async def test_totals_of_a_program_before(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    statements: Sequence[str],
    prompt: int,
) -> None:
    """What a program before has counted is in the totals, also where it goes on beside ours."""
    with monkeypatch.context() as patched:
        patched.setattr("secure_openai.store.sqlite.schema.MIGRATIONS", MIGRATIONS[:version])
        before = await Database.open(path)
        for statement in statements:
            await before.write(partial(executed, statement))
        await before.aclose()
    database = await Database.open(path)
    store = SqliteUsageStore(database)
    assert await store.of(ANNA) == [UsageDay(ANNA, "gpt", "2030-01-02", 3, prompt, 40 - prompt)]

    await spend(store, Usage(5, 6))
    for _ in range(2):
        # It finds nothing that it had counted, begins, and goes on.
        for statement in (WINDOWS, DAYS):
            await database.write(partial(executed, statement))
    await store.roll_up(now=NOON)
    assert await store.of(ANNA) == [
        UsageDay(ANNA, "gpt", "2030-01-02", 10, prompt + 35, 40 - prompt + 56)
    ]
    assert (await store.totals(ANNA, "gpt", now=NOON)).requests_today == 10

    assert await store.erase(ANNA, until="2030-01-02") == 1
    assert await store.of(ANNA) == []
    for table in ("usage_window", "usage_day", "usage_total"):
        assert await count(database, table) == 0
    await database.aclose()


async def test_one_that_cannot_be_counted(database: Database) -> None:
    """It fails alone: whoever waits with it, or comes after it, is counted."""
    store = SqliteUsageStore(database)
    held = [await reserve(store, 10) for _ in range(3)]
    wrong: Any = "a word and no usage"
    settling = [
        asyncio.ensure_future(store.settle(one, usage))
        for one, usage in zip(held, (Usage(1, 1), wrong, Usage(2, 2)), strict=True)
    ]
    await asyncio.sleep(0)
    made = await reserve(store, 5)

    failures = [str(one) for one in await asyncio.gather(*settling, return_exceptions=True) if one]
    assert len(failures) == 1
    assert made.tokens == 5
    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(4, 21, 21, 2, 4)
