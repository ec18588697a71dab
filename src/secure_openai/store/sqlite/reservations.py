"""Reservations made, settled and released: decided in memory, and written a few times a second.

Whoever asks is told at once, by the book, while it is our turn among the programs that have the
file open. What was decided is written while others are decided already, so a sudden end loses what
was not written yet. While a write is late nobody is told anything before it is done, and while it
fails nothing is reserved. What was told stays so: it is written as soon as it can be.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from secure_openai.errors import StoreError
from secure_openai.store.sqlite.book import FOLDED, Book
from secure_openai.store.sqlite.changes import Giving, Renewing, Taking
from secure_openai.store.sqlite.database import Database, Work
from secure_openai.store.sqlite.fair_lock import FairLock
from secure_openai.store.sqlite.journal import SLICE, Line, Unfolded, append, ends_of, fold
from secure_openai.store.sqlite.page import Page
from secure_openai.streams import Within, tell
from secure_openai.types import Decision, Standing

logger = logging.getLogger(__name__)

T = TypeVar("T")

DELAY_SECONDS = 0.02
"""How long what was decided waits for company before it is written."""

LATE_SECONDS = 0.05
"""How long a write may take before nobody is told anything until it is done."""

RETRY_SECONDS = 0.5

PAGE = 512
"""How many changes are decided before whoever comes waits until they are written."""

MOST_FOLDED = 2 * FOLDED
"""With how many changes in the journal it is folded until there are fewer."""

FORGOTTEN = 128
"""How many accounts the book looks at with each write, to forget them."""


class Reservations:
    """Who asks for quota in one file, and the task that decides and writes.

    The task has the turn for as long as anybody asks, and writes alone: nobody who stops waiting
    can make it unclear what was written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = FairLock(database.path)
        self._book: Book | None = None
        # What is being decided, while it is our turn, and what is being written, since when.
        self._page: Page | None = None
        self._writing: Page | None = None
        self._since = 0.0
        self._failing = False
        self._waiting: list[asyncio.Future[None]] = []
        self._giving: list[tuple[Giving | Renewing, asyncio.Future[None]]] = []
        self._alone: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._hurry = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def take(self, taking: Taking) -> Standing | Decision:
        """Return how a principal stands with a reservation, or the decision that refuses it.

        Raises:
            StoreError: The database cannot be read or written.
        """
        while (page := self._page) is None or len(page) >= PAGE or self._late:
            await self._event()
        return page.take(taking)

    def give(self, giving: Giving | Renewing) -> asyncio.Future[None]:
        """Return what says when a change that gives back, or renews, survives the process.

        Whoever takes after this is decided after it. It is `StoreError` where it does not survive
        it for now, but counts, and is written as soon as it can be.
        """
        future = asyncio.get_running_loop().create_future()
        if self._page is None:
            self._giving.append((giving, future))
            self._start()
        else:
            self._give(self._page, giving, future)
        return future

    def _give(self, page: Page, giving: Giving | Renewing, future: asyncio.Future[None]) -> None:
        """Carry a change out on a page, which tells when it is written."""
        try:
            page.give(giving, future)
        except StoreError:
            # It is asked again, on a page of a book that was begun again.
            self._giving.append((giving, future))
        except Exception as error:
            # Whatever it was, it is this change's alone.
            tell([future], error)

    async def written(self) -> None:
        """Return when what was asked before is written, or cannot be for now."""
        with suppress(StoreError):
            while self._giving:
                await self._event()
            pages = [page for page in (self._writing, self._page) if page]
            while not all(page.done for page in pages):
                await self._event()

    async def alone(self, work: Work[T]) -> T:
        """Run `work` on tables that say everything, while nothing is reserved or settled.

        Raises:
            StoreError: The database cannot be written.
        """
        if self._failing:
            raise StoreError
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._alone.append((work, future))
        self._start()
        return await future

    async def aclose(self) -> None:
        """Write what was decided, if it can be, and leave tables that say everything."""
        await self.written()
        with suppress(StoreError):
            await self.alone(lambda _: None)
        self._closing.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        self._turn.close()

    @property
    def _late(self) -> bool:
        """Return whether a write fails, or takes too long for anybody to be told anything."""
        if self._writing is None or self._failing:
            return self._failing
        return asyncio.get_running_loop().time() - self._since > LATE_SECONDS

    async def _event(self) -> None:
        """Return when something is decided, or was written.

        Raises:
            StoreError: Nothing can be.
        """
        if self._failing:
            raise StoreError
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._start()
        await future

    def _start(self) -> None:
        self._hurry.set()
        if self._task is not None and not self._task.done():
            return
        if self._closing.is_set():
            self._refuse(StoreError("The store is closed."))
        else:
            self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while self._waiting or self._giving or self._alone:
            try:
                await self._turn.acquire()
                try:
                    await self._do_alone()
                    if self._waiting or self._giving:
                        await self._decide()
                finally:
                    self._turn.release()
            except Exception as error:
                if not isinstance(error, StoreError):
                    logger.exception("quota was not decided")
                self._forsake(error)
                self._refuse(error)
                if self._closing.is_set():
                    self._giving = []
                elif self._giving:
                    await self._pause()

    async def _pause(self) -> None:
        """Wait before something is tried again."""
        with suppress(TimeoutError), Within(RETRY_SECONDS):
            await self._closing.wait()

    async def _do_alone(self) -> None:
        while self._alone:
            self._book = None
            work, future = self._alone.pop(0)
            try:
                await self._fold()
                result = await self._database.write(partial(_folded, work))
            except Exception as error:
                tell([future], error)
            else:
                if not future.done():
                    future.set_result(result)

    async def _decide(self) -> None:
        """Decide for as long as anybody asks, unless somebody else is to have the turn."""
        book = self._book = await self._true_book()
        page = self._page = Page(book, self._database.read_at_once)
        giving, self._giving = self._giving, []
        for change, future in giving:
            self._give(page, change, future)
        self._wake()
        more = True
        while more:
            self._hurry.clear()
            with suppress(TimeoutError), Within(DELAY_SECONDS):
                await self._hurry.wait()
            more = bool(page) and not (self._alone or self._giving or self._turn.wanted)
            ended, page = page, Page(book, self._database.read_at_once)
            self._page = page if more else None
            if ended and not await self._write(book, ended):
                # Somebody wrote without having the turn: what was decided stays so.
                logger.warning("another program has counted without its turn")
                self._book = self._page = None
                if more and page:
                    await self._write(book, page)
                more = False
            self._wake()

    async def _true_book(self) -> Book:
        """Return a book of all that the tables and the journal say."""
        book = self._book
        if book is not None:
            with suppress(StoreError):
                if self._database.read_at_once(book.is_of):
                    return book
        self._book = None
        await self._fold()
        return await self._database.write(Book.begun, waits=False)

    async def _fold(self) -> None:
        """Fold the journal, and let others write between its slices."""
        while await self._database.write(partial(fold, most=SLICE), waits=False):
            pass

    async def _write(self, book: Book, page: Page) -> bool:
        """Write a page, sooner or later: what it decided was told.

        Return whether the book is still true.

        Raises:
            StoreError: It cannot be written, and will not be tried again.
        """
        self._writing = page
        lines, full = list(page.entry.lines()), book.full
        while True:
            try:
                true = await self._journal(book, lines, page.number, full=full)
            except Exception as error:
                # Whatever it was, nothing goes on before it is over.
                if not self._failing:
                    unknown = None if isinstance(error, StoreError) else error
                    logger.warning(
                        "quota cannot be written (%s)", type(error).__name__, exc_info=unknown
                    )
                self._failing, full = True, False
                for one in (page, self._page):
                    if one is not None:
                        one.fail(error)
                self._refuse(error)
                if self._closing.is_set():
                    raise
                await self._pause()
            else:
                break
        self._failing = False
        page.tell()
        book.forget(FORGOTTEN)
        before = book.journaled + 1
        with suppress(StoreError):
            while true and MOST_FOLDED <= book.journaled < before:
                before = book.journaled
                true = await self._journal(book, [], page.number, full=True)
        self._writing = None
        return true

    async def _journal(self, book: Book, lines: list[Line], page: int, *, full: bool) -> bool:
        """Write rows into the journal, and fold a slice of it where it is full.

        Return whether the book is still true; one that is not knows nothing of the rows.
        """
        if not lines and not full:
            return True
        self._since = asyncio.get_running_loop().time()
        # A power cut ends the requests of these reservations too.
        true, numbers, unfolded = await self._database.write(
            partial(_journaled, book, lines, full=full), waits=False
        )
        if true:
            book.journal(zip(numbers, lines, strict=True), page)
            if unfolded is not None:
                book.folded(unfolded)
        return true

    def _wake(self) -> None:
        """Let whoever waits look again."""
        waiting, self._waiting = self._waiting, []
        tell(waiting)

    def _refuse(self, error: Exception) -> None:
        """Tell whoever waits that nothing can be done; what gives back is still to be."""
        futures = [*self._waiting, *(one for _, one in (*self._giving, *self._alone))]
        self._waiting, self._alone = [], []
        tell(futures, error)

    def _forsake(self, error: Exception) -> None:
        """Begin again with what is written."""
        for page in (self._writing, self._page):
            if page and not page.done:
                logger.error("quota of %d changes is lost", len(page))
                page.fail(error)
                page.done = True
        self._book = self._writing = self._page = None
        self._failing = False


def _folded(work: Work[T], connection: sqlite3.Connection) -> T:
    """Run `work` on tables that say everything."""
    fold(connection)
    return work(connection)


def _journaled(
    book: Book, lines: list[Line], connection: sqlite3.Connection, *, full: bool
) -> tuple[bool, list[int], Unfolded | None]:
    """Write rows into the journal and, if it is full, fold a slice as the book remembers it.

    Return whether the book was true until then, the numbers of the rows, and the slice; none if
    it cannot be folded.
    """
    true = ends_of(connection) == book.ends
    numbers = append(connection, lines)
    if not (true and full):
        return true, numbers, None
    connection.execute("SAVEPOINT slice")
    try:
        unfolded = book.slice()
        unfolded.write(connection)
    except sqlite3.Error as error:
        if not connection.in_transaction:
            # A full disk, after which nothing is left of the transaction.
            raise
        connection.execute("ROLLBACK TO slice")
        logger.warning("the journal of quota was not folded (%s)", type(error).__name__)
        unfolded = None
    connection.execute("RELEASE slice")
    return true, numbers, unfolded
