"""A process that writes to a database until it is done or killed: `python writer.py PATH COUNT`.

It prints the number of each write that was acknowledged.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

from secure_openai.store.audit import AuditEvent
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.types import PrincipalId

OWNER = PrincipalId("tenant", "anna")


def count_up(connection: sqlite3.Connection) -> None:
    """Read a number and write it back one higher: an update that can be lost."""
    connection.execute("CREATE TABLE IF NOT EXISTS counter (value INTEGER)")
    row = connection.execute("SELECT value FROM counter").fetchone() or (0,)
    connection.execute("DELETE FROM counter")
    connection.execute("INSERT INTO counter VALUES (?)", (row[0] + 1,))


async def main(path: Path, count: int) -> None:
    """Write `count` conversations, events and steps of a counter."""
    database = await Database.open(path)
    audit = await SqliteAuditStore.open(database)
    conversations = SqliteConversationStore(database)
    for number in range(count):
        await conversations.create(OWNER, title=str(number))
        await database.write(count_up)
        audit.append(
            AuditEvent("completion.admitted", datetime.now(UTC), OWNER, "allowed", "admitted")
        )
        if number % 10 == 0:
            await audit.flush()
        print(number, flush=True)  # noqa: T201 - the parent reads it
    await audit.aclose()
    await database.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
