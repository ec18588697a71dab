"""The journal of quota: a row for all changes of a group, folded into the tables by the hundred.

Each principal's rows lie somewhere of their own: to write one costs a page there, and one in every
index. What a group changes is first one row at the end of one table; many groups are added up, and
written in the order of their keys. What counts is always both, the tables and the journal, so it
may be folded a slice at a time: the first rows, in a transaction of their own.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from secure_openai.store.sqlite.connection import insert

Key = tuple[str, str]
"""A principal's key and a deployment."""

Place = tuple[str, str, str, str]
"""The same, and a minute and its day."""

Line: TypeAlias = Mapping[str, dict[str, Any]]
"""A row of the journal: what it does to reservations, by their ids, under the names of `Entry`."""

_WRITER = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))

Used = tuple[int, int]
"""Tokens of a prompt and of its answer."""

ROW = 64
"""How many changes a row holds at most."""

SLICE = 2 * ROW
"""How many changes a slice holds before it is closed: of as many principals it is written within
two milliseconds, in which everything waits."""

HELD = "id, owner, deployment, minute, day, tokens, expires"
"""The columns of an id and what it stands for."""


class Held(NamedTuple):
    """A reservation that has not ended."""

    owner: str
    deployment: str
    minute: str
    day: str
    tokens: int
    expires: float


@dataclass
class Entry:
    """What is written at the same time.

    Attributes:
        taken: Reservations that were made, by their ids.
        ended: What was used under those that were settled; `None` for a released one.
        renewed: When others expire.
    """

    taken: dict[str, Held] = field(default_factory=dict)
    ended: dict[str, Used | None] = field(default_factory=dict)
    renewed: dict[str, float] = field(default_factory=dict)

    def lines(self) -> Iterator[Line]:
        """Yield it as rows; what was made stands before what ends."""
        kinds: Line = {"taken": self.taken, "renewed": self.renewed, "ended": self.ended}
        if 0 < changes_in(kinds) <= ROW:
            yield kinds
            return
        changes = [(kind, *change) for kind, every in kinds.items() for change in every.items()]
        for begin in range(0, len(changes), ROW):
            line: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
            for kind, identifier, change in changes[begin : begin + ROW]:
                line[kind][identifier] = change
            yield line


