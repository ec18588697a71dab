"""Connections to a database file, and SQLite's errors in our tree."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secure_openai.errors import StorageFull, StoreError

BUSY_MILLISECONDS = 10_000

ROWS = 16
"""How many are inserted with one statement."""


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection with our settings.

    Raises:
        StoreError: The file cannot be opened or is no database.
    """
    try:
        # mode=rw: opening must not make a file, which would not be private.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            isolation_level=None,
            check_same_thread=False,
            uri=True,
        )
    except sqlite3.Error as error:
        raise translated(error) from error
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        _enter_wal(connection)
        # FULL: what a person typed survives a power cut, not only the death of the process.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # What is deleted is overwritten: an erasure leaves nothing in the file's free pages.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error as error:
        connection.close()
        raise translated(error) from error
    return connection


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Make the file one with a write-ahead log, which it then stays.

    Two that do so at once would wait for each other, so SQLite tells one of them at once that the
    file is busy, whatever its timeout (SQLite, "sqlite3_busy_handler"): it has to try again.
    """
    until = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if result_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.005)
        else:
            return


def insert(
    connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]], otherwise: str = ""
) -> None:
    """Insert rows of one length, many with one statement.

    With each statement that is run this thread gives way to the loop's, and waits until that gives
    way: on a busy machine, where it does not by itself, for longer than the statement takes.

    Args:
        connection: In a transaction that writes.
        into: A table, and its columns where they are not all.
        rows: What to insert.
        otherwise: What to do with a row that is there already.
    """
    # At most `ROWS` at once: a connection keeps a statement prepared for each number that it met.
    for begin in range(0, len(rows), ROWS):
        some = rows[begin : begin + ROWS]
        values = ", ".join([f"({', '.join('?' * len(some[0]))})"] * len(some))
        connection.execute(
            f"INSERT INTO {into} VALUES {values}{otherwise}", [*itertools.chain(*some)]
        )


def translated(error: Exception) -> StoreError:
    """Return SQLite's error in our tree; SQLite's own text stays in the cause."""
    return StorageFull() if result_code(error) == sqlite3.SQLITE_FULL else StoreError()


def result_code(error: BaseException | None) -> int:
    """Return SQLite's primary result code of an error, 0 where it has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
