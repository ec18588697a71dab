"""Several processes on one database, and one that dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.verification import verify_database
from secure_openai.testing.audit_contract import no_seals
from tests.store import writer

pytestmark = pytest.mark.process


def start(path: Path, count: int) -> subprocess.Popen[str]:
    """Start a process that writes to the database."""
    return subprocess.Popen(
        [sys.executable, writer.__file__, str(path), str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def titles(path: Path) -> list[str]:
    """Return the titles of everything that was written."""
    database = await Database.open(path)
    try:
        page = await SqliteConversationStore(database).list(writer.OWNER, limit=10_000)
        return [conversation.title for conversation in page.items]
    finally:
        await database.aclose()


async def test_killed_in_the_middle(path: Path) -> None:
    """What was acknowledged before kill -9 is there, whole, and the chain verifies."""
    with start(path, 1_000_000) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(40)]
        process.kill()
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]

    written = {int(title) for title in await titles(path)}
    assert set(acknowledged) <= written
    assert written <= set(range(len(acknowledged) + 1))
    report = await verify_database(path, no_seals())
    assert report.found == ()
    assert report.records >= 31


async def test_two_processes(path: Path) -> None:
    """Two processes that open and write one file at once lose no update and break no chain."""
    count = 60
    with start(path, count) as first, start(path, count) as second:
        outputs = [process.communicate(timeout=60) for process in (first, second)]

    assert [
        (process.returncode, output[1])
        for process, output in zip((first, second), outputs, strict=True)
    ] == [(0, ""), (0, "")]
    assert sorted(await titles(path)) == sorted(2 * [str(number) for number in range(count)])
    report = await verify_database(path, no_seals())
    assert (report.records, report.found) == (2 * count, ())
    database = await Database.open(path)
    counted = await database.read(
        lambda connection: connection.execute("SELECT value FROM counter").fetchone()
    )
    await database.aclose()
    assert counted == (2 * count,)
