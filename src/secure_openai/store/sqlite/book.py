"""The book of quota: what the tables and the journal together say of those who ask.

It is true for as long as the journal begins and ends with its own rows: whoever else changes what
is counted adds to it or folds it. So nothing is looked up again that stands in the book. Everyone
whom the journal names stands in it, so who does not stand there is found in the tables alone. To
fold a slice of the journal changes no account. What was decided and is not in the journal yet
stands in the accounts too.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from secure_openai.store.sqlite.account import Account
from secure_openai.store.sqlite.journal import (
    HELD,
    SLICE,
    Held,
    Key,
    Line,
    Unfolded,
    Used,
    changes_in,
    ends_of,
    fold,
)

FOLDED = 500
"""How many changes the journal holds before slices of it are folded. The more, the more
reservations have ended by then, and are written nowhere else."""

ACCOUNTS = 20_000
"""How many accounts stand in the book before it forgets those that nothing names: of whoever stands
in it nothing is looked up. Each takes about a kilobyte."""


class Row(NamedTuple):
    """A row of the journal.

    Attributes:
        number: Its number.
        line: What it holds.
        page: On which page of the book it was decided.
    """

    number: int
    line: Line
    page: int


@dataclass
class Book:
    """Accounts as of one state of the journal, and what was decided since.

    Attributes:
        held: The reservations that the table holds of whoever has no account here: few, and read
            at once.
        stored: The ids of all that the table holds.
        accounts: Those that were looked up or changed, the first ones first.
        journaled: How many changes the journal holds.
        ended: What its rows say was used, of the reservations that they end.
        page: How many pages were begun.
    """

    held: dict[Key, dict[str, Held]] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    accounts: dict[Key, Account] = field(default_factory=dict)
    journaled: int = 0
    ended: dict[str, Used | None] = field(default_factory=dict)
    page: int = 0
    _rows: deque[Row] = field(default_factory=deque)

    @classmethod
    def begun(cls, connection: sqlite3.Connection) -> Book:
        """Fold the journal, and return a book of tables that say everything."""
        fold(connection)
        book = cls()
        for identifier, held in held_in(connection):
            book.held.setdefault(held[:2], {})[identifier] = held
            book.stored.add(identifier)
        return book

    @property
    def full(self) -> bool:
        """Return whether a slice of the journal is to be folded."""
        return self.journaled >= FOLDED

    def is_of(self, connection: sqlite3.Connection) -> bool:
        """Return whether nobody else has written since, as far as an empty journal tells."""
        return bool(self._rows) and self.ends == ends_of(connection)

    @property
    def ends(self) -> tuple[int | None, int | None]:
        """Return the numbers of the first row and the last, as `ends_of` finds them."""
        return (self._rows[0].number, self._rows[-1].number) if self._rows else (None, None)

    def account(self, key: Key) -> Account:
        """Return an account, and enter it if it does not stand here."""
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = Account(self.held.pop(key, {}), {})
        return account

    def journal(self, rows: Iterable[tuple[int, Line]], page: int) -> None:
        """Note rows that were written, with their numbers, and the page that they were."""
        for number, line in rows:
            self._rows.append(Row(number, line, page))
            self.ended.update(line["ended"])
            self.journaled += changes_in(line)

    def slice(self) -> Unfolded:
        """Return what a slice of the journal, as it is remembered, adds up to."""
        unfolded = Unfolded(((row.number, row.line) for row in self._rows), most=SLICE)
        unfolded.knowing(self.ended, self.stored)
        return unfolded

    def folded(self, unfolded: Unfolded) -> None:
        """Note that a slice was moved into the tables."""
        self.stored.difference_update(unfolded.ended)
        self.stored.update(unfolded.taken)
        for _ in range(unfolded.rows):
            line = self._rows.popleft().line
            self.journaled -= changes_in(line)
            for identifier in line["ended"]:
                del self.ended[identifier]

    def forget(self, most: int) -> None:
        """Forget accounts that are not needed, where there are too many; look at `most` of them."""
        if len(self.accounts) <= ACCOUNTS:
            return
        named = self._rows[0].page if self._rows else self.page
        for key in list(islice(self.accounts, most)):
            account = self.accounts.pop(key)
            if account.page >= named:
                # The journal names it, or will: it stands behind the others.
                self.accounts[key] = account
            elif account.held:
                self.held[key] = account.held


def held_in(connection: sqlite3.Connection, owner: str | None = None) -> Iterator[tuple[str, Held]]:
    """Yield the reservations that the table holds, of everyone or of one principal."""
    rows = connection.execute(
        f"SELECT {HELD} FROM reservation" + ("" if owner is None else " WHERE owner = ?"),
        () if owner is None else (owner,),
    )
    for identifier, *held in rows:
        yield identifier, Held(*held)


def counted_in(connection: sqlite3.Connection, key: Key, day: str) -> dict[str, tuple[int, int]]:
    """Return requests and tokens of a day and its last minutes, of which the table says any."""
    row = connection.execute(
        "SELECT day, requests, prompt_tokens + completion_tokens,"
        " even, even_requests, even_tokens, odd, odd_requests, odd_tokens"
        " FROM usage_total WHERE owner = ? AND deployment = ? AND day = ?",
        (*key, day),
    ).fetchone()
    if row is None:
        return {}
    windows = (row[:3], row[3:6], row[6:])
    return {starts: (requests, tokens) for starts, requests, tokens in windows if starts}
