"""The audit in Cosmos DB: the contract, its chains and partitions, and every fault."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from secure_openai.errors import AuditUnavailable, StoreError
from secure_openai.store import audit_queue
from secure_openai.store.audit import AuditRecord, ChainHead
from secure_openai.store.cosmos import audit as cosmos_audit
from secure_openai.store.cosmos import audit_items, audit_reader
from secure_openai.store.cosmos.audit import CosmosAuditStore
from secure_openai.store.cosmos.audit_reader import CHAINS
from secure_openai.store.cosmos.container import Container, Create
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.verification import verify
from secure_openai.testing.audit_contract import (
    AuditStoreContract,
    all_records,
    event,
    length,
    no_seals,
)
from secure_openai.types import PrincipalId
from tests.cosmosdb.bridge import Bridge, Call, Fault

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def container(cosmos: CosmosDatabase) -> Container:
    """Return the container of the audit."""
    return cosmos.container("audit")


@pytest.fixture
async def store(container: Container) -> AsyncIterator[CosmosAuditStore]:
    """Return the store under test."""
    store = await CosmosAuditStore.open(container)
    yield store
    await store.aclose()


@pytest.fixture
async def full(container: Container) -> AsyncIterator[CosmosAuditStore]:
    """Return a store whose queue holds three events."""
    store = await CosmosAuditStore.open(container, queue=3)
    yield store
    await store.aclose()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once instead of half a second later."""
    monkeypatch.setattr(audit_queue, "RETRY_SECONDS", 0.01)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a partition hold seven records."""
    monkeypatch.setattr(audit_items, "PARTITION_RECORDS", 7)


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


class TestCosmosAuditStore(AuditStoreContract):
    """The contract, on Cosmos DB."""


@pytest.mark.usefixtures("small")
class TestCosmosAuditStoreOfManyPartitions(AuditStoreContract):
    """The contract, with partitions that fill up."""


async def test_of_in_pages(store: CosmosAuditStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of one instant are told once each, where a page ends among them."""
    monkeypatch.setattr(audit_reader, "PAGE", 3)
    for number in range(10):
        store.append(event(number))
    await store.flush()

    found = [record.event.request_id async for record in store.of(PrincipalId("tenant", "anna"))]
    assert sorted(map(str, found)) == [str(number) for number in range(10)]


async def requests(store: CosmosAuditStore) -> list[str | None]:
    """Return the numbers of the events that are written."""
    return [record.event.request_id for record in await all_records(store)]


def numbers(count: int) -> list[str]:
    """Return the numbers of so many events."""
    return [str(number) for number in range(count)]


async def test_batches(bridge: Bridge, store: CosmosAuditStore) -> None:
    """Records go a hundred at a time, each batch in one partition of the process's own."""
    bridge.calls.clear()
    for number in range(250):
        store.append(event(number))
    await store.flush()

    batches = [call for call in bridge.calls if call.kind == "batch"]
    assert [call.writes for call in batches] == [100, 100, 50]
    [head] = await store.heads()
    assert {call.partition for call in batches} == {f"{head.chain}.0"}


async def test_large_records(bridge: Bridge, store: CosmosAuditStore) -> None:
    """A batch is never larger than what is taken, whatever its records hold."""
    bridge.calls.clear()
    large = {"quotes": '"' * 14_000}
    for number in range(100):
        store.append(event(number, facts=large))
    await store.flush()

    sizes = [call.writes for call in bridge.calls if call.kind == "batch"]
    assert (sum(sizes), max(sizes) < 30) == (100, True)
    assert await requests(store) == numbers(100)


