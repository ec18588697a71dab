"""Reservations made, settled and released by the group: one look and one write for all that wait.

A group is written at once, on the thread that serves, unless somebody else writes or it is large.
Whoever comes while one is written elsewhere waits for the next one. What gives tokens back is
applied before what takes them, and each reservation is decided knowing all before it, so a group
decides as its members one after the other would. What was decided is told once the journal has it.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias, TypeVar, cast

from secure_openai.errors import StoreError
from secure_openai.store.sqlite.book import FOLDED, Book
from secure_openai.store.sqlite.changes import Change, Giving, Outcome, Taking
from secure_openai.store.sqlite.database import Database, NotAtOnce, Work
from secure_openai.store.sqlite.journal import ROW, SLICE, fold
from secure_openai.store.sqlite.page import Page
from secure_openai.streams import Within

logger = logging.getLogger(__name__)

T = TypeVar("T")

GROUP = 256
"""How many are written at once."""

MOST_FOLDED = 2 * FOLDED
"""With how many changes in the journal nothing more is reserved before some are folded."""

DELAY_SECONDS = 0.02
"""How long what gives back may wait for company. What takes ends the wait."""


Waiting: TypeAlias = tuple[Change, "asyncio.Future[Outcome]"]


class Reservations:
    """The queue of changes of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: list[Waiting] = []
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._book: Book | None = None
        self._writing = asyncio.Lock()

    def change(self, change: Change) -> asyncio.Future[Outcome]:
        """Return what becomes of a change, for when it survives the process.

        That is how a principal stands with a reservation, or the decision that refuses it; or
        `StoreError`, where the database cannot be written.
        """
        future = asyncio.get_running_loop().create_future()
        self._queue.append((change, future))
        if isinstance(change, Taking):
            self._hurry.set()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())
        return future

    def give(self, giving: Giving) -> asyncio.Future[None]:
        """Return what says when a change that gives back survives the process."""
        return cast("asyncio.Future[None]", self.change(giving))

    async def alone(self, work: Work[T]) -> T:
        """Run `work` on tables that say everything, while nothing is reserved or settled.

        Raises:
            StoreError: The database cannot be written.
        """

        def folded(connection: sqlite3.Connection) -> T:
            fold(connection)
            return work(connection)

        async with self._writing:
            self._book = None
            await self._fold()
            return await self._database.write(folded)

    async def _fold(self) -> None:
        """Fold the journal, and let others write between its slices."""
        while await self._database.write(partial(fold, most=SLICE), waits=False):
            pass

    async def _run(self) -> None:
        while self._queue:
            if not self._hurry.is_set():
                try:
                    with Within(DELAY_SECONDS):
                        await self._hurry.wait()
                except TimeoutError:
                    pass
            # Whatever else came with the same turn of the loop goes along.
            await asyncio.sleep(0)
            group, self._queue = self._queue[:GROUP], self._queue[GROUP:]
            if not any(isinstance(change, Taking) for change, _ in self._queue):
                self._hurry.clear()
            if not await self._written(group) and len(group) > 1:
                for one in group:
                    await self._written([one])
            try:
                await self._catch_up()
            except Exception as error:
                # Whatever it was, whoever waits in the queue is answered all the same.
                logger.warning("the journal of quota was not folded (%s)", type(error).__name__)

    async def _catch_up(self) -> None:
        """Fold what groups have journaled that were larger than the slices folded with them."""
        async with self._writing:
            while (book := self._book) is not None and book.journaled >= MOST_FOLDED:
                self._book = None
                if await self._database.write(partial(_slice_folded, book), waits=False):
                    book.close()
                    self._book = book

    async def _written(self, group: list[Waiting]) -> bool:
        """Write a group and tell those who wait, or return that each had better go alone."""
        changes = [change for change, _ in group]
        try:
            outcomes = self._at_once(changes)
            if outcomes is None:
                outcomes = await self._in_turn(changes)
        except Exception as error:
            if len(group) > 1 and not isinstance(error, StoreError):
                return False
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return True
        _tell(group, outcomes)
        return True

    def _at_once(self, changes: Sequence[Change]) -> list[Outcome] | None:
        """Carry changes out while everything waits; `None` if they are many, or others write."""
        book = self._book
        if book is None or book.old or len(changes) > ROW:
            return None
        try:
            page, outcomes = self._database.write_at_once(partial(_still, book, changes))
        except NotAtOnce:
            return None
        self._book = page.turned()
        return outcomes

    async def _in_turn(self, changes: Sequence[Change]) -> list[Outcome]:
        """Carry changes out on the thread that writes, after whoever came before."""
        async with self._writing:
            book, self._book = self._book, None
            if book is None or book.old:
                book = None
                await self._fold()
            # A power cut ends the requests of these reservations too.
            page, outcomes = await self._database.write(
                lambda connection: carried_out(
                    connection, book if book and book.is_of(connection) else None, changes
                ),
                waits=False,
            )
            self._book = page.turned()
        return outcomes


def _tell(group: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
    for (_, future), outcome in zip(group, outcomes, strict=False):
        if not future.done():
            future.set_result(outcome)


def _still(
    book: Book, changes: Sequence[Change], connection: sqlite3.Connection
) -> tuple[Page, list[Outcome]]:
    """Carry changes out by a book that is still true.

    Raises:
        NotAtOnce: Others have written.
    """
    if not book.is_of(connection):
        raise NotAtOnce
    return carried_out(connection, book, changes)


def carried_out(
    connection: sqlite3.Connection, book: Book | None, changes: Sequence[Change]
) -> tuple[Page, list[Outcome]]:
    """Carry changes out by a book that is true, or by another one if there is none.

    Return the page that holds them, and what became of each.
    """
    page = Page(connection, book)
    outcomes = page.carry_out(changes)
    page.write()
    return page, outcomes


def _slice_folded(book: Book, connection: sqlite3.Connection) -> bool:
    """Fold a slice, unless others have written: then the book says nothing of the journal."""
    true = book.is_of(connection)
    if true:
        book.fold(connection)
    return true
