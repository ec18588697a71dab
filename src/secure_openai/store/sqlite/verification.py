"""Verify the audit of a database file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from secure_openai.store.seals import Seal
from secure_openai.store.sqlite.audit import head_of
from secure_openai.store.sqlite.connection import connect, translated
from secure_openai.store.verification import Report, StoredRecord, verify


def verify_database(path: Path, seals: Iterable[Seal]) -> Report:
    """Verify the audit of a database file, without loading it whole.

    Raises:
        StoreError: The file cannot be read.
    """
    connection = connect(path)
    try:
        connection.execute("PRAGMA query_only = ON")
        rows = connection.execute(
            "SELECT sequence, document, previous, hash FROM audit ORDER BY sequence"
        )
        return verify(head_of(connection).chain, (StoredRecord(*row) for row in rows), seals)
    except sqlite3.Error as error:
        raise translated(error) from error
    finally:
        connection.close()
