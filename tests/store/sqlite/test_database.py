"""The database file: opening, writing together, failing, backing up."""

# ruff: noqa: ASYNC240 - small files beside an otherwise idle loop

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from secure_openai.errors import StartError, StorageFull, StoreError
from secure_openai.jobs.seal import seal
from secure_openai.store.seals import Seals
from secure_openai.store.sqlite import connection as sqlite_connection
from secure_openai.store.sqlite import database as sqlite_database
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.schema import MIGRATIONS, migrate
from secure_openai.store.sqlite.verification import verify_database
from secure_openai.testing.audit_contract import event, no_seals
from secure_openai.testing.conversations_contract import ANNA
from secure_openai.testing.seals_contract import new_signer


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def foreign(path: Path) -> None:
    """Write a database of another program."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("This is a letter and not a database. " * 200),
        lambda path: path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 8000),
        foreign,
    ],
    ids=["text", "corrupt", "foreign"],
)
async def test_not_our_database(path: Path, make: object) -> None:
    """A file that is no database of ours is refused in one sentence and left as it was."""
    assert callable(make)
    path.parent.mkdir()
    make(path)
    before = path.read_bytes()

    with pytest.raises(StartError, match="is not a database of this program") as raised:
        await Database.open(path)
    assert (len(raised.value.problems), str(path) in str(raised.value)) == (1, True)
    assert b"theirs" not in before or b"audit" not in path.read_bytes()


def put(connection: sqlite3.Connection) -> str:
    """Write something that is there to be read."""
    connection.execute("INSERT INTO usage_window VALUES ('tenant/anna', 'gpt', '2030', 1, 2)")
    return "done"


def rows_of(connection: sqlite3.Connection) -> int:
    """Count what is there."""
    (rows,) = connection.execute("SELECT count(*) FROM usage_window").fetchone()
    return int(rows)


async def test_read_at_once(database: Database, path: Path) -> None:
    """What is written by then is found on the caller's thread, also while another one writes."""
    assert database.read_at_once(rows_of) == 0
    await database.write(put)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM usage_window")
        assert database.read_at_once(rows_of) == 1
        other.execute("COMMIT")
    assert database.read_at_once(rows_of) == 0


async def test_nothing_is_written_at_once(database: Database) -> None:
    """What reads at once cannot write, and what fails or comes too late is an error of ours."""
    with pytest.raises(StoreError):
        database.read_at_once(put)
    assert database.read_at_once(rows_of) == 0
    await database.aclose()
    with pytest.raises(StoreError):
        database.read_at_once(rows_of)


async def test_folder_is_a_file(tmp_path: Path) -> None:
    """A data folder that is a file is refused, with its name and what to do."""
    folder = tmp_path / "data"
    folder.write_text("x")

    with pytest.raises(StartError, match="name another one with --data") as raised:
        await Database.open(folder / "test.db")
    assert str(folder) in str(raised.value)


async def test_file_is_a_folder(path: Path) -> None:
    """A database file that is a folder is refused."""
    path.mkdir(parents=True)

    with pytest.raises(StartError, match="cannot be written: Is a directory"):
        await Database.open(path)


async def test_unwritable_folder() -> None:
    """A folder that not even its owner can write is refused."""
    with pytest.raises(StartError, match="The data folder /proc/self cannot be used"):
        await Database.open(Path("/proc/self/test.db"))


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "empty"])
async def test_held_by_another(path: Path, monkeypatch: pytest.MonkeyPatch, ours: bool) -> None:
    """A file that another program holds locked is refused as held, not as foreign."""
    monkeypatch.setattr(sqlite_connection, "BUSY_MILLISECONDS", 1)
    path.parent.mkdir()
    if ours:
        await (await Database.open(path)).aclose()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StartError, match="another program holds it"):
        await Database.open(path)
    holder.close()


async def test_held_for_a_moment(path: Path) -> None:
    """A file that another program lets go in time is waited for."""
    path.parent.mkdir()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    opening = asyncio.ensure_future(Database.open(path))
    await asyncio.sleep(0.1)
    assert not opening.done()
    holder.execute("ROLLBACK")
    holder.close()

    database = await opening
    assert await marks(database) == []
    await database.aclose()


async def test_modes(path: Path, database: Database) -> None:
    """Folder, database, log and shared memory are for their owner only."""
    await SqliteConversationStore(database).create(ANNA, title="x")

    assert mode(path.parent) == 0o700
    assert {file.suffix: mode(file) for file in path.parent.iterdir()} == {
        ".db": 0o600,
        ".db-wal": 0o600,
        ".db-shm": 0o600,
    }


async def test_open_folder_is_closed(path: Path) -> None:
    """A folder and a file that were open to others are not any more."""
    path.parent.mkdir(mode=0o755)
    path.touch(mode=0o644)
    await (await Database.open(path)).aclose()

    assert (mode(path.parent), mode(path)) == (0o700, 0o600)


