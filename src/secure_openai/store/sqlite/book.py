"""The book of quota: what the tables and the journal together say of those who ask.

It is true for as long as the journal begins and ends with its own rows: whoever else changes what
is counted adds to it or folds it. So nothing is looked up again that stands in the book. Everyone
whom the journal names stands in it, so who does not stand there is found in the tables alone. To
fold a slice of the journal changes no account. While a transaction changes it, it is nobody's: one
that fails leaves it so, and another one is begun.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from secure_openai.store.quota import Windows
from secure_openai.store.sqlite.connection import in_values
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
from secure_openai.store.usage import UsageTotals

FOLDED = 500
"""How many changes the journal holds before a slice is folded with every group, and how many
accounts stand in the book that it does not name. The more, the more reservations have ended by
then, and are written nowhere else."""

MINUTES = 60
"""How many a book may know of before another one is begun: no account of it grows without end."""


class Account:
    """What counts of one principal's use of one deployment.

    Attributes:
        held: Reservations that have not ended, expired ones too, by their ids.
        windows: Requests and tokens of each window that was looked at.
    """

    __slots__ = ("held", "windows")

    def __init__(self, held: dict[str, Held], windows: dict[str, tuple[int, int]]) -> None:
        self.held = held
        self.windows = windows

    def totals(self, windows: Windows, now: float) -> UsageTotals:
        """Return what counts at `now`, of windows that were looked at."""
        requests_this_minute, minute = self.windows[windows.minute]
        requests_today, day = self.windows[windows.day]
        concurrent = 0
        for one in self.held.values():
            if one.expires > now:
                concurrent += 1
                minute += one.tokens if one.minute == windows.minute else 0
                day += one.tokens if one.day == windows.day else 0
        return UsageTotals(requests_this_minute, minute, day, concurrent, requests_today)


class Row(NamedTuple):
    """A row of the journal.

    Attributes:
        number: Its number.
        line: What it holds.
        keys: Whose it may be.
    """

    number: int
    line: Line
    keys: tuple[Key, ...]


@dataclass
class Book:
    """Accounts as of one state of the journal.

    Attributes:
        held: The reservations that the table holds of whoever has no account here: few, and read
            at once.
        stored: The ids of all that the table holds.
        accounts: Those that were looked up or changed.
        journaled: How many changes the journal holds.
        ended: What its rows say was used, of the reservations that they end.
        minutes: Those of which anything was looked up.
        open: Whether it says what is not committed: a transaction that fails leaves it so.
    """

    held: dict[Key, dict[str, Held]] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    accounts: dict[Key, Account] = field(default_factory=dict)
    journaled: int = 0
    ended: dict[str, Used | None] = field(default_factory=dict)
    minutes: set[str] = field(default_factory=set)
    open: bool = False
    _rows: deque[Row] = field(default_factory=deque)
    _most: int = field(default_factory=lambda: FOLDED)

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

    @property
    def old(self) -> bool:
        """Return whether another one is to be begun."""
        return self.open or len(self.minutes) > MINUTES

    def is_of(self, connection: sqlite3.Connection) -> bool:
        """Return whether nobody else has written since, as far as an empty journal tells."""
        if self.open or not self._rows:
            return False
        return (self._rows[0].number, self._rows[-1].number) == ends_of(connection)

    def account(self, key: Key) -> Account:
        """Return an account, and enter it if it does not stand here."""
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = Account(self.held.pop(key, {}), {})
        return account

    def journal(self, rows: Iterable[tuple[int, Line]], keys: tuple[Key, ...]) -> None:
        """Note rows that were written, with their numbers, and whose they may be."""
        for number, line in rows:
            self._rows.append(Row(number, line, keys))
            self.ended.update(line["ended"])
            self.journaled += changes_in(line)

    def fold(self, connection: sqlite3.Connection) -> None:
        """Move a slice of the journal, as it is remembered, into the tables."""
        self.open = True
        unfolded = Unfolded(((row.number, row.line) for row in self._rows), most=SLICE)
        unfolded.knowing(self.ended, self.stored)
        unfolded.write(connection)
        self.stored.difference_update(unfolded.ended)
        self.stored.update(unfolded.taken)
        for _ in range(unfolded.rows):
            line = self._rows.popleft().line
            self.journaled -= changes_in(line)
            for identifier in line["ended"]:
                del self.ended[identifier]

    def close(self) -> None:
        """Stand by what was changed, once it is committed; forget accounts that are not needed."""
        self.open = False
        if len(self.accounts) < self._most:
            return
        # Who was only refused stands here too.
        for key in self.accounts.keys() - set().union(*(row.keys for row in self._rows)):
            held = self.accounts.pop(key).held
            if held:
                self.held[key] = held
        self._most = len(self.accounts) + FOLDED


def held_in(connection: sqlite3.Connection, owner: str | None = None) -> Iterator[tuple[str, Held]]:
    """Yield the reservations that the table holds, of everyone or of one principal."""
    rows = connection.execute(
        f"SELECT {HELD} FROM reservation" + ("" if owner is None else " WHERE owner = ?"),
        () if owner is None else (owner,),
    )
    for identifier, *held in rows:
        yield identifier, Held(*held)


def counted_in(
    connection: sqlite3.Connection, places: Sequence[tuple[str, str, str]]
) -> Iterator[tuple[Key, dict[str, tuple[int, int]]]]:
    """Yield requests and tokens by the windows of which the table says any.

    Args:
        connection: Where to read.
        places: Whose windows: owners, deployments and days.
    """
    for values, some in in_values(places):
        for owner, deployment, *counted in connection.execute(
            f"WITH place (owner, deployment, day) AS (VALUES {values})"
            " SELECT owner, deployment, day, requests, prompt_tokens + completion_tokens,"
            " even, even_requests, even_tokens, odd, odd_requests, odd_tokens"
            " FROM place CROSS JOIN usage_total USING (owner, deployment, day)",
            some,
        ):
            windows = (counted[:3], counted[3:6], counted[6:])
            yield (
                (owner, deployment),
                {starts: (requests, tokens) for starts, requests, tokens in windows if starts},
            )
