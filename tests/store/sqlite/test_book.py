"""The book of quota: it says what the tables and the journal say, whatever fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from secure_openai.errors import StoreError
from secure_openai.store.quota import Windows
from secure_openai.store.sqlite import book as book_module
from secure_openai.store.sqlite import reservations
from secure_openai.store.sqlite.book import Book
from secure_openai.store.sqlite.changes import Giving, Taking
from secure_openai.store.sqlite.connection import connect
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.journal import Key, append
from secure_openai.store.sqlite.page import Page
from secure_openai.store.sqlite.usage import SqliteUsageStore
from secure_openai.store.usage import Reservation
from secure_openai.testing.usage_contract import ANNA, BEN, NOON, reserve
from secure_openai.types import Limits, PrincipalId, Standing, Usage
from tests.store.sqlite.refusing import ADMIT, REFUSE, executed

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


def taking(number: int, minutes: int = 0, key: Key = KEY) -> Taking:
    """Return a reservation to be decided."""
    seconds = NOON.timestamp() + 60 * minutes
    windows = Windows.at(seconds)
    return Taking(key, f"reservation-{number}", 10, LIMITS, windows, seconds, seconds + 600)


def written(database: Database, book: Book, page: Page) -> None:
    """Write a page, and let the book know."""
    lines = list(page.entry.lines())
    with closing(connect(database.path)) as connection:
        book.journal(zip(append(connection, lines), lines, strict=True), page.number)


async def test_a_book_is_true_until_another_one_writes(database: Database, path: Path) -> None:
    """Whatever else is written, the journal's ends tell whether it was of what is counted."""
    book = await database.write(Book.begun)
    assert not database.read_at_once(book.is_of)
    page = Page(book, database.read_at_once)
    page.take(taking(1))
    written(database, book, page)
    assert database.read_at_once(book.is_of)

    with closing(connect(path)) as other:
        append(other, [{"taken": {}, "renewed": {"another": 1.0}, "ended": {}}])
    assert not database.read_at_once(book.is_of)


async def test_an_account_keeps_two_minutes(database: Database) -> None:
    """However long it stands in the book, it holds what the table would."""
    book = await database.write(Book.begun)
    page = Page(book, database.read_at_once)
    for minutes in range(90):
        page.take(taking(minutes, minutes))
    # Its minute has gone, so that it counts in the day alone.
    ending = asyncio.get_running_loop().create_future()
    page.give(Giving(KEY, "reservation-3", Usage(1, 2)), ending)

    last, this = (Windows.at(NOON.timestamp() + 60 * number).minute for number in (88, 89))
    assert book.accounts[KEY].windows == {last: (1, 0), this: (1, 0), "2030-01-02": (90, 3)}


async def test_a_book_forgets(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts beyond a number go, the first ones first, but those that the journal names."""
    monkeypatch.setattr(book_module, "ACCOUNTS", 3)
    book = await database.write(Book.begun)
    pages = []
    for number in range(6):
        page = Page(book, database.read_at_once)
        page.take(taking(number, key=(f"tenant/{number}", "gpt")))
        pages.append(page)
    for page in pages:
        written(database, book, page)
    book.forget(10)
    assert len(book.accounts) == 6

    # Two rows are folded: what was reserved there is in the table.
    monkeypatch.setattr(book_module, "SLICE", 2)
    with closing(connect(database.path)) as connection:
        unfolded = book.slice()
        unfolded.write(connection)
    book.folded(unfolded)
    book.forget(10)
    assert sorted(book.accounts) == [(f"tenant/{number}", "gpt") for number in range(2, 6)]
    again = Page(book, database.read_at_once)
    standing = again.take(taking(7, key=("tenant/0", "gpt")))
    assert isinstance(standing, Standing)
    assert standing.remaining_requests == LIMITS.requests_per_minute - 2
    assert standing.remaining_tokens == LIMITS.tokens_per_minute - 20


async def everything_written(store: SqliteUsageStore) -> None:
    """Wait until what was asked before is written, however often it could not be."""
    somebody = PrincipalId("tenant", "somebody")
    async with asyncio.timeout(10):
        while True:
            try:
                last = await reserve(store, 1, principal=somebody, limits=LIMITS)
                await store.release(last)
            except StoreError:
                await asyncio.sleep(0.005)
            else:
                return


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
    monkeypatch.setattr(book_module, "ACCOUNTS", 3)
    monkeypatch.setattr(reservations, "DELAY_SECONDS", 0.002)
    monkeypatch.setattr(reservations, "RETRY_SECONDS", 0.01)
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
        made = None
        try:
            if fault and chance.random() < 0.5:
                # Another book has to be begun.
                await store.roll_up(now=now)
            made = await reserve(store, 10, principal=owner, limits=LIMITS, now=now)
            if fault == "usage_journal":
                await store.of(owner)
                await reserve(store, 10, principal=owner, limits=LIMITS, now=now)
        except StoreError:
            failed += 1
        if fault:
            await database.write(partial(executed, ADMIT))
        # Whoever is told that it could not be written for now is counted all the same.
        await asyncio.gather(*waiting, return_exceptions=True)
        await everything_written(store)
        if made is not None:
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
    assert told > 60
    assert failed > 5
