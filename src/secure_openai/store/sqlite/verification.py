"""Verify the audit of a database file."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path

from secure_openai.store.audit import SealNote, StoredRecord
from secure_openai.store.seals import Seal
from secure_openai.store.sqlite.audit import chains_of, noted_seal_of, rows_of
from secure_openai.store.sqlite.connection import connect, translated
from secure_openai.store.verification import Report, verify

PAGE = 10_000


async def verify_database(path: Path, seals: AsyncIterable[Seal]) -> Report:
    """Verify the audit of a database file, without changing it or loading it whole.

    Raises:
        StoreError: The file or a seal cannot be read.
    """
    connection = connect(path)
    try:
        connection.execute("PRAGMA query_only = ON")
        return await verify(DatabaseFile(connection), seals)
    except sqlite3.Error as error:
        raise translated(error) from error
    finally:
        connection.close()


def noted_seal_in(path: Path) -> SealNote | None:
    """Return the note with the highest number in a database file.

    Raises:
        StoreError: The file cannot be read.
    """
    connection = connect(path)
    try:
        return noted_seal_of(connection)
    except sqlite3.Error as error:
        raise translated(error) from error
    finally:
        connection.close()


class DatabaseFile:
    """Implements `AuditReader` over a connection, for a process that does nothing else."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def chains(self) -> AsyncIterator[str]:
        """Yield the identifier of the chain."""
        for chain in chains_of(self._connection):
            yield chain

    async def stored(self, chain: str) -> AsyncIterator[StoredRecord]:
        """Yield the records of a chain in the order of their sequence."""
        rows = rows_of(chain, self._connection, limit=PAGE)
        while rows:
            for row in rows:
                yield StoredRecord(*row)
            rows = rows_of(chain, self._connection, after=rows[-1][0], limit=PAGE)

    async def noted_seal(self) -> SealNote | None:
        """Return the note with the highest number."""
        return noted_seal_of(self._connection)
