"""The audit in SQLite: queue, failure, recovery."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator

import pytest

from secure_openai.errors import AuditUnavailable, StoreError
from secure_openai.store import audit_queue
from secure_openai.store.sqlite import audit as sqlite_audit
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.verification import verify_database
from secure_openai.store.verification import verify
from secure_openai.testing.audit_contract import (
    AuditStoreContract,
    all_records,
    event,
    length,
    no_seals,
)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[SqliteAuditStore]:
    """Return the store under test."""
    store = await SqliteAuditStore.open(database)
    yield store
    await store.aclose()


@pytest.fixture
async def full(database: Database) -> AsyncIterator[SqliteAuditStore]:
    """Return a store whose queue holds three events."""
    store = await SqliteAuditStore.open(database, queue=3)
    yield store
    await store.aclose()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once instead of half a second later."""
    monkeypatch.setattr(audit_queue, "RETRY_SECONDS", 0.01)


@pytest.fixture
def intruder(database: Database) -> Iterator[sqlite3.Connection]:
    """Return a connection that is not ours."""
    connection = sqlite3.connect(database.path, isolation_level=None)
    yield connection
    connection.close()


class TestSqliteAuditStore(AuditStoreContract):
    """The contract, on SQLite."""


async def set_pages(database: Database, pages: int) -> None:
    """Let the file grow to so many pages and no further, as a full disk would."""
    await database.write(
        lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    )


async def written(store: SqliteAuditStore, sequence: int) -> None:
    """Return when a record of that number is written."""
    while await length(store) < sequence:
        await asyncio.sleep(0.01)


@pytest.mark.usefixtures("quick")
async def test_full_disk_and_recovery(
    store: SqliteAuditStore, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """While the disk is full everything is refused; afterwards nothing is lost or out of order."""
    await set_pages(database, 1)
    large = {"padding": "x" * 5000}
    for number in range(20):
        store.append(event(number, facts=large))
    with pytest.raises(AuditUnavailable):
        await store.flush()
    with pytest.raises(AuditUnavailable):
        store.ensure_writable()
    with pytest.raises(AuditUnavailable):
        store.append(event(99))
    await asyncio.sleep(0.05)
    assert await length(store) == 0
    assert [record.message for record in caplog.records] == ["the audit cannot be written"]

    await set_pages(database, 1_000_000)
    await written(store, 20)
    await store.flush()
    store.append(event(20))
    await store.flush()

    records = await all_records(store)
    assert [record.event.request_id for record in records] == [str(n) for n in range(21)]
    assert (await verify_database(database.path, no_seals())).found == ()


@pytest.mark.usefixtures("quick")
async def test_close_says_what_is_lost(database: Database) -> None:
    """Closing while nothing can be written says so, and asks again once."""
    store = await SqliteAuditStore.open(database)
    await set_pages(database, 1)
    for number in range(3):
        store.append(event(number, facts={"padding": "x" * 5000}))

    with pytest.raises(AuditUnavailable, match="3 audit records"):
        await store.aclose()
    await store.aclose()
    with pytest.raises(AuditUnavailable):
        store.append(event(9))


async def test_close_writes_the_queue(database: Database) -> None:
    """Everything queued is written before the store closes."""
    store = await SqliteAuditStore.open(database)
    for number in range(2_500):
        store.append(event(number))
    await store.aclose()

    assert await length(store) == 2_500
    with pytest.raises(AuditUnavailable):
        store.ensure_writable()


async def test_cancelled_close_still_writes(database: Database) -> None:
    """Whoever stops waiting for the close does not stop the writing."""
    store = await SqliteAuditStore.open(database)
    store.append(event(1))
    closing = asyncio.ensure_future(store.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await written(store, 1)

    assert [record.event for record in await all_records(store)] == [event(1)]


@pytest.mark.parametrize("statement", ["UPDATE audit SET hash = ''", "DELETE FROM audit"])
async def test_append_only(store: SqliteAuditStore, database: Database, statement: str) -> None:
    """A statement of ours that would change or remove a record is refused by the database."""
    store.append(event(1))
    await store.flush()

    with pytest.raises(StoreError):
        await database.write(lambda connection: connection.execute(statement).rowcount)
    assert [record.event for record in await all_records(store)] == [event(1)]


@pytest.mark.usefixtures("quick")
async def test_foreign_lock(
    store: SqliteAuditStore, database: Database, intruder: sqlite3.Connection
) -> None:
    """While someone else holds the file nothing is recorded; when they let go, all of it is."""
    await database.write(
        lambda connection: connection.execute("PRAGMA busy_timeout = 1").fetchone()
    )
    intruder.execute("BEGIN IMMEDIATE")
    store.append(event(1))
    with pytest.raises(AuditUnavailable):
        await store.flush()
    intruder.execute("ROLLBACK")
    await written(store, 1)

    assert [record.event for record in await all_records(store)] == [event(1)]


async def test_more_than_a_page(store: SqliteAuditStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verification reads a chain of many pages whole."""
    monkeypatch.setattr(sqlite_audit, "PAGE", 3)
    for number in range(10):
        store.append(event(number))
    await store.flush()

    report = await verify(store, no_seals())
    assert (report.records, report.found) == (10, ())
