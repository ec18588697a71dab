"""The book of quota: what the tables and the journal together say of those who ask.

It is true for as long as the journal begins and ends with its own rows: whoever else changes what
is counted adds to it or folds it. So nothing is looked up again that stands in the book. Everyone
whom the journal names stands in it, so who does not stand there is found in the tables alone. To
fold a slice of the journal changes nothing of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from secure_openai.store.quota import Windows, refusal_of, standing_of, with_request
from secure_openai.store.sqlite.journal import (
    HELD,
    SLICE,
    Entry,
    Held,
    Key,
    Line,
    Used,
    append,
    changes_in,
    ends_of,
    fold,
)
from secure_openai.store.usage import Reservation, UsageTotals
from secure_openai.types import Decision, Limits, Standing, Usage

FOLDED = 500
"""How many changes the journal holds before a slice is folded with every group, and how many
accounts stand in the book that it does not name. The more, the more reservations have ended by
then, and are written nowhere else."""


FEW = 8
"""So many accounts' rows are written within a millisecond."""


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

    def copy(self) -> Account:
        """Return another one of the same content."""
        return Account(self.held.copy(), self.windows.copy())

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


@dataclass
class Book:
    """Accounts as of one state of the journal.

    Attributes:
        held: The reservations that the table holds of whoever has no account here: few, and read
            at once.
        accounts: Those that were looked up or changed.
        journaled: How many changes the journal holds.
        ended: What its rows say was used, of the reservations that they end.
    """

    held: dict[Key, dict[str, Held]] = field(default_factory=dict)
    accounts: dict[Key, Account] = field(default_factory=dict)
    journaled: int = 0
    ended: dict[str, Used | None] = field(default_factory=dict)
    _lines: deque[tuple[int, Line, frozenset[Key]]] = field(default_factory=deque)
    _named: Counter[Key] = field(default_factory=Counter)

    @property
    def full(self) -> bool:
        """Return whether a slice of the journal is to be folded."""
        return self.journaled >= FOLDED

    @property
    def many_in_slice(self) -> bool:
        """Return whether the slice to be folded may be of so many that writing it takes long."""
        changes, keys = 0, set[Key]()
        for _, line, named in self._lines:
            keys |= named
            changes += changes_in(line)
            if changes >= SLICE:
                break
        return len(keys) > FEW

    def is_of(self, connection: sqlite3.Connection) -> bool:
        """Return whether nobody else has written since, as far as an empty journal tells."""
        if not self._lines:
            return False
        return (self._lines[0][0], self._lines[-1][0]) == ends_of(connection)

    def journal(self, rows: Iterable[tuple[int, Line]], keys: frozenset[Key]) -> None:
        """Note rows that were written, with their numbers, and whose they may be."""
        for number, line in rows:
            self._lines.append((number, line, keys))
            self._named.update(keys)
            self.ended.update(line["ended"])
            self.journaled += changes_in(line)

    def folded(self, rows: int) -> None:
        """Forget rows that were folded, and accounts that are not needed."""
        for _ in range(rows):
            _, line, keys = self._lines.popleft()
            self.journaled -= changes_in(line)
            for identifier in line["ended"]:
                del self.ended[identifier]
            for key in keys:
                self._named[key] -= 1
                if not self._named[key]:
                    del self._named[key]
        # Who was only refused stands here too.
        if len(self.accounts) - len(self._named) >= FOLDED:
            for key in self.accounts.keys() - self._named.keys():
                held = self.accounts.pop(key).held
                if held:
                    self.held[key] = held
                else:
                    self.held.pop(key, None)