async def test_settings(database: Database) -> None:
    """The file is in WAL, waits for the disk, and checks its references."""
    for name, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
        statement = f"PRAGMA {name}"
        found = await database.write(partial(first, statement))
        assert found == value


async def test_waiting_for_the_disk(database: Database) -> None:
    """A group of writes waits for the disk as soon as one of them asks for it, and only then."""
    synchronous = partial(first, "PRAGMA synchronous")
    began, go_on = threading.Event(), threading.Event()

    def hold(connection: sqlite3.Connection) -> None:
        began.set()
        go_on.wait(60)

    found = [await database.write(synchronous, waits=waits) for waits in (False, True, False)]
    assert found == [1, 2, 1]

    holding = asyncio.ensure_future(database.write(hold, waits=False))
    await asyncio.to_thread(began.wait, 60)
    mixed = [asyncio.ensure_future(database.write(synchronous, waits=w)) for w in (False, True)]
    await asyncio.sleep(0)
    go_on.set()

    assert [await one for one in mixed] == [2, 2]
    await holding


def first(statement: str, connection: sqlite3.Connection) -> object:
    """Return the first value of a statement's first row."""
    return connection.execute(statement).fetchone()[0]


async def test_reading_cannot_write(database: Database) -> None:
    """A reading connection refuses to write."""
    with pytest.raises(StoreError):
        await database.read(lambda connection: connection.execute("DELETE FROM conversation"))


