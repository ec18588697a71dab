"""The book of quota: it says what the tables and the journal say, whatever fails."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from secure_openai.errors import StoreError
from secure_openai.store.quota import Windows
from secure_openai.store.sqlite import book as book_module
from secure_openai.store.sqlite.book import MINUTES
from secure_openai.store.sqlite.changes import Giving, Taking
from secure_openai.store.sqlite.connection import connect
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.reservations import carried_out
from secure_openai.store.sqlite.usage import SqliteUsageStore
from secure_openai.store.usage import Reservation
from secure_openai.testing.usage_contract import ANNA, BEN, NOON, reserve
from secure_openai.types import Limits, PrincipalId, Usage

LIMITS = Limits(
    requests_per_minute=10_000,
    requests_per_day=100_000,
    tokens_per_minute=1_000_000,
    tokens_per_day=10_000_000,
    prompt_tokens=500,
    answer_tokens=500,
    concurrent_streams=1_000,
)
KEY = ("tenant/anna", "gpt")
PEOPLE = [ANNA, BEN, *(PrincipalId("tenant", f"person-{number}") for number in range(5))]


def taking(number: int, minutes: int = 0) -> Taking:
    """Return a reservation to be decided."""
    seconds = NOON.timestamp() + 60 * minutes
    windows = Windows.at(seconds)
    return Taking(KEY, f"reservation-{number}", 10, LIMITS, windows, seconds, seconds + 600)


@pytest.fixture
async def connection(path: Path) -> sqlite3.Connection:
    """Return a connection to a database of nothing."""
    await (await Database.open(path)).aclose()
    return connect(path)


@pytest.mark.parametrize("how", ["ROLLBACK", "COMMIT"])
async def test_a_book_is_true_once_it_is_committed(
    connection: sqlite3.Connection, how: str
) -> None:
    """What a transaction has changed in a book that did not end well makes it no one's book."""
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        page, _ = carried_out(connection, None, [taking(1)])
        connection.execute("COMMIT")
        book = page.turned()
        assert book.is_of(connection)

        connection.execute("BEGIN IMMEDIATE")
        page, _ = carried_out(connection, book, [Giving(KEY, "reservation-1", None), taking(2)])
        connection.execute(how)
        assert not book.is_of(connection)
        assert book.old
        if how == "COMMIT":
            assert page.turned().is_of(connection)


async def test_a_book_that_fails_in_between(connection: sqlite3.Connection) -> None:
    """What was changed in a book, before anything of it was journaled, makes it no one's too."""
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        page, _ = carried_out(connection, None, [taking(1), taking(2)])
        connection.execute("COMMIT")
        book = page.turned()
        wrong: Any = "a word and no usage"

        connection.execute("BEGIN IMMEDIATE")
        ends = [Giving(KEY, "reservation-1", Usage(1, 1)), Giving(KEY, "reservation-2", wrong)]
        with pytest.raises(AttributeError):
            carried_out(connection, book, ends)
        connection.execute("ROLLBACK")
        assert not book.is_of(connection)


async def test_a_book_of_many_minutes_is_old(connection: sqlite3.Connection) -> None:
    """Another one is begun before accounts hold more than an hour's minutes and a few."""
    with closing(connection):
        book = None
        for minutes in range(MINUTES + 1):
            assert book is None or not book.old
            connection.execute("BEGIN IMMEDIATE")
            page, _ = carried_out(connection, book, [taking(minutes, minutes)])
            connection.execute("COMMIT")
            book = page.turned()

        assert book is not None
        assert book.old
        assert len(book.accounts[KEY].windows) == MINUTES + 2


REFUSE = "CREATE TRIGGER refused BEFORE INSERT ON {} BEGIN SELECT RAISE(ABORT, 'refused'); END"


def executed(statement: str, connection: sqlite3.Connection) -> None:
    """Execute a statement."""
    connection.execute(statement)


def faults(chance: random.Random) -> Iterator[str]:
    """Yield, for each step, the table that refuses what is written; mostly none."""
    while True:
        yield from [""] * chance.randrange(2, 9)
        yield chance.choice(("usage_journal", "usage_total", "reservation"))


@pytest.mark.parametrize("seed", range(6))
async def test_the_book_says_what_is_stored(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whoever reserves is told how they stand as the tables and the journal say it after."""
    monkeypatch.setattr(book_module, "FOLDED", 5)
    monkeypatch.setattr(book_module, "SLICE", 4)
    monkeypatch.setattr(book_module, "MINUTES", 5)
    chance, store = random.Random(seed), SqliteUsageStore(database)
    held: list[Reservation] = []
    told = failed = 0
    for step, fault in zip(range(120), faults(chance), strict=False):
        # Of two minutes at most: a clock that is set back further finds nothing counted.
        now = NOON + timedelta(seconds=step * 7 + chance.randrange(-26, 26))
        if fault:
            await database.write(partial(executed, REFUSE.format(fault)))
        chance.shuffle(held)
        ending, held = held[: (n := chance.randrange(4))], held[n:]
        giving: list[Awaitable[None]] = [
            store.settle(one, Usage(chance.randrange(9), 2))
            if chance.random() < 0.7
            else store.release(one)
            for one in ending
        ]
        giving += [store.renew(one, expires=now + timedelta(seconds=90)) for one in held[:1]]
        owner = chance.choice(PEOPLE)
        waiting = [asyncio.ensure_future(one) for one in giving]
        await asyncio.sleep(0)
        try:
            made = await reserve(store, 10, principal=owner, limits=LIMITS, now=now)
        except StoreError:
            failed += 1
        else:
            held.append(made)
            told += 1
            counted = await store.totals(owner, "gpt", now=now)
            assert made.standing is not None
            assert (
                made.standing.remaining_requests,
                made.standing.remaining_tokens,
            ) == (
                LIMITS.requests_per_minute - counted.requests_this_minute,
                LIMITS.tokens_per_minute - counted.tokens_this_minute,
            )
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        held += [one for one, end in zip(ending, ends, strict=False) if end is not None]
        if fault:
            await database.write(partial(executed, "DROP TRIGGER refused"))
    assert told > 60
    assert failed > 5
