"""A page of the book of quota: what is decided before it is written."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Protocol, TypeVar

from secure_openai.store.quota import refusal_of, standing_of, with_request
from secure_openai.store.sqlite.account import Account
from secure_openai.store.sqlite.book import Book, counted_in
from secure_openai.store.sqlite.changes import Giving, Renewing, Taking
from secure_openai.store.sqlite.database import Work
from secure_openai.store.sqlite.journal import Entry, Held, Key
from secure_openai.streams import tell
from secure_openai.types import Decision, Standing

T = TypeVar("T")


class Read(Protocol):
    """Runs work that reads, at once."""

    def __call__(self, work: Work[T]) -> T:
        """Return what work returns.

        Raises:
            StoreError: It cannot be read.
        """
        ...


class Page:
    """What is decided by a book, in the order in which it was asked.

    Args:
        book: The book; what is decided stands in it at once.
        read: Where accounts are looked up that do not stand in it.

    Attributes:
        entry: What is to be written.
        number: Its place in the book.
        done: Whether it is written, or never will be.
    """

    def __init__(self, book: Book, read: Read) -> None:
        book.page += 1
        self.number = book.page
        self.entry = Entry()
        self.done = False
        self._book = book
        self._read = read
        self._givers: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        """Return how many changes it holds."""
        return len(self.entry.taken) + len(self.entry.ended) + len(self.entry.renewed)

    def __bool__(self) -> bool:
        """Return whether anybody is to be told anything of it."""
        return len(self) > 0 or bool(self._givers)

    def take(self, one: Taking) -> Standing | Decision:
        """Take a reservation into the book, and return how its principal stands; or refuse it.

        Raises:
            StoreError: The tables cannot be read.
        """
        key, identifier, tokens, limits, windows, now, expires = one
        minute, day = windows
        account = self._looked_up(key, day)
        totals = account.totals(windows, now)
        refusal = refusal_of(totals, tokens, limits, now)
        if refusal is not None:
            return refusal
        held = Held(key[0], key[1], minute, day, tokens, expires)
        account.take(identifier, held)
        account.page = self.number
        self.entry.taken[identifier] = held
        return standing_of(with_request(totals, tokens), limits, now)

    def give(self, one: Giving | Renewing, giver: asyncio.Future[None]) -> None:
        """Charge what was used, or nothing, or let a reservation count for longer.

        One that has ended ends no more, and counts no longer.

        Args:
            one: What to do.
            giver: Who is told when it is written.

        Raises:
            StoreError: The tables cannot be read.
        """
        key, identifier, _ = one
        account = self._book.account(key)
        held = account.held.get(identifier)
        if held is None:
            pass
        elif isinstance(one, Renewing):
            account.renew(identifier, one.expires)
            self.entry.renewed[identifier] = one.expires
            account.page = self.number
        else:
            usage = one.usage
            used = None if usage is None else (usage.prompt_tokens, usage.completion_tokens)
            self._looked_up(key, held.day).end(identifier, used)
            self.entry.ended[identifier] = used
            account.page = self.number
        self._givers.append(giver)

    def tell(self) -> None:
        """Tell who gave that it is written."""
        self.done = True
        tell(self._givers)

    def fail(self, error: Exception) -> None:
        """Tell who gave that it is not written for now."""
        tell(self._givers, error)

    def _looked_up(self, key: Key, day: str) -> Account:
        """Return an account in which a day stands."""
        account = self._book.account(key)
        if day not in account.windows:
            account.windows |= {day: (0, 0)} | self._read(partial(counted_in, key=key, day=day))
        return account
