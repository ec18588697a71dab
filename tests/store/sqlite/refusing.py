"""Tables that refuse what is written."""

from __future__ import annotations

import sqlite3

REFUSE = "CREATE TRIGGER refused BEFORE INSERT ON {} BEGIN SELECT RAISE(ABORT, 'refused'); END"
"""Lets a table do so, until `ADMIT`."""

ADMIT = "DROP TRIGGER refused"


def executed(statement: str, connection: sqlite3.Connection) -> None:
    """Execute a statement."""
    connection.execute(statement)