def append(connection: sqlite3.Connection, lines: Sequence[Line]) -> list[int]:
    """Write an entry's rows and return their numbers, which no other row ever had.

    That is when they were written, in microseconds since the epoch, or one more than the last.
    """
    return [
        connection.execute(
            "INSERT INTO usage_journal VALUES"
            " (max(?, coalesce((SELECT max(number) FROM usage_journal), 0) + 1), ?)",
            (time.time_ns() // 1000, _WRITER.encode(line)),
        ).lastrowid
        or 0
        for line in lines
    ]


def ends_of(connection: sqlite3.Connection) -> tuple[int | None, int | None]:
    """Return the numbers of the first row and the last, which tell whether others have written."""
    first, last = connection.execute(
        "SELECT (SELECT min(number) FROM usage_journal), (SELECT max(number) FROM usage_journal)"
    ).fetchone()
    return first, last


def fold(connection: sqlite3.Connection, *, most: int | None = None) -> int:
    """Move what the journal holds into the tables, and return how many rows that was.

    Args:
        connection: In a transaction that writes.
        most: After how many changes to stop; everything if `None`.
    """
    unfolded = Unfolded(rows_in(connection), most=most)
    unfolded.write(connection)
    return unfolded.rows


def rows_in(connection: sqlite3.Connection) -> Iterator[tuple[int, Line]]:
    """Yield the journal's rows, with their numbers, in their order."""
    every = "SELECT number, document FROM usage_journal ORDER BY number"
    for number, document in connection.execute(every):
        line = json.loads(document)
        taken = {identifier: Held(*held) for identifier, held in line["taken"].items()}
        yield number, line | {"taken": taken}


class Unfolded:
    """What the journal's first rows add up to.

    Args:
        rows: The journal's, with their numbers, as of one transaction with the tables.
        most: After how many changes to stop; all if `None`.

    Attributes:
        taken: Reservations that were made and have not ended, by their ids.
        ended: What was used under others, which the table holds.
        used: Requests, and tokens of prompts and answers, by owner, deployment, minute and day.
        rows: How many rows were read.
        last: The number of the last one.
    """

    def __init__(self, rows: Iterable[tuple[int, Line]], *, most: int | None = None) -> None:
        self.taken: dict[str, Held] = {}
        self.ended: dict[str, Used | None] = {}
        self.used: dict[Place, list[int]] = {}
        # Of reservations that are in the table.
        self._renewed: dict[str, float] = {}
        self.rows = self.last = changes = 0
        for number, line in rows:
            self._add(line)
            self.rows, self.last = self.rows + 1, number
            changes += changes_in(line)
            if most is not None and changes >= most:
                break

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return self.rows > 0

    def knowing(self, later: Mapping[str, Used | None], stored: Collection[str]) -> None:
        """Charge what was made and has ended, by what later rows say; of others they say nothing.

        So it need not be written, to be removed again soon: where those rows are folded, there is
        no such reservation any more.

        Args:
            later: What all rows say was used, of the reservations that they end.
            stored: The ids that the table holds.
        """
        for identifier in self.taken.keys() & later.keys():
            self._charge(self.taken.pop(identifier), later[identifier])
        self.ended = {one: used for one, used in self.ended.items() if one in stored}

    def _add(self, line: Line) -> None:
        for identifier, held in line["taken"].items():
            self.taken[identifier] = held
            self.used.setdefault(held[:4], [0, 0, 0])[0] += 1
        for identifier, expires in line["renewed"].items():
            if identifier in self.taken:
                self.taken[identifier] = self.taken[identifier]._replace(expires=expires)
            else:
                self._renewed[identifier] = expires
        for identifier, used in line["ended"].items():
            ended = self.taken.pop(identifier, None)
            if ended is None:
                self.ended[identifier] = used
            else:
                self._charge(ended, used)

    def _charge(self, held: Held, used: Used | None) -> None:
        if used is not None:
            counted = self.used.setdefault(held[:4], [0, 0, 0])
            counted[1] += used[0]
            counted[2] += used[1]

    def held(self, stored: Mapping[str, Held]) -> dict[str, Held]:
        """Return what is left of reservations that are in the table, and charge the others."""
        left: dict[str, Held] = {}
        for identifier, one in stored.items():
            if identifier in self.ended:
                self._charge(one, self.ended[identifier])
            else:
                expires = self._renewed.get(identifier, one.expires)
                left[identifier] = one._replace(expires=expires)
        return left

    def write(self, connection: sqlite3.Connection) -> None:
        """Move it all into the tables, in the order of the keys: neighbours share a page."""
        if not self:
            return
        self._take_back(connection)
        if self._renewed:
            connection.execute(
                "UPDATE reservation SET expires = renewed.value FROM json_each(?) AS renewed"
                " WHERE reservation.id = renewed.key",
                (json.dumps(self._renewed),),
            )
        taken = [(identifier, *held) for identifier, held in self.taken.items()]
        insert(connection, "reservation", taken)
        # Of one key they stay in the order in which they were asked.
        totals = sorted(map(_total, self.used.items()), key=_KEY)
        insert(connection, "usage_total", totals, COUNTED)
        connection.execute("DELETE FROM usage_journal WHERE number <= ?", (self.last,))

    def _take_back(self, connection: sqlite3.Connection) -> None:
        """Remove from the table what has ended, and charge it."""
        if self.ended:
            self.held(
                {
                    identifier: Held(*held)
                    for identifier, *held in connection.execute(
                        "DELETE FROM reservation WHERE id IN (SELECT value FROM json_each(?))"
                        f" RETURNING {HELD}",
                        (json.dumps(list(self.ended)),),
                    )
                }
            )


def changes_in(line: Line) -> int:
    """Return how many changes a row holds."""
    return sum(map(len, line.values()))


COUNTED = (
    " ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,"
    " prompt_tokens = prompt_tokens + excluded.prompt_tokens,"
    " completion_tokens = completion_tokens + excluded.completion_tokens, "
) + ", ".join(
    # Which was asked in last takes the place of another one, also where a clock was set back.
    f"{parity} = iif(excluded.{parity}_requests > 0, excluded.{parity}, {parity}), "
    + ", ".join(
        f"{parity}_{what} = CASE WHEN excluded.{parity} = {parity}"
        f" THEN {parity}_{what} + excluded.{parity}_{what}"
        f" WHEN excluded.{parity}_requests > 0 THEN excluded.{parity}_{what}"
        f" ELSE {parity}_{what} END"
        for what in ("requests", "tokens")
    )
    for parity in ("even", "odd")
)
"""How what was used is added to a row of `usage_total`."""

_KEY = itemgetter(0, 1, 2)
_NO_MINUTE = ("", 0, 0)


def _total(used: tuple[Place, list[int]]) -> tuple[str | int, ...]:
    """Return what was used as a row of `usage_total`."""
    (owner, deployment, minute, day), (requests, prompt, answer) = used
    counted = (minute, requests, prompt + answer)
    even, odd = (_NO_MINUTE, counted) if minute[-1] in "13579" else (counted, _NO_MINUTE)
    return (day, owner, deployment, requests, prompt, answer, *even, *odd)
