"""The audit in SQLite: queued, written in order within 100 ms, never skipped."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from functools import partial
from itertools import islice

from secure_openai.errors import AuditUnavailable
from secure_openai.store.audit import AuditEvent, AuditRecord, ChainHead
from secure_openai.store.chain import (
    GENESIS,
    canonical,
    event_document,
    record_hash,
    record_of,
)
from secure_openai.store.sqlite.database import Database
from secure_openai.types import Page

logger = logging.getLogger(__name__)

QUEUE = 10_000
BATCH = 1_000
DELAY_SECONDS = 0.02
"""How long an event may wait for company before it is written."""

RETRY_SECONDS = 0.5


class SqliteAuditStore:
    """Implements `AuditStore`."""

    def __init__(self, database: Database, *, queue: int = QUEUE) -> None:
        self._database = database
        self._size = queue
        self._queue: deque[str] = deque()
        self._failed = False
        self._closing = False
        self._queued = asyncio.Event()
        self._written = asyncio.Condition()
        self._flushing = asyncio.Event()
        self._task = asyncio.ensure_future(self._run())

    @classmethod
    async def open(cls, database: Database, *, queue: int = QUEUE) -> SqliteAuditStore:
        """Begin to write."""
        return cls(database, queue=queue)

    @property
    def queued(self) -> int:
        """Return how many events wait to be written."""
        return len(self._queue)

    def ensure_writable(self) -> None:
        """Return if a record could be queued now."""
        if self._failed or self._closing or self._task.done():
            raise AuditUnavailable("The last audit record could not be written. Try again later.")
        if len(self._queue) >= self._size:
            raise AuditUnavailable("Too many audit records wait to be written. Try again later.")

    def append(self, event: AuditEvent) -> None:
        """Queue an event."""
        self.ensure_writable()
        try:
            document = canonical(event_document(event))
        except (TypeError, ValueError):
            raise AuditUnavailable("This cannot be recorded, so it cannot be done.") from None
        self._queue.append(document)
        self._queued.set()

    async def flush(self) -> None:
        """Return when everything queued is written."""
        self._flushing.set()
        self._queued.set()
        async with self._written:
            await self._written.wait_for(lambda: not self._queue or self._failed)
        if self._failed:
            raise AuditUnavailable("The last audit record could not be written.")

    async def aclose(self) -> None:
        """Write what is queued, then stop.

        Raises:
            AuditUnavailable: Some could not be written.
        """
        if self._closing:
            return
        self._closing = True
        self._flushing.set()
        self._queued.set()
        # Shielded: whoever stops waiting does not stop the writing.
        await asyncio.shield(self._task)
        if self._queue:
            raise AuditUnavailable(f"{len(self._queue)} audit records could not be written.")

    async def _run(self) -> None:
        while True:
            await self._queued.wait()
            if not self._closing and not self._flushing.is_set():
                await asyncio.sleep(DELAY_SECONDS)
            self._queued.clear()
            self._flushing.clear()
            await self._write_all()
            if self._closing and (self._failed or not self._queue):
                return

    async def _write_all(self) -> None:
        while self._queue:
            batch = list(islice(self._queue, BATCH))
            try:
                await self._database.write(partial(_append, batch))
            except Exception:
                # Whatever it was, the audit stands still until it is over. The batch stays at the
                # head of the queue: its order is the order of the calls.
                if not self._failed:
                    logger.exception("the audit cannot be written")
                self._failed = True
                await self._tell()
                if self._closing:
                    return
                await asyncio.sleep(RETRY_SECONDS)
                continue
            for _ in batch:
                self._queue.popleft()
            self._failed = False
        await self._tell()

    async def _tell(self) -> None:
        async with self._written:
            self._written.notify_all()

    async def head(self) -> ChainHead:
        """Return the last written record's place."""
        return await self._database.read(head_of)

    async def records(self, *, after: int = 0, limit: int = 500) -> Page[AuditRecord]:
        """Return records in order of sequence, those after `after`."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT sequence, document, previous, hash FROM audit WHERE sequence > ?"
                " ORDER BY sequence LIMIT ?",
                (after, limit + 1),
            ).fetchall()
        )
        items = [record_of(*row) for row in rows[:limit]]
        return Page(items, str(items[-1].sequence) if len(rows) > limit else None)


def head_of(connection: sqlite3.Connection) -> ChainHead:
    """Return the last written record's place."""
    (chain,) = connection.execute("SELECT id FROM audit_chain").fetchone()
    row = connection.execute(
        "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1"
    ).fetchone()
    return ChainHead(chain, *(row or (0, GENESIS)))


def _append(batch: list[str], connection: sqlite3.Connection) -> None:
    # The head is read in the same transaction: another process may have appended meanwhile.
    head = head_of(connection)
    sequence, previous = head.sequence, head.hash
    for document in batch:
        sequence += 1
        digest = record_hash(sequence, document, previous)
        connection.execute(
            "INSERT INTO audit (sequence, document, previous, hash) VALUES (?, ?, ?, ?)",
            (sequence, document, previous, digest),
        )
        previous = digest