class Page:
    """What one group changes in a book, inside its transaction; the book itself stays as it is.

    Args:
        connection: In a transaction that writes.
        book: The book as it was last, if there is one.
        reservations: Everyone whom the group is about.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        book: Book | None,
        reservations: Iterable[Reservation],
    ) -> None:
        self._folded = 0
        if book is None or not book.is_of(connection):
            fold(connection)
            book = Book()
            for identifier, held in held_in(connection):
                book.held.setdefault(held[:2], {})[identifier] = held
        elif book.full:
            self._folded = fold(connection, most=SLICE, ended=book.ended)
        self._connection = connection
        self._book = book
        self._entry = Entry()
        self._rows: list[tuple[int, Line]] = []
        self._accounts: dict[Key, Account] = {}
        self._known: dict[Key, tuple[str, UsageTotals]] = {}
        self._open(reservations)

    def _open(self, reservations: Iterable[Reservation]) -> None:
        """Copy from the book what the group is about, and look up what does not stand there."""
        missing: list[tuple[str, ...]] = []
        for one in reservations:
            key = key_of(one)
            account = self._accounts.get(key)
            if account is None:
                known = self._book.accounts.get(key)
                account = (
                    Account(dict(self._book.held.get(key, ())), {})
                    if known is None
                    else known.copy()
                )
                self._accounts[key] = account
            windows = Windows.of(one.made)
            for starts in (windows.minute, windows.day):
                if starts not in account.windows:
                    account.windows[starts] = (0, 0)
                    missing.append((*key, starts))
        if missing:
            for owner, deployment, starts, *counted in counted_in(self._connection, missing):
                requests, tokens = counted
                self._accounts[owner, deployment].windows[starts] = (requests, tokens)

    def end(self, reservation: Reservation, usage: Usage | None) -> None:
        """Charge what was used, or nothing; a reservation that has ended ends no more."""
        account = self._accounts[key_of(reservation)]
        held = account.held.pop(reservation.id, None)
        if held is None:
            return
        self._entry.ended[reservation.id] = usage
        if usage is not None:
            for starts in (held.minute, held.day):
                requests, tokens = account.windows[starts]
                account.windows[starts] = (requests, tokens + usage.total_tokens)

    def renew(self, reservation: Reservation, expires: datetime) -> None:
        """Let a reservation that has not ended count for longer."""
        account = self._accounts[key_of(reservation)]
        held = account.held.get(reservation.id)
        if held is not None:
            renewed = held._replace(expires=expires.timestamp())
            account.held[reservation.id] = renewed
            self._entry.renewed[reservation.id] = renewed.expires

    def take(self, reservation: Reservation, limits: Limits) -> Standing | Decision:
        """Take a reservation into the book, and return how its principal stands; or refuse it.

        Everything else that the group changes comes before.
        """
        now = reservation.made
        windows, key = Windows.of(now), key_of(reservation)
        account = self._accounts[key]
        minute, totals = self._known.get(key, ("", None))
        if totals is None or minute != windows.minute:
            totals = account.totals(windows, now.timestamp())
        refusal = refusal_of(totals, reservation.tokens, limits, now)
        if refusal is not None:
            self._known[key] = (windows.minute, totals)
            return refusal
        totals = with_request(totals, reservation.tokens)
        self._known[key] = (windows.minute, totals)
        held = Held(
            *key,
            windows.minute,
            windows.day,
            reservation.tokens,
            reservation.expires.timestamp(),
        )
        account.held[reservation.id] = self._entry.taken[reservation.id] = held
        for starts in (windows.minute, windows.day):
            requests, tokens = account.windows[starts]
            account.windows[starts] = (requests + 1, tokens)
        return standing_of(totals, limits, now)

    def write(self) -> None:
        """Write into the journal what was changed."""
        lines = list(self._entry.lines())
        self._rows = list(zip(append(self._connection, lines), lines, strict=True))

    def turned(self) -> Book:
        """Return the book with what was changed in it, once that is committed."""
        self._book.accounts.update(self._accounts)
        self._book.journal(self._rows, frozenset(self._accounts))
        self._book.folded(self._folded)
        return self._book


def key_of(reservation: Reservation) -> Key:
    """Return whose account a reservation is in."""
    return (reservation.principal.key, reservation.deployment)


def held_in(connection: sqlite3.Connection, owner: str | None = None) -> Iterator[tuple[str, Held]]:
    """Yield the reservations that the table holds, of everyone or of one principal."""
    rows = connection.execute(
        f"SELECT {HELD} FROM reservation" + ("" if owner is None else " WHERE owner = ?"),
        () if owner is None else (owner,),
    )
    for identifier, *held in rows:
        yield identifier, Held(*held)


def counted_in(
    connection: sqlite3.Connection, places: Sequence[tuple[str, ...]]
) -> list[tuple[str, str, str, int, int]]:
    """Return what the table says of these owners, deployments and windows, where it says any."""
    return connection.execute(
        "SELECT owner, deployment, starts, requests, tokens"
        " FROM json_each(?) AS place CROSS JOIN usage_window"
        " ON owner = place.value ->> 0 AND deployment = place.value ->> 1"
        " AND starts = place.value ->> 2",
        (json.dumps(places, ensure_ascii=False),),
    ).fetchall()