async def test_partitions_rotate(
    store: CosmosAuditStore, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full partition is left; the first record of the next names the last of the one before."""
    monkeypatch.setattr(audit_items, "PARTITION_RECORDS", 7)
    for number in range(20):
        store.append(event(number))
    await store.flush()

    [head] = await store.heads()
    kept = []
    for part in range(4):
        partition = f"{head.chain}.{part}"
        kept.append(
            await container.query(
                "SELECT c.id, c.sequence, c.previous, c.hash FROM c WHERE c.chain = @chain"
                " ORDER BY c.id",
                {"chain": partition},
                limit=100,
                partition=partition,
            )
        )
    assert [len(items) for items in kept] == [7, 7, 6, 0]
    assert kept[1][0]["previous"] == kept[0][-1]["hash"]
    assert kept[1][0]["id"] == "000000000000008"
    assert (head.sequence, head.hash) == (20, kept[2][-1]["hash"])
    assert (await verify(store, no_seals())).found == ()
    for after in (0, 6, 7, 8, 13, 14, 19, 20):
        page = await store.records(head.chain, after=after, limit=3)
        expected = list(range(after + 1, 21))[:3]
        assert [record.sequence for record in page.items] == expected
        assert page.continuation == (str(expected[-1]) if after < 17 else None)


@pytest.mark.usefixtures("small")
async def test_head_at_the_end_of_a_partition(store: CosmosAuditStore) -> None:
    """A chain that fills its partition exactly has its head there."""
    for number in range(14):
        store.append(event(number))
    await store.flush()

    [head] = await store.heads()
    assert head.sequence == 14


async def test_each_process_has_its_chain(container: Container) -> None:
    """Two stores write two chains; either sees both, and both verify."""
    clock = Clock()
    first = await CosmosAuditStore.open(container, clock=clock)
    clock.now += timedelta(seconds=1)
    second = await CosmosAuditStore.open(container, clock=clock)
    for number in range(10):
        first.append(event(number))
        second.append(event(number))
    await asyncio.gather(first.flush(), second.flush())

    heads = await first.heads()
    assert [head.sequence for head in heads] == [10, 10]
    assert len({head.chain for head in heads}) == 2
    assert await second.heads() == heads
    assert [chain async for chain in first.chains()] == [head.chain for head in heads]
    report = await verify(second, no_seals())
    assert (report.chains, report.records, report.found) == (2, 20, ())
    await first.aclose()
    await second.aclose()


async def test_a_chain_ends_after_a_day(container: Container) -> None:
    """A process begins another chain after a day; the old one leaves the heads after its rest."""
    clock = Clock()
    store = await CosmosAuditStore.open(container, clock=clock)
    store.append(event(1))
    await store.flush()
    clock.now += timedelta(days=1)
    store.append(event(2))
    await store.flush()

    old, new = await store.heads()
    assert old.chain.startswith("20300102T030405Z-")
    assert new.chain.startswith("20300103T030405Z-")
    assert (old.sequence, new.sequence) == (1, 1)
    for hours, heads in ((-100, [old, new]), (24, [old, new]), (25, [old, new]), (26, [new])):
        assert await store.heads(since=NOW + timedelta(hours=hours)) == heads
    assert [chain async for chain in store.chains()] == [old.chain, new.chain]
    await store.aclose()


async def test_many_chains(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """More chains than one page lists are all listed; those without a record have no head."""
    monkeypatch.setattr(audit_reader, "PAGE", 3)
    names = [f"2030010{day}T000000Z-{day:032x}" for day in range(1, 9)]
    for name in names:
        await container.create({"id": name, "chain": CHAINS})
    clock = Clock()
    clock.now = datetime(2030, 1, 9, tzinfo=UTC)
    store = await CosmosAuditStore.open(container, clock=clock)
    store.append(event(1))
    await store.flush()

    [head] = await store.heads()
    assert [chain async for chain in store.chains()] == [*names, head.chain]
    await store.aclose()


def on(kind: str, fault: Fault | None, *, times: int = 1_000_000) -> Callable[[Call], Fault | None]:
    """Return what makes a fault of calls of a kind, so many times."""
    left = [times]

    def decide(call: Call) -> Fault | None:
        if call.kind != kind or not left[0]:
            return None
        left[0] -= 1
        return fault

    return decide


def nothing(call: Call) -> Fault | None:
    """Let every call through."""
    return None


BROKEN = Fault(broken=True)
LOST = Fault(broken=True, done=True)
FAILED = Fault(status=503)
THROTTLED = Fault(status=429, headers={"x-ms-retry-after-ms": "10"})


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "fault",
    [LOST, Fault(status=500, done=True), Fault(status=408, done=True), BROKEN, FAILED, THROTTLED],
    ids=["lost answer", "500 though done", "408 though done", "broken", "503", "throttled"],
)
async def test_nothing_is_lost_or_written_twice(
    bridge: Bridge, store: CosmosAuditStore, fault: Fault
) -> None:
    """Whatever happens to a batch or its answer, each record is there once and in order."""
    bridge.fault = on("batch", fault, times=3)
    for number in range(30):
        store.append(event(number))
        if number % 10 == 9:
            await asyncio.sleep(0.05)
            await settled(store)

    assert await requests(store) == numbers(30)
    assert (await verify(store, no_seals())).found == ()


async def settled(store: CosmosAuditStore) -> None:
    """Return when everything is written, however often that fails."""
    while True:
        with suppress(AuditUnavailable):
            return await store.flush()
        await asyncio.sleep(0.01)


def writable(store: CosmosAuditStore) -> bool:
    """Return whether something could be recorded."""
    try:
        store.ensure_writable()
    except AuditUnavailable:
        return False
    return True


@pytest.mark.usefixtures("quick")
async def test_more_was_queued_before_the_second_try(
    bridge: Bridge, store: CosmosAuditStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that was written and is tried again with more behind it is written once."""
    monkeypatch.setattr(audit_queue, "DELAY_SECONDS", 0.0)
    bridge.fault = on("batch", Fault(broken=True, done=True, seconds=0.2), times=1)
    store.append(event(0))
    while not any(call.kind == "batch" for call in bridge.calls):
        await asyncio.sleep(0.01)
    for number in range(1, 5):
        store.append(event(number))
    while await length(store) != 5:
        await asyncio.sleep(0.01)

    assert await requests(store) == numbers(5)
    assert (await verify(store, no_seals())).found == ()


@pytest.mark.usefixtures("quick")
async def test_away(
    bridge: Bridge, store: CosmosAuditStore, caplog: pytest.LogCaptureFixture
) -> None:
    """While the store is away everything is refused; when it is back nothing is missing."""
    bridge.fault = on("batch", FAILED)
    with caplog.at_level(logging.ERROR, logger=audit_queue.__name__):
        store.append(event(0))
        with pytest.raises(AuditUnavailable):
            await store.flush()
        for call in (store.ensure_writable, lambda: store.append(event(9))):
            with pytest.raises(AuditUnavailable):
                call()
        while len(bridge.calls) < 20:
            await asyncio.sleep(0.01)
    assert [record.message for record in caplog.records] == ["the audit cannot be written"]

    bridge.fault = nothing
    while not writable(store):
        await asyncio.sleep(0.01)
    store.append(event(1))
    await store.flush()
    assert await requests(store) == numbers(2)


async def test_stalls(
    bridge: Bridge, store: CosmosAuditStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that does not answer is noticed before it times out: nothing more is accepted."""
    monkeypatch.setattr(audit_queue, "LATE_SECONDS", 0.1)
    bridge.fault = on("batch", Fault(seconds=0.5), times=1)
    store.append(event(0))
    while writable(store):
        await asyncio.sleep(0.01)
    with pytest.raises(AuditUnavailable, match="too slowly"):
        store.append(event(1))
    await store.flush()

    store.append(event(1))
    await store.flush()
    assert await requests(store) == numbers(2)


@pytest.mark.usefixtures("quick")
async def test_away_at_the_start(bridge: Bridge, container: Container) -> None:
    """A store that is away when a process starts is no reason not to start, and nothing passes."""
    bridge.fault = lambda _: FAILED
    store = await CosmosAuditStore.open(container)
    for call in (store.ensure_writable, lambda: store.append(event(0))):
        with pytest.raises(AuditUnavailable):
            call()

    bridge.fault = nothing
    while not writable(store):
        await asyncio.sleep(0.01)
    store.append(event(0))
    await store.flush()
    assert await requests(store) == numbers(1)
    await store.aclose()


async def test_never_there(bridge: Bridge, container: Container) -> None:
    """A process whose store never came ends at once: it has accepted nothing."""
    bridge.fault = lambda _: FAILED
    store = await CosmosAuditStore.open(container)

    await store.aclose()
    with pytest.raises(AuditUnavailable):
        store.ensure_writable()


@pytest.mark.usefixtures("quick")
async def test_away_at_the_end(bridge: Bridge, container: Container) -> None:
    """A process that ends while the store is away waits for it, and loses nothing."""
    store = await CosmosAuditStore.open(container)
    bridge.fault = on("batch", FAILED)
    for number in range(3):
        store.append(event(number))
    closing = asyncio.ensure_future(store.aclose())
    while len(bridge.calls) < 10:
        await asyncio.sleep(0.01)
    assert not closing.done()

    bridge.fault = nothing
    await closing
    assert await requests(store) == numbers(3)


@pytest.mark.usefixtures("quick")
async def test_away_for_ever(
    bridge: Bridge, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that may wait no longer says how much is lost."""
    monkeypatch.setattr(cosmos_audit, "PATIENCE_SECONDS", 0.1)
    store = await CosmosAuditStore.open(container)
    bridge.fault = on("batch", FAILED)
    for number in range(3):
        store.append(event(number))

    with pytest.raises(AuditUnavailable, match="3 audit records"):
        await store.aclose()


async def foreign_record(container: Container, store: CosmosAuditStore, sequence: int) -> None:
    """Write a record into a process's chain that the process did not write."""
    partition = f"{store._chain.id}.0"
    record = {
        "id": f"{sequence:015d}",
        "chain": partition,
        "sequence": sequence,
        "document": "{}",
        "previous": "x",
        "hash": "x",
    }
    await container.create(record)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("sequence", [2, 4])
async def test_a_foreign_record_in_our_chain(
    container: Container, store: CosmosAuditStore, caplog: pytest.LogCaptureFixture, sequence: int
) -> None:
    """Where someone else wrote into our chain nothing more is accepted, and that is said."""
    store.append(event(0))
    await store.flush()
    await foreign_record(container, store, sequence)
    for number in range(1, 5):
        store.append(event(number))
    with (
        caplog.at_level(logging.ERROR, logger=audit_queue.__name__),
        pytest.raises(AuditUnavailable),
    ):
        await store.flush()
    for _ in range(5):
        await asyncio.sleep(0.02)
        assert not writable(store)
    assert "this process did not write" in caplog.text

    await container.delete(f"{sequence:015d}", f"{store._chain.id}.0")
    while not writable(store):
        await asyncio.sleep(0.01)
    await store.flush()
    assert await requests(store) == numbers(5)


async def test_two_processes_never_share_a_chain(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with the luck of the same name one process gets the chain and the other another."""
    monkeypatch.setattr(audit_queue, "RETRY_SECONDS", 0.01)
    names = iter([*2 * ["a" * 32], "b" * 32])
    monkeypatch.setattr("secure_openai.store.cosmos.audit.secrets.token_hex", lambda _: next(names))
    clock = Clock()
    first = await CosmosAuditStore.open(container, clock=clock)
    second = await CosmosAuditStore.open(container, clock=clock)
    while not writable(second):
        await asyncio.sleep(0.01)
    first.append(event(1))
    second.append(event(2))
    await asyncio.gather(first.flush(), second.flush())

    heads = await first.heads()
    assert [head.chain for head in heads] == [
        f"20300102T030405Z-{'a' * 32}",
        f"20300102T030405Z-{'b' * 32}",
    ]
    assert [await only(first, head) for head in heads] == ["1", "2"]
    await first.aclose()
    await second.aclose()


async def only(store: CosmosAuditStore, head: ChainHead) -> str | None:
    """Return the one event of a chain."""
    records: list[AuditRecord] = [*(await store.records(head.chain)).items]
    [record] = records
    return record.event.request_id


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("fault", "minutes", "chains"),
    [(LOST, 0, 1), (BROKEN, 0, 1), (LOST, 30, 1), (BROKEN, 30, 2)],
    ids=["written", "not", "written long ago", "not long ago"],
)
async def test_a_day_ends_in_the_middle_of_a_write(
    bridge: Bridge, container: Container, fault: Fault, minutes: int, chains: int
) -> None:
    """A batch whose answer was lost as its chain's day ended is not written into the next too."""
    clock = Clock()
    store = await CosmosAuditStore.open(container, clock=clock)

    def at_midnight(call: Call) -> Fault | None:
        if call.kind != "batch":
            return None
        clock.now += timedelta(days=1, minutes=minutes)
        bridge.fault = nothing
        return fault

    bridge.fault = at_midnight
    store.append(event(1))
    while not await store.heads():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)

    assert [head.sequence for head in await store.heads()] == [1]
    assert len([chain async for chain in store.chains()]) == chains
    await store.aclose()


async def test_document_is_as_written(container: Container, store: CosmosAuditStore) -> None:
    """The hash covers a text: numbers come back as they went, and what is searched by is beside."""
    store.append(event(1, facts={"share": 1.0, "large": 2**60, "name": "é"}))
    await store.flush()

    item = await container.read(f"{1:015d}", f"{store._chain.id}.0")
    assert item is not None
    assert '"facts":{"large":1152921504606846976,"name":"é","share":1.0}' in item["document"]
    assert (item["time"], item["principal"], item["action"]) == (
        "2030-01-02T03:04:05.000006+00:00",
        "tenant/anna",
        "completion.admitted",
    )


async def test_garbage_in_the_container(container: Container, store: CosmosAuditStore) -> None:
    """Items that are no records are named by verification and break no reading of the others."""
    store.append(event(1))
    await store.flush()
    partition = f"{store._chain.id}.0"
    for item in (
        {"id": "x"},
        {"id": "y", "sequence": "2", "document": "{}"},
        {"id": "z", "x": 1},
        {"id": "zz", "document": "[" * 100_000},
    ):
        await container.batch(partition, [Create({**item, "chain": partition})])

    report = await verify(store, no_seals())
    assert (report.records, len(report.found)) == (5, 4)
    with pytest.raises(StoreError, match="verify it"):
        await all_records(store)
