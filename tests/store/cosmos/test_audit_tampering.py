"""Each tampering with an audit of several chains is named, in the real container and its seals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secure_openai.jobs.seal import seal
from secure_openai.store.audit import ChainHead
from secure_openai.store.chain import GENESIS, recordable
from secure_openai.store.cosmos import audit_items
from secure_openai.store.cosmos.audit import CosmosAuditStore
from secure_openai.store.cosmos.audit_reader import CHAINS, SEALS
from secure_openai.store.cosmos.container import Container
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.seals import Seals, seal_name
from secure_openai.store.signing import FileSigner
from secure_openai.store.verification import Report, verify
from secure_openai.store.walk import Tampering
from secure_openai.testing.audit_contract import event
from secure_openai.testing.seals_contract import made, new_signer, sealed
from secure_openai.types import JsonObject

BEGAN = datetime(2030, 1, 2, 3, tzinfo=UTC)
SIZE = 4
"""Records in a partition."""


class Evidence:
    """Two chains, `a` of ten records and `b` of six, sealed when they were half as long and whole.

    A third, `c`, began after the first seal and has two records.
    """

    def __init__(self, container: Container, folder: Path, signer: FileSigner) -> None:
        self.container = container
        self.folder = folder
        self.signer = signer
        self.seals = Seals.in_folder(folder)
        self.now = BEGAN
        self.stores: dict[str, CosmosAuditStore] = {}

    def clock(self) -> datetime:
        """Return the time."""
        return self.now

    async def write(self) -> None:
        """Write the records and seal them."""
        for name, count in (("a", 5), ("b", 3)):
            self.stores[name] = await CosmosAuditStore.open(self.container, clock=self.clock)
            await self.record(name, count)
            self.now += timedelta(seconds=1)
        await self.seal()
        self.stores["c"] = await CosmosAuditStore.open(self.container, clock=self.clock)
        for name, count in (("a", 5), ("b", 3), ("c", 2)):
            await self.record(name, count)
        await self.seal()

    async def record(self, name: str, count: int) -> None:
        """Append to a chain."""
        for number in range(count):
            self.stores[name].append(event(number, at=self.now))
        await self.stores[name].flush()

    async def seal(self) -> None:
        """Seal, and let two hours pass."""
        await seal(self.stores["a"], self.seals, self.signer, clock=self.clock)
        self.now += timedelta(hours=2)

    async def close(self) -> None:
        """End every process."""
        for store in self.stores.values():
            await store.aclose()

    def name(self, chain: str) -> str:
        """Return the identifier of a chain."""
        return self.stores[chain]._chain.id

    async def items(self, chain: str) -> list[JsonObject]:
        """Return the records of a chain as they lie there."""
        found = []
        for part in range(4):
            partition = f"{self.name(chain)}.{part}"
            found += await self.container.query(
                "SELECT * FROM c WHERE c.chain = @chain ORDER BY c.id",
                {"chain": partition},
                limit=100,
                partition=partition,
            )
        return found

    async def remove(self, chain: str, *sequences: int) -> None:
        """Remove records; all of them unless some are named."""
        for item in await self.items(chain):
            if not sequences or item["sequence"] in sequences:
                await self.container.delete(item["id"], item["chain"])

    async def unlist(self, chain: str) -> None:
        """Remove a chain's name."""
        await self.container.delete(self.name(chain), CHAINS)

    async def change(self, chain: str, sequence: int, /, **members: object) -> None:
        """Change a record."""
        [item] = [item for item in await self.items(chain) if item["sequence"] == sequence]
        await self.container.upsert({**item, **members})

    async def forge(self, chain: str, began: datetime, *, after: ChainHead | None = None) -> None:
        """Add three records of a time to a chain, with hashes that fit."""
        head = after or ChainHead(chain, 0, GENESIS)
        forged = audit_items.Chain(chain, began, head.sequence, head.hash)
        for number in range(3):
            [item] = audit_items.items_of(forged, [recordable(event(number, at=began))])
            await self.container.create(item)
            forged = replace(forged, sequence=item["sequence"], hash=item["hash"])

    async def report(self) -> Report:
        """Verify."""
        return await verify(self.stores["a"], self.seals.all([self.signer.public_key]))

    async def found(self) -> list[tuple[Tampering, str, int]]:
        """Return what verification names, the chains by their short names."""
        short = {self.name(chain): chain for chain in self.stores} | {"": ""}
        report = await self.report()
        assert all(item.sentence.endswith(".") for item in report.found)
        return [
            (item.kind, short.get(item.chain, item.chain), item.sequence) for item in report.found
        ]


