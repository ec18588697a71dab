"""A process that folds slices until it is killed: `python folder.py PATH SLICES`.

It folds as many, and stops in the middle of one more, which it says on standard output.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

from secure_openai.store.sqlite.connection import connect
from secure_openai.store.sqlite.journal import fold

MOST = 7


def main(path: Path, slices: int) -> None:
    """Fold, and stop."""
    connection = connect(path)
    for _ in range(slices):
        folded(connection)
        connection.execute("COMMIT")
    folded(connection)
    print("folding", flush=True)  # noqa: T201 - the parent reads it
    time.sleep(60)


def folded(connection: sqlite3.Connection) -> None:
    """Fold a slice, and do not commit it."""
    connection.execute("BEGIN IMMEDIATE")
    assert fold(connection, most=MOST)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