def insert(text: str) -> sqlite_database.Work[None]:
    """Return a write that leaves a mark."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO pending_sign_in VALUES (?, 0, '')", (text,))

    return work


async def marks(database: Database) -> list[str]:
    """Return the marks that were left."""
    rows = await database.read(
        lambda connection: connection.execute(
            "SELECT state_hash FROM pending_sign_in ORDER BY 1"
        ).fetchall()
    )
    return [row[0] for row in rows]


async def test_one_failure_in_a_group(database: Database) -> None:
    """Of writes that share a commit, one that fails takes nothing of the others with it."""

    def fails(connection: sqlite3.Connection) -> None:
        insert("half")(connection)
        raise LookupError

    results = await asyncio.gather(
        *(database.write(insert(f"{n:02}")) for n in range(10)),
        database.write(fails),
        database.write(insert("00")),
        database.write(insert("last")),
        return_exceptions=True,
    )

    assert results[:10] == [None] * 10
    assert [type(result) for result in results[10:]] == [LookupError, StoreError, type(None)]
    assert await marks(database) == [f"{n:02}" for n in range(10)] + ["last"]


async def test_failed_commit(database: Database) -> None:
    """When the commit itself fails, only the one that made it fail is told so."""

    def orphan(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("INSERT INTO message VALUES ('nobody', 'none', 1, 'id', '', '{}')")

    results = await asyncio.gather(
        *(database.write(work) for work in (insert("a"), orphan, insert("b"), insert("a"))),
        return_exceptions=True,
    )

    assert [type(result) for result in results] == [type(None), StoreError, type(None), StoreError]
    assert await marks(database) == ["a", "b"]


async def test_large_and_small_on_a_full_disk(database: Database) -> None:
    """Of writes that share a commit on a full disk, those that fit are stored."""
    await database.write(
        lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone()
    )
    results = await asyncio.gather(
        *(database.write(insert(text)) for text in ("a", "x" * 1_000_000, "b")),
        return_exceptions=True,
    )

    assert [type(result) for result in results] == [type(None), StorageFull, type(None)]
    assert await marks(database) == ["a", "b"]


async def test_writer_outlives_its_work(database: Database) -> None:
    """Work that wants to end the thread ends only itself."""

    def leave(connection: sqlite3.Connection) -> None:
        insert("half")(connection)
        raise SystemExit

    with pytest.raises(SystemExit):
        await database.write(leave)
    await database.write(insert("next"))
    assert await marks(database) == ["next"]


async def test_full_disk_at_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be made for want of room is refused with what to do."""

    def full(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 1")
        migrate(connection)

    monkeypatch.setattr(sqlite_database, "migrate", full)
    with pytest.raises(StartError, match="the disk is full"):
        await Database.open(path)


async def test_full_disk(database: Database) -> None:
    """A write for which there is no room says so, stores nothing, and the next small one works."""
    await database.write(
        lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone()
    )
    with pytest.raises(StorageFull):
        await database.write(insert("x" * 1_000_000))
    assert await marks(database) == []
    await database.write(insert("small"))
    assert await marks(database) == ["small"]


async def test_cancelled_write(database: Database) -> None:
    """A write whose caller gives up happens wholly or not at all, and harms no other."""

    def two(connection: sqlite3.Connection) -> None:
        insert("one")(connection)
        insert("two")(connection)

    task = asyncio.ensure_future(database.write(two))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.write(insert("zzz"))

    assert await marks(database) in (["zzz"], ["one", "two", "zzz"])


async def test_close_drains(path: Path) -> None:
    """What was queued when the database closes is written; nothing is accepted afterwards."""
    database = await Database.open(path)
    tasks = [asyncio.ensure_future(database.write(insert(f"{n:03}"))) for n in range(300)]
    await asyncio.sleep(0)
    await database.aclose()
    await database.aclose()
    await asyncio.gather(*tasks)

    for call in (database.read(marks_of), database.write(insert("late"))):
        with pytest.raises(StoreError, match="closed"):
            await call
    again = await Database.open(path)
    assert len(await marks(again)) == 300
    await again.aclose()


def marks_of(connection: sqlite3.Connection) -> int:
    """Return nothing of interest."""
    return 0


async def test_backup(path: Path, database: Database) -> None:
    """A backup made in use is private, opens, and holds what was there."""
    conversation = await SqliteConversationStore(database).create(ANNA, title="x")
    target = path.parent / "copy" / "backup.db"
    target.parent.mkdir()
    await database.backup(target)

    assert mode(target) == 0o600
    restored = await Database.open(target)
    assert await SqliteConversationStore(restored).get(ANNA, conversation.id) == conversation
    await restored.aclose()
    assert (await verify_database(target, no_seals())).found == ()


async def test_backup_overwrites_nothing(path: Path, database: Database) -> None:
    """A backup onto a file that exists is refused and leaves it alone."""
    target = path.parent / "backup.db"
    target.write_text("precious")

    with pytest.raises(StoreError, match="File exists"):
        await database.backup(target)
    assert target.read_text() == "precious"


async def test_failed_backup_leaves_nothing(path: Path, database: Database) -> None:
    """A backup that fails on the way leaves no half of a file."""
    target = path.parent / "backup.db"
    await SqliteConversationStore(database).create(ANNA, title="x" * 200_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As on a full disk, files cannot grow beyond this.
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    try:
        with pytest.raises(StoreError):
            await database.backup(target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not target.exists()


async def test_later_version_opens(path: Path) -> None:
    """A file of a later version opens, works, and stays of that version."""
    database = await Database.open(path)
    await database.write(
        lambda connection: (
            connection.execute(
                "ALTER TABLE conversation ADD COLUMN later TEXT DEFAULT 'x'"
            ).rowcount
        )
    )
    await database.aclose()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 900")
    connection.close()

    again = await Database.open(path)
    conversation = await SqliteConversationStore(again).create(ANNA, title="x")
    version = await again.read(
        lambda connection: connection.execute("PRAGMA user_version").fetchone()[0]
    )
    assert (await SqliteConversationStore(again).get(ANNA, conversation.id), version) == (
        conversation,
        900,
    )
    await again.aclose()


async def test_a_file_from_before_seal_notes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose audit notes no seals verifies as it is, opens, and goes on with its chain."""
    with monkeypatch.context() as patched:
        patched.setattr("secure_openai.store.sqlite.schema.MIGRATIONS", MIGRATIONS[:2])
        database = await Database.open(path)
        audit = await SqliteAuditStore.open(database)
        audit.append(event(1))
        await audit.aclose()
        [before] = await audit.heads()
        await database.aclose()
    report = await verify_database(path, no_seals())
    assert (report.records, report.found) == (1, ())

    database = await Database.open(path)
    audit = await SqliteAuditStore.open(database)
    audit.append(event(2))
    await seal(audit, Seals.in_folder(tmp_path / "seals"), new_signer())
    [after] = await audit.heads()
    await audit.aclose()
    await database.aclose()
    report = await verify_database(path, Seals.in_folder(tmp_path / "seals").all())
    assert (before.chain, before.sequence + 1) == (after.chain, after.sequence)
    assert (report.records, report.sealed, report.found) == (2, 2, ())


async def test_verify_makes_no_file(tmp_path: Path) -> None:
    """Verifying a database that is not there is an error and makes none."""
    with pytest.raises(StoreError):
        await verify_database(tmp_path / "none.db", no_seals())
    assert list(tmp_path.iterdir()) == []


async def test_verify_says_what_is_no_audit(path: Path) -> None:
    """Verifying a database without an audit is an error in our tree."""
    path.parent.mkdir()
    foreign(path)

    with pytest.raises(StoreError):
        await verify_database(path, no_seals())


@pytest.mark.process
def test_process_ends_without_close(path: Path) -> None:
    """A process that never closes the database ends all the same."""
    code = (
        "import asyncio, sys, pathlib\n"
        "from secure_openai.store.sqlite.database import Database\n"
        "asyncio.run(Database.open(pathlib.Path(sys.argv[1])))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], timeout=30, check=False)

    assert done.returncode == 0


async def test_held_while_many_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While someone else holds the file, all who wait together are told after one wait."""
    monkeypatch.setattr(sqlite_connection, "BUSY_MILLISECONDS", 100)
    database = await Database.open(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(
        *(database.write(insert(f"{n}")) for n in range(200)), return_exceptions=True
    )
    holder.execute("ROLLBACK")
    holder.close()

    assert {type(result) for result in results} == {StoreError}
    assert await marks(database) == []
    await database.aclose()