@pytest.fixture
async def evidence(
    cosmos: CosmosDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Evidence:
    """Return an audit that nobody touched."""
    monkeypatch.setattr(audit_items, "PARTITION_RECORDS", SIZE)
    signer = FileSigner.open(tmp_path / "seal.pem")
    evidence = Evidence(cosmos.container("audit"), tmp_path / "seals", signer)
    await evidence.write()
    await evidence.close()
    return evidence


async def test_untouched(evidence: Evidence) -> None:
    """An audit that nobody touched holds."""
    report = await evidence.report()

    assert (report.chains, report.records, report.seals, report.sealed) == (3, 18, 2, 18)
    assert report.found == ()


async def chain_removed(evidence: Evidence) -> None:
    """Remove a chain whole, its name too."""
    await evidence.remove("b")
    await evidence.unlist("b")


async def name_removed(evidence: Evidence) -> None:
    """Remove a chain's name."""
    await evidence.unlist("b")


async def name_removed_and_changed(evidence: Evidence) -> None:
    """Remove a chain's name, and change one of its records."""
    await evidence.unlist("b")
    await evidence.change("b", 2, document="{}")


async def records_removed(evidence: Evidence) -> None:
    """Remove all records of a chain."""
    await evidence.remove("b")


async def tail_cut(evidence: Evidence) -> None:
    """Cut the tail of one chain."""
    await evidence.remove("a", 9, 10)


async def inner_removed(evidence: Evidence) -> None:
    """Remove records from the middle, over a border of partitions."""
    await evidence.remove("a", 4, 5)


async def partition_removed(evidence: Evidence) -> None:
    """Remove a whole partition from the middle of a chain."""
    await evidence.remove("a", 5, 6, 7, 8)


async def changed(evidence: Evidence) -> None:
    """Change what a record says."""
    [_, _, item, *_] = await evidence.items("a")
    await evidence.change("a", 3, document=item["document"].replace("allowed", "refused"))


async def copies_changed(evidence: Evidence) -> None:
    """Change by what a record is found, in one chain its person and in another its time."""
    await evidence.change("a", 3, principal="tenant/bert")
    await evidence.change("b", 1, time="2029-01-01T00:00:00+00:00")


async def sequence_changed(evidence: Evidence) -> None:
    """Give a record another number than its id says."""
    await evidence.change("a", 3, sequence=4)


async def swapped(evidence: Evidence) -> None:
    """Put each of two chains in the place of the other."""
    first, second = await evidence.items("a"), await evidence.items("b")
    await evidence.remove("a")
    await evidence.remove("b")
    for items, name in ((first, "b"), (second, "a")):
        for item in items:
            part = item["chain"].rpartition(".")[2]
            await evidence.container.upsert({**item, "chain": f"{evidence.name(name)}.{part}"})


async def record_from_another_chain(evidence: Evidence) -> None:
    """Put a record of one chain in the same place of another."""
    [_, theirs, *_] = await evidence.items("b")
    await evidence.change(
        "a", 2, **{name: theirs[name] for name in ("document", "previous", "hash", "time")}
    )


async def rewritten(evidence: Evidence) -> None:
    """Rewrite the end of a chain with hashes that fit."""
    items = await evidence.items("a")
    await evidence.remove("a", *range(8, 11))
    await evidence.forge(
        evidence.name("a"), evidence.now, after=ChainHead("a", 7, items[6]["hash"])
    )


async def one_name_for_two(evidence: Evidence) -> None:
    """Add the records of another chain behind those of one, under its name."""
    for item in await evidence.items("c"):
        await evidence.container.upsert({**item, "chain": f"{evidence.name('a')}.3"})


async def added_to_an_old_chain(evidence: Evidence) -> None:
    """Add records of yesterday to a chain that has ended."""
    items = await evidence.items("b")
    await evidence.forge(evidence.name("b"), BEGAN, after=ChainHead("b", 6, items[-1]["hash"]))


async def seal_dropped(evidence: Evidence) -> None:
    """Remove a seal from the middle."""
    evidence.now += timedelta(days=30)
    await made(evidence.seals, [], evidence.signer, now=evidence.now)
    (evidence.folder / seal_name(2)).unlink()


async def last_seal_dropped(evidence: Evidence) -> None:
    """Remove the last seal, and all that it alone covers."""
    (evidence.folder / seal_name(2)).unlink()
    for chain, sequences in (("a", range(6, 11)), ("b", range(4, 7))):
        await evidence.remove(chain, *sequences)
    await evidence.remove("c")
    await evidence.unlist("c")


async def heads_swapped(evidence: Evidence) -> None:
    """Seal again, with the key, the heads of two chains each in the name of the other."""
    a, b, c = (await sealed(evidence.seals))[-1].heads or ()
    swapped = [ChainHead(a.chain, b.sequence, b.hash), ChainHead(b.chain, a.sequence, a.hash), c]
    await made(evidence.seals, swapped, evidence.signer, now=evidence.now)


async def all_seals_replaced(evidence: Evidence) -> None:
    """Seal everything again with another key, which lies beside the seals."""
    heads = (await sealed(evidence.seals))[-1].heads or ()
    for path in evidence.folder.iterdir():
        path.unlink()
    for _ in range(2):
        await made(evidence.seals, heads, new_signer(), now=evidence.now)


T = Tampering


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        (chain_removed, [(T.CHAIN_REMOVED, "b", 0)]),
        (name_removed, [(T.CHAIN_REMOVED, "b", 0)]),
        (name_removed_and_changed, [(T.CHAIN_REMOVED, "b", 0), (T.CHANGED, "b", 2)]),
        (records_removed, [(T.CUT_TAIL, "b", 1)]),
        (tail_cut, [(T.CUT_TAIL, "a", 9)]),
        (inner_removed, [(T.REMOVED, "a", 4)]),
        (partition_removed, [(T.CUT_TAIL, "a", 5)]),
        (changed, [(T.CHANGED, "a", 3)]),
        (copies_changed, [(T.CHANGED, "a", 3), (T.CHANGED, "b", 1)]),
        (sequence_changed, [(T.REMOVED, "a", 3), (T.REORDERED, "a", 4), (T.REORDERED, "a", 4)]),
        (
            swapped,
            [
                (T.REWRITTEN, "a", 5),
                (T.CUT_TAIL, "a", 7),
                (T.REWRITTEN, "b", 3),
                (T.REWRITTEN, "b", 6),
            ],
        ),
        (record_from_another_chain, [(T.REORDERED, "a", 2)]),
        (rewritten, [(T.REWRITTEN, "a", 10)]),
        (one_name_for_two, [(T.REORDERED, "a", 1), (T.REORDERED, "a", 2)]),
        (added_to_an_old_chain, [(T.ADDED, "b", 7)]),
        (seal_dropped, [(T.BAD_SEAL, "", 3)]),
        (last_seal_dropped, [(T.BAD_SEAL, "", 2)]),
        (heads_swapped, [(T.BAD_SEAL, "", 3)]),
        (all_seals_replaced, [(T.BAD_SEAL, "", 1), (T.BAD_SEAL, "", 2), (T.BAD_SEAL, "", 2)]),
    ],
)
async def test_tampering(
    evidence: Evidence,
    tampering: Callable[[Evidence], Awaitable[None]],
    found: list[tuple[Tampering, str, int]],
) -> None:
    """Each tampering is named, with the chain and the record or the seal."""
    await tampering(evidence)

    assert await evidence.found() == found


