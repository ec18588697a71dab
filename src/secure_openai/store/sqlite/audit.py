"""The audit in SQLite: one chain for every process that opens the file."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial

from secure_openai.store.audit import (
    AuditAnswer,
    AuditQuestion,
    AuditRecord,
    ChainHead,
    SealNote,
    StoredRecord,
)
from secure_openai.store.audit_queue import QUEUE, AuditQueue, QueuedAudit
from secure_openai.store.chain import GENESIS, record_hash, record_of
from secure_openai.store.sqlite.audit_search import bring_up_to_date, search
from secure_openai.store.sqlite.connection import insert
from secure_openai.store.sqlite.database import Database
from secure_openai.types import Page, PrincipalId

BATCH = 1_000
PAGE = 500
LEAST = -(2**63)
"""Below every number that someone could have given a record."""


class SqliteAuditStore(QueuedAudit):
    """Implements `AuditStore`."""

    def __init__(self, database: Database, *, queue: int = QUEUE) -> None:
        self._database = database
        self._queue = AuditQueue(self._write, size=queue, batch=BATCH)

    @classmethod
    async def open(cls, database: Database, *, queue: int = QUEUE) -> SqliteAuditStore:
        """Begin to write."""
        return cls(database, queue=queue)

    async def _write(self, documents: Sequence[str]) -> int:
        await self._database.write(partial(_append, documents))
        return len(documents)

    async def heads(self, *, since: datetime | None = None) -> list[ChainHead]:  # noqa: ARG002 - the interface's
        """Return the chain's head, if it has one; this chain never ends, whatever `since`."""
        head = await self._database.read(head_of)
        return [head] if head.sequence else []

    async def records(self, chain: str, *, after: int = 0, limit: int = 500) -> Page[AuditRecord]:
        """Return records of a chain in order of sequence, those after `after`."""
        rows = await self._database.read(partial(rows_of, chain, after=after, limit=limit + 1))
        items = [record_of(*row) for row in rows[:limit]]
        return Page(items, str(items[-1].sequence) if len(rows) > limit else None)

    async def chains(self) -> AsyncIterator[str]:
        """Yield the identifier of the chain."""
        for chain in await self._database.read(chains_of):
            yield chain

    async def stored(self, chain: str) -> AsyncIterator[StoredRecord]:
        """Yield the records of a chain in the order of their sequence."""
        after = LEAST
        while True:
            rows = await self._database.read(partial(rows_of, chain, after=after, limit=PAGE))
            for row in rows:
                yield StoredRecord(*row)
            if len(rows) < PAGE:
                return
            after = rows[-1][0]

    async def of(self, principal: PrincipalId) -> AsyncIterator[AuditRecord]:
        """Yield the records of what a principal did, by their sequence."""
        after = LEAST
        while True:
            rows = await self._database.read(partial(_rows_by, principal, after=after))
            for row in rows:
                yield record_of(*row)
            if len(rows) < PAGE:
                return
            after = rows[-1][0]

    async def search(
        self, question: AuditQuestion, *, limit: int = 100, continuation: str | None = None
    ) -> AuditAnswer:
        """Return records that answer a question, the latest first."""
        while await self._database.write(bring_up_to_date):
            pass
        return await self._database.read(
            lambda connection: search(connection, question, limit, continuation)
        )

    async def note_seal(self, note: SealNote) -> None:
        """Note that a seal was made."""
        await self._database.write(partial(_note, note))

    async def noted_seal(self) -> SealNote | None:
        """Return the note with the highest number."""
        return await self._database.read(noted_seal_of)


Row = tuple[int, str, str, str]


def chains_of(connection: sqlite3.Connection) -> list[str]:
    """Return the identifiers of the chains: there is one."""
    return [chain for (chain,) in connection.execute("SELECT id FROM audit_chain ORDER BY id")]


def rows_of(
    chain: str, connection: sqlite3.Connection, *, after: int = LEAST, limit: int
) -> list[Row]:
    """Return the rows of a chain's records, those after `after`."""
    return connection.execute(
        "SELECT sequence, document, previous, hash FROM audit"
        " WHERE sequence > ? AND EXISTS (SELECT 1 FROM audit_chain WHERE id = ?)"
        " ORDER BY sequence LIMIT ?",
        (after, chain, limit),
    ).fetchall()


def _rows_by(principal: PrincipalId, connection: sqlite3.Connection, *, after: int) -> list[Row]:
    return connection.execute(
        "SELECT sequence, document, previous, hash FROM audit"
        " WHERE sequence > ? AND document ->> '$.principal' = ? ORDER BY sequence LIMIT ?",
        (after, principal.key, PAGE),
    ).fetchall()


def noted_seal_of(connection: sqlite3.Connection) -> SealNote | None:
    """Return the note with the highest number; a file of an earlier version has none."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_seal'").fetchone():
        return None
    row = connection.execute(
        "SELECT number, digest FROM audit_seal ORDER BY number DESC LIMIT 1"
    ).fetchone()
    return SealNote(*row) if row else None


def head_of(connection: sqlite3.Connection) -> ChainHead:
    """Return the last written record's place; sequence 0 in an empty chain."""
    (chain,) = connection.execute("SELECT id FROM audit_chain").fetchone()
    row = connection.execute(
        "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1"
    ).fetchone()
    return ChainHead(chain, *(row or (0, GENESIS)))


def _append(documents: Sequence[str], connection: sqlite3.Connection) -> None:
    # The head is read in the same transaction: another process may have appended meanwhile.
    head = head_of(connection)
    rows, previous = [], head.hash
    for sequence, document in enumerate(documents, head.sequence + 1):
        digest = record_hash(sequence, document, previous)
        rows.append((sequence, document, previous, digest))
        previous = digest
    insert(connection, "audit (sequence, document, previous, hash)", rows)


def _note(note: SealNote, connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO audit_seal (number, digest) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (note.number, note.digest),
    )
