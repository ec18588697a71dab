"""Tallies in SQLite: what is added and how far that goes is one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from secure_openai.store.sqlite.database import Database
from secure_openai.store.tallies import Counted, Tally, TallyKind, added_up


class SqliteTallyStore:
    """Implements `TallyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reached(self) -> Mapping[str, int]:
        """Return by chain up to which record it has been counted."""
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT chain, sequence FROM tallied").fetchall()
        )
        return dict(rows)

    async def add(self, chain: str, counted: Sequence[Counted], *, upto: int) -> None:
        """Add what the records of a chain up to `upto` add; each record counts once."""

        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                "SELECT sequence FROM tallied WHERE chain = ?", (chain,)
            ).fetchone()
            before = row[0] if row else 0
            more = (one.tally for one in counted if one.sequence > before)
            for tally in added_up(more).values():
                _add(connection, tally)
            connection.execute(
                "INSERT INTO tallied VALUES (?, ?)"
                " ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence)",
                (chain, upto),
            )

        await self._database.write(work)

    async def days(self, first: str, last: str) -> Sequence[Tally]:
        """Return the tallies of the UTC days from `first` to `last`."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT day, kind, name, deployment, requests, prompt_tokens, completion_tokens"
                " FROM tally WHERE day BETWEEN ? AND ? ORDER BY day, kind, name, deployment",
                (first, last),
            ).fetchall()
        )
        return [Tally(day, TallyKind(kind), *rest) for day, kind, *rest in rows]


def _add(connection: sqlite3.Connection, one: Tally) -> None:
    connection.execute(
        "INSERT INTO tally VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " requests = requests + excluded.requests,"
        " prompt_tokens = prompt_tokens + excluded.prompt_tokens,"
        " completion_tokens = completion_tokens + excluded.completion_tokens",
        (*one.key, one.requests, one.prompt_tokens, one.completion_tokens),
    )