@pytest.mark.parametrize("sealed_afterwards", [False, True])
async def test_forged_chain(evidence: Evidence, sealed_afterwards: bool) -> None:
    """A chain that says it was there before a seal was added later, though the next seals it."""
    forged = "20300102T030000Z-" + "f" * 32
    await evidence.container.create({"id": forged, "chain": CHAINS})
    await evidence.forge(forged, BEGAN)
    if sealed_afterwards:
        await evidence.seal()
        assert forged in {head.chain for head in (await sealed(evidence.seals))[-1].heads or ()}

    assert await evidence.found() == [(T.ADDED, forged, 1)]


async def test_a_new_chain_is_not_forged(evidence: Evidence) -> None:
    """A chain that began after the last seal is none that was added, sealed or not yet."""
    began = evidence.now.strftime("%Y%m%dT%H%M%SZ-") + "f" * 32
    await evidence.container.create({"id": began, "chain": CHAINS})
    await evidence.forge(began, evidence.now)

    assert await evidence.found() == []
    await evidence.seal()
    assert await evidence.found() == []


async def test_what_no_one_can_see(evidence: Evidence) -> None:
    """The newest seal, its note and all that it alone covers can vanish: so seals are immutable."""
    await last_seal_dropped(evidence)
    await evidence.container.delete(f"{2:015d}", SEALS)

    report = await evidence.report()
    assert (report.seals, report.sealed, report.found) == (1, 8, ())
