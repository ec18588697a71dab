"""The journal of quota: what it adds up to, however it is folded."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from secure_openai.store.quota import Windows
from secure_openai.store.sqlite import book
from secure_openai.store.sqlite.connection import connect
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.journal import (
    SLICE,
    Entry,
    Held,
    Unfolded,
    append,
    changes_in,
    fold,
    rows_in,
)
from secure_openai.store.sqlite.reservations import MOST_FOLDED, PAGE
from secure_openai.store.sqlite.usage import SqliteUsageStore
from secure_openai.store.sqlite.usage_reading import days_of, totals_of
from secure_openai.store.usage import UsageDay, UsageTotals
from secure_openai.testing.usage_contract import NOON, reserve
from secure_openai.types import PrincipalId, Usage
from tests.store import folder

OWNERS = [PrincipalId("tenant", f"person-{number}") for number in range(9)]
TABLES = ("reservation", "usage_total")
LIVES_SECONDS = 600


def at(hours: int) -> datetime:
    """Return when entries are of which each has an hour, and half of them an odd minute."""
    return NOON + timedelta(hours=hours, minutes=hours % 2)


def entries(seed: int) -> Iterator[Entry]:
    """Yield what groups change: reservations, most of which end, some in another day's row."""
    chance = random.Random(seed)
    held: list[str] = []
    for number in range(40):
        entry = Entry()
        for _ in range(chance.randrange(12)):
            if held:
                identifier = held.pop(chance.randrange(len(held)))
                used = (chance.randrange(50), chance.randrange(50))
                entry.ended[identifier] = used if chance.random() < 0.8 else None
        for identifier in chance.sample(held, min(2, len(held))):
            entry.renewed[identifier] = NOON.timestamp() + LIVES_SECONDS + number
        for place in range(chance.randrange(8)):
            windows = Windows.of(at(number))
            entry.taken[f"{number}-{place}"] = Held(
                chance.choice(OWNERS).key,
                chance.choice(("gpt", "other")),
                windows.minute,
                windows.day,
                100,
                NOON.timestamp() + LIVES_SECONDS,
            )
        held += entry.taken
        yield entry


def journaled(path: Path, seed: int) -> sqlite3.Connection:
    """Return a connection to a database whose journal holds entries, and its tables nothing."""
    connection = connect(path)
    for entry in entries(seed):
        append(connection, list(entry.lines()))
    return connection


def tables(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    """Return what the tables hold."""
    return {
        name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3").fetchall()
        for name in TABLES
    }


def told(connection: sqlite3.Connection) -> list[list[UsageDay] | UsageTotals]:
    """Return what whoever reads is told of everybody."""
    found: list[list[UsageDay] | UsageTotals] = []
    for owner in OWNERS:
        found.append(days_of(connection, owner))
        # The last of each day: of a minute before the last two nothing is told any more.
        for hours in (11, 35, 39):
            now = at(hours)
            key = (owner.key, "gpt")
            found.append(totals_of(connection, key, Windows.of(now), now))
    return found


def fold_knowing(connection: sqlite3.Connection, most: int) -> int:
    """Fold a slice as whoever knows of every reservation how it ends, and where it is."""
    later = {name: used for _, line in rows_in(connection) for name, used in line["ended"].items()}
    stored = {name for (name,) in connection.execute("SELECT id FROM reservation")}
    unfolded = Unfolded(rows_in(connection), most=most)
    unfolded.knowing(later, stored)
    assert unfolded.ended.keys() <= stored
    unfolded.write(connection)
    return unfolded.rows


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [1, 7, SLICE])
@pytest.mark.parametrize("knowing", [False, True], ids=["row by row", "knowing what ends"])
async def test_slices_add_up_to_the_whole(
    tmp_path: Path, most: int, seed: int, *, knowing: bool
) -> None:
    """The tables say the same whatever the slices, and at every moment both say what is true."""
    connections = []
    for name in ("whole", "sliced"):
        path = tmp_path / name / "test.db"
        await (await Database.open(path)).aclose()
        connections.append(journaled(path, seed))
    whole, sliced = connections
    true = told(whole)
    fold(whole)

    assert told(whole) == true
    while rows := (fold_knowing(sliced, most) if knowing else fold(sliced, most=most)):
        assert rows <= most
        assert told(sliced) == true
    assert tables(sliced) == tables(whole)
    assert tables(whole)["usage_total"]
    for connection in connections:
        connection.close()


@pytest.mark.process
@pytest.mark.parametrize("slices", [0, 3])
async def test_killed_in_the_middle_of_a_fold(path: Path, slices: int) -> None:
    """Slices that were folded are, the one that was not is none, and nothing is lost of either."""
    await (await Database.open(path)).aclose()
    connection = journaled(path, 1)
    true = told(connection)
    command = [sys.executable, folder.__file__, str(path), str(slices)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"folding\n"
    process.kill()
    await process.wait()

    assert told(connection) == true
    connection.execute("BEGIN IMMEDIATE")
    fold(connection)
    connection.execute("COMMIT")
    assert told(connection) == true
    connection.close()


async def journal_of(database: Database) -> int:
    """Return how many changes the journal holds."""
    rows = await database.read(
        lambda connection: connection.execute("SELECT document FROM usage_journal").fetchall()
    )
    return sum(changes_in(json.loads(document)) for (document,) in rows)


async def test_no_write_folds_more_than_two_slices(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While principal after principal asks, a full journal is folded a little with each write."""
    monkeypatch.setattr(book, "FOLDED", 6 * SLICE)
    store = SqliteUsageStore(database)
    people = [PrincipalId("tenant", f"person-{number}") for number in range(6 * SLICE + 20)]
    await asyncio.gather(*(reserve(store, 1, principal=one) for one in people[: 6 * SLICE]))
    await store.of(people[0])
    before, most = await journal_of(database), 0
    for owner in people[6 * SLICE :]:
        await reserve(store, 1, principal=owner)
        await store.of(owner)
        now = await journal_of(database)
        most, before = max(most, before - now), now

    assert 0 < most < 2 * SLICE
    assert before >= 4 * SLICE


async def test_crowds_do_not_fill_the_journal(database: Database) -> None:
    """Groups larger than a slice are folded as they come, and everybody's use is counted."""
    store = SqliteUsageStore(database)
    crowds = [[PrincipalId(one, f"person-{number}") for number in range(256)] for one in "abcde"]
    for crowd in crowds:
        held = await asyncio.gather(*(reserve(store, 5, principal=one) for one in crowd))
        await asyncio.gather(*(store.settle(one, Usage(1, 2)) for one in held))
        assert await journal_of(database) <= MOST_FOLDED + PAGE

    for owner in (crowd[number] for crowd in crowds for number in (0, 255)):
        assert await store.totals(owner, "gpt", now=NOON) == UsageTotals(1, 3, 3, 0, 1)
    await store.aclose()
    day = await store.day(Windows.of(NOON).day, limit=2_000)
    assert {(one.requests, one.prompt_tokens, one.completion_tokens) for one in day.items} == {
        (1, 1, 2)
    }
    assert len(day.items) == sum(map(len, crowds))
