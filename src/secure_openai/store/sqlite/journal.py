"""The journal of quota: a row for all changes of a group, folded into the tables by the hundred.

Each principal's rows lie somewhere of their own: to write one costs a page there, and one in every
index. What a group changes is first one row at the end of one table; many groups are added up, and
written in the order of their keys. What counts is always both, the tables and the journal.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from secure_openai.types import JsonObject, Usage

Key = tuple[str, str]
"""A principal's key and a deployment."""

Place = tuple[str, str, str, str]
"""The same, and a minute and its day."""

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
    """What one group changes; no reservation is made and ends in the same one.

    Attributes:
        taken: Reservations that were made, by their ids.
        ended: What was used under those that were settled; `None` for a released one.
        renewed: When others expire.
    """

    taken: dict[str, Held] = field(default_factory=dict)
    ended: dict[str, Usage | None] = field(default_factory=dict)
    renewed: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many changes it holds."""
        return len(self.taken) + len(self.ended) + len(self.renewed)


def append(connection: sqlite3.Connection, entry: Entry) -> None:
    """Write an entry."""
    document = {
        "taken": entry.taken,
        "ended": {
            identifier: usage and (usage.prompt_tokens, usage.completion_tokens)
            for identifier, usage in entry.ended.items()
        },
        "renewed": entry.renewed,
    }
    connection.execute(
        "INSERT INTO usage_journal (document) VALUES (?)",
        (json.dumps(document, ensure_ascii=False, separators=(",", ":")),),
    )


def fold(connection: sqlite3.Connection) -> None:
    """Move everything that the journal holds into the tables."""
    unfolded = Unfolded(connection)
    if unfolded:
        unfolded.write(connection)
        connection.execute("DELETE FROM usage_journal")


class Unfolded:
    """What the journal's entries add up to, read in one transaction with the tables.

    Attributes:
        taken: Reservations that were made and have not ended, by their ids.
        used: Requests, and tokens of prompts and answers, by owner, deployment, minute and day.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.taken: dict[str, Held] = {}
        self.used: dict[Place, list[int]] = {}
        # Of reservations that are in the table.
        self._ended: dict[str, tuple[int, int] | None] = {}
        self._renewed: dict[str, float] = {}
        self._entries = 0
        for (document,) in connection.execute("SELECT document FROM usage_journal ORDER BY number"):
            self._add(json.loads(document))
            self._entries += 1

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return self._entries > 0

    def _add(self, entry: JsonObject) -> None:
        for identifier, held in entry["taken"].items():
            self.taken[identifier] = made = Held(*held)
            self.used.setdefault(made[:4], [0, 0, 0])[0] += 1
        for identifier, expires in entry["renewed"].items():
            if identifier in self.taken:
                self.taken[identifier] = self.taken[identifier]._replace(expires=expires)
            else:
                self._renewed[identifier] = expires
        for identifier, used in entry["ended"].items():
            ended = self.taken.pop(identifier, None)
            if ended is None:
                self._ended[identifier] = used
            else:
                self._charge(ended, used)

    def _charge(self, held: Held, used: tuple[int, int] | None) -> None:
        if used is not None:
            counted = self.used.setdefault(held[:4], [0, 0, 0])
            counted[1] += used[0]
            counted[2] += used[1]

    def held(self, stored: Mapping[str, Held]) -> dict[str, Held]:
        """Return what is left of reservations that are in the table, and charge the others."""
        left: dict[str, Held] = {}
        for identifier, one in stored.items():
            if identifier in self._ended:
                self._charge(one, self._ended[identifier])
            else:
                expires = self._renewed.get(identifier, one.expires)
                left[identifier] = one._replace(expires=expires)
        return left

    def write(self, connection: sqlite3.Connection) -> None:
        """Write everything into the tables, in the order of the keys: neighbours share a page."""
        self._take_back(connection)
        connection.executemany(
            "UPDATE reservation SET expires = ? WHERE id = ?",
            [(expires, identifier) for identifier, expires in self._renewed.items()],
        )
        connection.executemany(
            "INSERT INTO reservation VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(identifier, *held) for identifier, held in self.taken.items()],
        )
        ordered = sorted(self.used.items())
        connection.executemany(
            "INSERT INTO usage_window VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " requests = requests + excluded.requests, tokens = tokens + excluded.tokens",
            _windows(ordered),
        )
        connection.executemany(
            "INSERT INTO usage_day VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " requests = requests + excluded.requests,"
            " prompt_tokens = prompt_tokens + excluded.prompt_tokens,"
            " completion_tokens = completion_tokens + excluded.completion_tokens",
            ((owner, deployment, day, *used) for (owner, deployment, _, day), used in ordered),
        )

    def _take_back(self, connection: sqlite3.Connection) -> None:
        """Remove from the table what has ended, and charge it."""
        if self._ended:
            self.held(
                {
                    identifier: Held(*held)
                    for identifier, *held in connection.execute(
                        "DELETE FROM reservation WHERE id IN (SELECT value FROM json_each(?))"
                        f" RETURNING {HELD}",
                        (json.dumps(list(self._ended)),),
                    )
                }
            )


def _windows(ordered: list[tuple[Place, list[int]]]) -> Iterator[tuple[str | int, ...]]:
    for (owner, deployment, minute, day), (requests, prompt, answer) in ordered:
        yield owner, deployment, minute, requests, prompt + answer
        yield owner, deployment, day, requests, prompt + answer
