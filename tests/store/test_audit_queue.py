"""The queue of the audit: what is accepted, tried again, and given up."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from secure_openai.errors import AuditUnavailable, StoreError
from secure_openai.store import audit_queue
from secure_openai.store.audit_queue import AuditQueue
from secure_openai.testing.audit_contract import event


class Store:
    """Writes into a list what it is given, or does what a test says."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.tries = 0
        self.most = 1_000
        self.fault: Exception | None = None
        self.stalled: asyncio.Event | None = None

    async def write(self, documents: Sequence[str]) -> int:
        """Write."""
        self.tries += 1
        if self.stalled is not None:
            await self.stalled.wait()
        if self.fault is not None:
            raise self.fault
        self.written += [json.loads(document)["request_id"] for document in documents[: self.most]]
        return len(documents[: self.most])


@pytest.fixture
def store() -> Store:
    """Return what is written to."""
    return Store()


@pytest.fixture
async def queue(store: Store) -> AsyncIterator[AuditQueue]:
    """Return the queue under test."""
    queue = AuditQueue(store.write, batch=10)
    yield queue
    store.fault = None
    await queue.aclose()


async def test_company(store: Store, queue: AuditQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes while others are written waits as they did; who flushes waits for neither."""
    monkeypatch.setattr(audit_queue, "DELAY_SECONDS", 60.0)
    store.stalled = asyncio.Event()
    queue.append(event(1))
    flushing = asyncio.ensure_future(queue.flush())
    while not store.tries:
        await asyncio.sleep(0.001)
    queue.append(event(2))
    store.stalled.set()
    await flushing

    assert (store.written, len(queue)) == (["1"], 1)

    await queue.flush()
    assert store.written == ["1", "2"]


async def test_a_queue_that_has_died_holds_nobody(store: Store) -> None:
    """Whoever waits for the end of writing is told that there is none."""
    queue = AuditQueue(store.write, batch=10)
    store.stalled = asyncio.Event()
    queue.append(event(1))
    flushing = asyncio.ensure_future(queue.flush())
    while not store.tries:
        await asyncio.sleep(0.001)
    queue._task.cancel()

    async with asyncio.timeout(60):
        with pytest.raises(AuditUnavailable, match="could not be written"):
            await flushing


async def test_slow_write(store: Store, queue: AuditQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one write takes too long nothing more is accepted; then all of it is written."""
    monkeypatch.setattr(audit_queue, "LATE_SECONDS", 0.0)
    store.stalled = asyncio.Event()
    queue.append(event(1))
    while not store.tries:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)
    with pytest.raises(AuditUnavailable, match="too slowly"):
        queue.append(event(2))

    store.stalled.set()
    await queue.flush()
    queue.append(event(3))
    await queue.flush()
    assert store.written == ["1", "3"]


async def test_a_slow_write_is_waited_for(
    store: Store, queue: AuditQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may wait has his event accepted after it; what has happened is accepted meanwhile."""
    monkeypatch.setattr(audit_queue, "LATE_SECONDS", 0.0)
    store.stalled = asyncio.Event()
    queue.append(event(1))
    while not queue.late:
        await asyncio.sleep(0.001)
    queue.append(event(2), happened=True)
    waiting = asyncio.ensure_future(queue.in_time())
    await asyncio.sleep(0.05)
    assert not waiting.done()

    store.stalled.set()
    await waiting
    await queue.flush()
    assert store.written == ["1", "2"]


async def test_nobody_waits_for_ever(
    store: Store, queue: AuditQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that does not end is told: nothing is accepted."""
    monkeypatch.setattr(audit_queue, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(audit_queue, "WAIT_SECONDS", 0.01)
    store.stalled = asyncio.Event()
    queue.append(event(1))
    while not queue.late:
        await asyncio.sleep(0.001)
    await queue.in_time()

    with pytest.raises(AuditUnavailable, match="too slowly"):
        queue.ensure_writable()
    store.stalled.set()


async def test_what_has_happened_outlasts_a_failure(
    store: Store, queue: AuditQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing can be written an end still is queued, and a beginning is not."""
    monkeypatch.setattr(audit_queue, "RETRY_SECONDS", 0.001)
    store.fault = StoreError("gone")
    queue.append(event(1))
    with pytest.raises(AuditUnavailable):
        await queue.flush()
    with pytest.raises(AuditUnavailable):
        queue.append(event(2))
    queue.append(event(3), happened=True)

    store.fault = None
    while len(store.written) < 2:
        await asyncio.sleep(0.001)
    assert store.written == ["1", "3"]


async def test_part_of_a_batch(store: Store, queue: AuditQueue) -> None:
    """What a write leaves of a batch is written next, in order."""
    store.most = 3
    for number in range(8):
        queue.append(event(number))
    await queue.flush()

    assert store.written == [str(number) for number in range(8)]
    assert store.tries == 3


async def test_waits_as_long_as_it_is_told(
    store: Store, queue: AuditQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that says when to come back is not asked before; a close does not wait for it."""
    monkeypatch.setattr(audit_queue, "RETRY_SECONDS", 0.001)
    store.fault = StoreError("busy", retry_after=1000)
    queue.append(event(1))
    with pytest.raises(AuditUnavailable):
        await queue.flush()
    await asyncio.sleep(0.05)
    assert store.tries == 1

    store.fault = None
    await queue.aclose()
    assert store.written == ["1"]


async def test_tries_again_by_itself(
    store: Store,
    queue: AuditQueue,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What failed is tried until it succeeds, and said once."""
    monkeypatch.setattr(audit_queue, "RETRY_SECONDS", 0.001)
    store.fault = StoreError("gone")
    with caplog.at_level(logging.ERROR):
        queue.append(event(1))
        while store.tries < 5:
            await asyncio.sleep(0.001)
    assert [record.message for record in caplog.records] == ["the audit cannot be written"]

    store.fault = None
    while not store.written:
        await asyncio.sleep(0.001)
    queue.ensure_writable()


async def test_patience_at_the_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that closes tries for as long as it may, and succeeds if the store comes back."""
    monkeypatch.setattr(audit_queue, "RETRY_SECONDS", 0.001)
    store.fault = StoreError("gone")
    queue = AuditQueue(store.write, batch=10, patience_seconds=30)
    queue.append(event(1))
    closing = asyncio.ensure_future(queue.aclose())
    while store.tries < 5:
        await asyncio.sleep(0.001)
    assert not closing.done()

    store.fault = None
    await closing
    assert store.written == ["1"]


async def test_patience_ends(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that may not try any longer says how much is lost."""
    monkeypatch.setattr(audit_queue, "RETRY_SECONDS", 0.001)
    store.fault = StoreError("gone")
    queue = AuditQueue(store.write, batch=10, patience_seconds=1)
    for number in range(3):
        queue.append(event(number))

    with pytest.raises(AuditUnavailable, match="3 audit records"):
        await queue.aclose()
    assert store.tries > 1


async def test_not_open_yet(store: Store) -> None:
    """Nothing is accepted before what must be done first is done."""
    prepared = asyncio.Event()

    async def prepare() -> None:
        await prepared.wait()

    queue = AuditQueue(store.write, batch=10, prepare=prepare)
    with pytest.raises(AuditUnavailable, match="not open yet"):
        queue.append(event(1))

    prepared.set()
    await queue.opened()
    queue.append(event(2))
    await queue.aclose()
    assert store.written == ["2"]
