"""Each tampering with the audit is named, on a real file and with real seals."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from joserfc import jws

from secure_openai.store.audit import ChainHead, SealNote, StoredRecord
from secure_openai.store.chain import GENESIS, record_hash
from secure_openai.store.seals import Seal, Seals, seal_name
from secure_openai.store.signing import FileSigner
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.verification import verify_database
from secure_openai.store.verification import verify
from secure_openai.store.walk import REMEMBERED, Tampering
from secure_openai.testing.audit_contract import event, no_seals
from secure_openai.testing.seals_contract import made, sealed

NOW = datetime(2030, 1, 2, tzinfo=UTC)
SEALED = (4, 8)
"""After which records the chain is sealed; it has ten."""


class Evidence:
    """An audit of ten records, its seals and their key."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "data" / "test.db"
        self.folder = folder / "seals"
        self.seals = Seals.in_folder(self.folder)
        self.signer = FileSigner.open(folder / "keys" / "seal.pem")

    async def write(self) -> None:
        """Write the records and seal them twice."""
        database = await Database.open(self.database)
        store = await SqliteAuditStore.open(database)
        for number in range(1, 11):
            store.append(event(number))
            await store.flush()
            if number in SEALED:
                await made(self.seals, await store.heads(), self.signer, now=NOW)
        await store.aclose()
        await database.aclose()

    def tamper(self, *statements: str) -> None:
        """Do to the file what someone with a shell could do."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def connect(self) -> sqlite3.Connection:
        """Open the file without its triggers."""
        connection = sqlite3.connect(self.database)
        connection.execute("DROP TRIGGER IF EXISTS audit_keeps_records")
        connection.execute("DROP TRIGGER IF EXISTS audit_loses_no_record")
        return connection

    def rewrite(self, begin: int) -> None:
        """Change a record and give it and all after it hashes that fit."""
        connection = self.connect()
        connection.execute(
            "UPDATE audit SET document = replace(document, 'allowed', 'refused')"
            " WHERE sequence = ?",
            (begin,),
        )
        previous = GENESIS
        for sequence, document in connection.execute(
            "SELECT sequence, document FROM audit ORDER BY sequence"
        ).fetchall():
            digest = record_hash(sequence, document, previous)
            connection.execute(
                "UPDATE audit SET previous = ?, hash = ? WHERE sequence = ?",
                (previous, digest, sequence),
            )
            previous = digest
        connection.commit()
        connection.close()

    async def heads(self) -> list[ChainHead]:
        """Return what the last seal says."""
        return [*((await sealed(self.seals))[-1].heads or ())]

    async def found(self) -> list[tuple[Tampering, int]]:
        """Return what verification names."""
        seals = self.seals.all([self.signer.public_key])
        report = await verify_database(self.database, seals)
        assert report.unnamed == 0
        assert all(item.sentence.endswith(".") for item in report.found)
        return [(item.kind, item.sequence) for item in report.found]


@pytest.fixture
async def evidence(tmp_path: Path) -> Evidence:
    """Return an audit that nobody touched."""
    evidence = Evidence(tmp_path)
    await evidence.write()
    return evidence


RENUMBER = "UPDATE audit SET sequence = -(sequence - 1) WHERE sequence > 3"
POSITIVE = "UPDATE audit SET sequence = -sequence WHERE sequence < 0"


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (
            ["UPDATE audit SET document = replace(document, 'allowed', 'refused') WHERE rowid = 3"],
            [(Tampering.CHANGED, 3)],
        ),
        (["UPDATE audit SET hash = previous WHERE sequence = 3"], [(Tampering.DUPLICATED, 3)]),
        (
            ["UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE sequence = 3"],
            [(Tampering.CHANGED, 3)],
        ),
        (["UPDATE audit SET previous = hash WHERE sequence = 3"], [(Tampering.CHANGED, 3)]),
        (["UPDATE audit SET document = '' WHERE sequence = 10"], [(Tampering.CHANGED, 10)]),
        (["DELETE FROM audit WHERE sequence = 5"], [(Tampering.REMOVED, 5)]),
        (["DELETE FROM audit WHERE sequence IN (3, 4, 5)"], [(Tampering.REMOVED, 3)]),
        (["DELETE FROM audit WHERE sequence = 1"], [(Tampering.REMOVED, 1)]),
        (["DELETE FROM audit WHERE sequence > 6"], [(Tampering.CUT_TAIL, 7)]),
        (["DELETE FROM audit"], [(Tampering.CUT_TAIL, 1)]),
        (
            [
                "UPDATE audit SET sequence = -6 WHERE sequence = 5",
                "UPDATE audit SET sequence = 5 WHERE sequence = 6",
                "UPDATE audit SET sequence = 6 WHERE sequence = -6",
            ],
            [(Tampering.REORDERED, 5), (Tampering.REORDERED, 6)],
        ),
        (
            ["INSERT INTO audit SELECT 11, document, previous, hash FROM audit WHERE sequence = 2"],
            [(Tampering.DUPLICATED, 11)],
        ),
        (
            ["DELETE FROM audit WHERE sequence = 3", RENUMBER, POSITIVE],
            [
                (Tampering.REORDERED, 3),
                (Tampering.REORDERED, 4),
                (Tampering.REWRITTEN, 4),
                (Tampering.REORDERED, 5),
                (Tampering.REORDERED, 6),
                (Tampering.REORDERED, 7),
                (Tampering.REORDERED, 8),
                (Tampering.REWRITTEN, 8),
                (Tampering.REORDERED, 9),
            ],
        ),
        (
            ["UPDATE audit_chain SET id = 'another'"],
            [(Tampering.CHAIN_REMOVED, 0)],
        ),
    ],
)
async def test_tampering(
    evidence: Evidence, statements: list[str], found: list[tuple[Tampering, int]]
) -> None:
    """Each tampering with the records is named with the record's number."""
    evidence.tamper(*statements)

    assert await evidence.found() == found


async def test_untouched(evidence: Evidence) -> None:
    """An audit that nobody touched holds."""
    report = await verify_database(evidence.database, evidence.seals.all())

    assert (report.chains, report.records, report.seals, report.sealed) == (1, 10, 2, 8)
    assert report.found == ()


@pytest.mark.parametrize(
    ("begin", "found"),
    [
        (2, [(Tampering.REWRITTEN, 4), (Tampering.REWRITTEN, 8)]),
        (4, [(Tampering.REWRITTEN, 4), (Tampering.REWRITTEN, 8)]),
        (5, [(Tampering.REWRITTEN, 8)]),
    ],
)
async def test_rewritten(
    evidence: Evidence, begin: int, found: list[tuple[Tampering, int]]
) -> None:
    """A chain rewritten with fitting hashes is found at every seal after the change."""
    evidence.rewrite(begin)

    assert await evidence.found() == found


async def test_replaced_with_a_fitting_hash(evidence: Evidence) -> None:
    """A record replaced by one that fits itself is found by the record after it."""
    with evidence.connect() as connection:
        document, previous = connection.execute(
            "SELECT document, previous FROM audit WHERE sequence = 9"
        ).fetchone()
        forged = document.replace("allowed", "refused")
        connection.execute(
            "UPDATE audit SET document = ?, hash = ? WHERE sequence = 9",
            (forged, record_hash(9, forged, previous)),
        )

    assert await evidence.found() == [(Tampering.REORDERED, 10)]


async def test_unsealed_tail(evidence: Evidence) -> None:
    """What came after the last seal can be cut off unseen: that is what a seal is for."""
    evidence.tamper("DELETE FROM audit WHERE sequence > 8")

    assert await evidence.found() == []


def seal_file(evidence: Evidence, number: int) -> Path:
    """Return a seal's file."""
    return evidence.folder / seal_name(number)


async def corrupt(evidence: Evidence) -> None:
    """Change the signature of the last seal."""
    file = seal_file(evidence, 2)
    head, payload, signature = file.read_text().split(".")
    file.write_text(f"{head}.{payload}.{signature[::-1]}")


async def garbage(evidence: Evidence) -> None:
    """Put what is no token in the last seal's place."""
    seal_file(evidence, 2).write_bytes(b"\xff\x00 not a token")


async def unsigned(evidence: Evidence) -> None:
    """Name the algorithm `none` in the last seal."""
    file = seal_file(evidence, 2)
    _, payload, _ = file.read_text().split(".")
    file.write_text(f"eyJhbGciOiJub25lIn0.{payload}.")


async def unknown_key(evidence: Evidence) -> None:
    """Seal once more, with another key, and put that key beside the seals."""
    other = FileSigner.open(evidence.database.parent / "other.pem")
    await made(evidence.seals, await evidence.heads(), other, now=NOW)


async def another_type(evidence: Evidence) -> None:
    """Put something that the key signed for another purpose in the last seal's place."""
    payload = {"heads": [], "number": 2, "previous": "", "sealed_at": NOW.isoformat()}
    header = {"alg": "ES256", "typ": "JWT", "kid": evidence.signer.public_key.thumbprint()}
    token = jws.serialize_compact(
        header, json.dumps(payload), evidence.signer._key, algorithms=["ES256"]
    )
    seal_file(evidence, 2).write_text(token)


async def copied(evidence: Evidence) -> None:
    """Put a copy of the first seal in the second's place."""
    shutil.copy(seal_file(evidence, 1), seal_file(evidence, 2))


async def incomplete(evidence: Evidence) -> None:
    """Sign a seal without a head."""
    seal_file(evidence, 2).write_text(await evidence.signer.sign(b'{"number": 2}'))


async def first_removed(evidence: Evidence) -> None:
    """Remove the first seal."""
    seal_file(evidence, 1).unlink()


def sealing(**changes: object) -> Callable[[Evidence], Awaitable[None]]:
    """Return a tampering that adds a third seal, well signed, which says something else."""

    async def add(evidence: Evidence) -> None:
        [head] = await evidence.heads()
        await made(
            evidence.seals,
            [replace(head, **changes)],  # type: ignore[arg-type]
            evidence.signer,
            now=NOW,
        )

    return add


async def twice(evidence: Evidence) -> None:
    """Sign a third seal that names one chain twice."""
    await made(evidence.seals, 2 * await evidence.heads(), evidence.signer, now=NOW)


async def foreign_order(evidence: Evidence) -> None:
    """Sign a second seal that does not name the first."""
    payload = {"number": 2, "previous": "", "sealed_at": NOW.isoformat(), "heads": []}
    token = await evidence.signer.sign(json.dumps(payload).encode())
    seal_file(evidence, 2).write_text(token)


@pytest.mark.parametrize(
    ("tampering", "number", "sentence"),
    [
        (corrupt, 2, "has a signature that does not hold"),
        (garbage, 2, "has a signature that does not hold"),
        (unsigned, 2, "is signed by a key that is not trusted"),
        (unknown_key, 3, "is signed by a key that is not trusted"),
        (another_type, 2, "is signed as something else than a seal"),
        (copied, 2, "says that it is seal 1"),
        (incomplete, 2, "has a signature that does not hold"),
        (first_removed, 2, "is there and seal 1 is missing"),
        (foreign_order, 2, "does not follow the seal before it"),
        (twice, 3, "seals a chain twice"),
        (sealing(hash="0" * 64), 3, "contradicts a seal before it"),
        (sealing(sequence=7), 3, "contradicts a seal before it"),
        (sealing(sequence=0), 3, "contradicts a seal before it"),
    ],
)
async def test_bad_seal(
    evidence: Evidence,
    tampering: Callable[[Evidence], Awaitable[None]],
    number: int,
    sentence: str,
) -> None:
    """Each tampering with the seals is named with the seal's number, once."""
    await tampering(evidence)

    seals = evidence.seals.all([evidence.signer.public_key])
    report = await verify_database(evidence.database, seals)
    assert [(item.kind, item.sequence) for item in report.found] == [(Tampering.BAD_SEAL, number)]
    assert f"Seal {number} {sentence}" in report.found[0].sentence


async def test_bad_seal_proves_nothing(evidence: Evidence) -> None:
    """A cut tail is measured against the last seal that holds."""
    await corrupt(evidence)
    evidence.tamper("DELETE FROM audit WHERE sequence > 2")

    assert await evidence.found() == [(Tampering.BAD_SEAL, 2), (Tampering.CUT_TAIL, 3)]


def chain(count: int, document: str = "{}") -> Iterator[StoredRecord]:
    """Yield a good chain."""
    previous = GENESIS
    for sequence in range(1, count + 1):
        digest = record_hash(sequence, document, previous)
        yield StoredRecord(sequence, document, previous, digest)
        previous = digest


class Audit:
    """An audit that says what it is told to say."""

    def __init__(
        self, *records: Iterable[StoredRecord], names: str = "abc", note: SealNote | None = None
    ) -> None:
        self._chains = dict(zip("abc", records, strict=False))
        self._names = names[: max(len(records), 1)]
        self._note = note

    async def chains(self) -> AsyncIterator[str]:
        """Yield the names."""
        for name in self._names:
            yield name

    async def stored(self, chain: str) -> AsyncIterator[StoredRecord]:
        """Yield the records."""
        for record in self._chains.get(chain, ()):
            yield record

    async def noted_seal(self) -> SealNote | None:
        """Return the note."""
        return self._note


async def test_long_chain_is_not_kept() -> None:
    """A chain longer than what is remembered of it verifies from a stream that is read once."""
    report = await verify(Audit(chain(REMEMBERED * 3)), no_seals())

    assert (report.records, report.found, report.unnamed) == (REMEMBERED * 3, (), 0)


async def test_much_is_wrong() -> None:
    """So many things are named and the rest is counted."""
    wrong = (replace(record, document="[]") for record in chain(300))

    report = await verify(Audit(wrong), no_seals(), largest=20)
    assert ([item.sequence for item in report.found], report.unnamed) == (
        list(range(1, 21)),
        280,
    )
    assert {item.kind for item in report.found} == {Tampering.CHANGED}


async def test_read_in_another_order() -> None:
    """Records that a store gives back out of order are named."""
    first, second, third = chain(3)

    report = await verify(Audit([first, third, second]), no_seals())
    assert [(item.kind, item.sequence) for item in report.found] == [
        (Tampering.REMOVED, 2),
        (Tampering.REORDERED, 2),
    ]


async def test_what_is_searched_by_says_something_else() -> None:
    """A record whose searchable copies were changed is named, though its hash fits."""
    first, second = chain(2)

    report = await verify(Audit([first, replace(second, agrees=False)]), no_seals())
    assert [(item.kind, item.sequence) for item in report.found] == [(Tampering.CHANGED, 2)]


async def test_one_name_for_two() -> None:
    """A chain that is listed twice is named, and read once."""
    report = await verify(Audit(chain(3), [], names="aa"), no_seals())

    assert [(item.kind, item.chain) for item in report.found] == [(Tampering.DUPLICATED, "a")]
    assert (report.chains, report.records) == (1, 3)


async def test_empty() -> None:
    """An empty chain without seals holds."""
    report = await verify(Audit([]), no_seals())

    assert (report.records, report.seals, report.sealed, report.found) == (0, 0, 0, ())


async def test_seal_of_an_empty_chain(tmp_path: Path) -> None:
    """A seal of an empty chain reaches nowhere, and the same head may be sealed twice."""
    seals = Seals.in_folder(tmp_path / "seals")
    signer = FileSigner.open(tmp_path / "seal.pem")
    records = list(chain(2))
    for head in (ChainHead("a", 0, GENESIS), *2 * [ChainHead("a", 2, records[1].hash)]):
        await made(seals, [head], signer, now=NOW)

    report = await verify(Audit(records), seals.all())
    assert (report.seals, report.sealed, report.found) == (3, 2, ())


async def sealed_by(signer: FileSigner, payload: object) -> AsyncIterator[Seal]:
    """Yield one seal of a payload, as read."""
    from secure_openai.store.seals import read_seal
    from secure_openai.store.signing import by_kid

    token = await signer.sign(json.dumps(payload).encode())
    yield read_seal(1, token, by_kid([signer.public_key]))


async def test_seal_of_one_chain(tmp_path: Path) -> None:
    """A seal that was made when there was but one chain still holds."""
    signer = FileSigner.open(tmp_path / "seal.pem")
    [record] = chain(1)
    payload = {
        "chain": "a",
        "sequence": 1,
        "hash": record.hash,
        "sealed_at": NOW.isoformat(),
        "previous": "",
        "number": 1,
    }

    report = await verify(Audit([record]), sealed_by(signer, payload))
    assert (report.seals, report.sealed, report.found) == (1, 1, ())
    report = await verify(Audit([]), sealed_by(signer, payload))
    assert [item.kind for item in report.found] == [Tampering.CUT_TAIL]


@pytest.mark.parametrize("payload", [[], "x", {"heads": [1]}, {"heads": [{}]}, {"heads": None}])
async def test_no_seal(tmp_path: Path, payload: object) -> None:
    """What the key signed and is no seal is a bad one, whatever it is."""
    signer = FileSigner.open(tmp_path / "seal.pem")
    if isinstance(payload, dict):
        payload |= {"number": 1, "previous": "", "sealed_at": NOW.isoformat()}

    report = await verify(Audit([]), sealed_by(signer, payload))
    assert [item.kind for item in report.found] == [Tampering.BAD_SEAL]


def dated(count: int, at: datetime) -> list[StoredRecord]:
    """Return a good chain whose records say when they were."""
    return list(chain(count, json.dumps({"at": at.isoformat()})))


@pytest.mark.parametrize(
    ("hours", "sealed_up_to", "found"),
    [
        (-2, 3, []),
        (-2, 2, [(Tampering.ADDED, 3)]),
        (-2, 0, [(Tampering.ADDED, 1)]),
        (0, 0, []),
        (2, 2, []),
    ],
)
async def test_added_later(
    tmp_path: Path, hours: int, sealed_up_to: int, found: list[tuple[Tampering, int]]
) -> None:
    """A record that says it was there before a seal that leaves it out was added, once named."""
    seals = Seals.in_folder(tmp_path / "seals")
    signer = FileSigner.open(tmp_path / "seal.pem")
    records = dated(5, NOW + timedelta(hours=hours))[: max(3, sealed_up_to)]
    heads = [ChainHead("a", sealed_up_to, records[sealed_up_to - 1].hash)] if sealed_up_to else []
    await made(seals, heads, signer, now=NOW)

    report = await verify(Audit(records), seals.all())
    assert [(item.kind, item.sequence) for item in report.found] == found


@pytest.mark.parametrize(("hours", "kinds"), [(-2, [Tampering.ADDED]), (0, []), (2, [])])
async def test_sealed_too_late(tmp_path: Path, hours: int, kinds: list[Tampering]) -> None:
    """A chain that a seal lists first and an earlier one would have listed was added later."""
    seals = Seals.in_folder(tmp_path / "seals")
    signer = FileSigner.open(tmp_path / "seal.pem")
    records = dated(3, NOW + timedelta(hours=hours))
    await made(seals, [], signer, now=NOW)
    await made(seals, [ChainHead("a", 3, records[-1].hash)], signer, now=NOW + timedelta(days=1))

    report = await verify(Audit(records), seals.all())
    assert [item.kind for item in report.found] == kinds


async def test_clock_that_ran_ahead(tmp_path: Path) -> None:
    """A seal dated after the one behind it accuses no chain of being added."""
    seals = Seals.in_folder(tmp_path / "seals")
    signer = FileSigner.open(tmp_path / "seal.pem")
    records = dated(3, NOW)
    await made(seals, [], signer, now=NOW + timedelta(days=400))
    await made(seals, [ChainHead("a", 3, records[-1].hash)], signer, now=NOW)

    report = await verify(Audit(records), seals.all())
    assert report.found == ()


@pytest.mark.parametrize(
    ("note", "found"),
    [
        (None, []),
        ("first", []),
        ("second", [(Tampering.BAD_SEAL, 2)]),
        ("other", [(Tampering.BAD_SEAL, 1)]),
    ],
)
async def test_noted_seal(
    tmp_path: Path, note: str | None, found: list[tuple[Tampering, int]]
) -> None:
    """A seal that the audit noted and that is missing at the end, or is another, is named."""
    seals = Seals.in_folder(tmp_path / "seals")
    first = await made(seals, [], FileSigner.open(tmp_path / "seal.pem"), now=NOW)
    notes = {
        "first": SealNote(1, first.digest),
        "second": SealNote(2, "x"),
        "other": SealNote(1, "x"),
    }

    report = await verify(Audit([], note=notes.get(note or "")), seals.all())
    assert [(item.kind, item.sequence) for item in report.found] == found


def test_hashes_differ() -> None:
    """Number, text and the hash before all change a record's hash."""
    hashes = [
        record_hash(1, "a", GENESIS),
        record_hash(2, "a", GENESIS),
        record_hash(1, "b", GENESIS),
        record_hash(1, "a", "1" * 64),
    ]

    assert all(one != other for one, other in pairwise(hashes))
    assert len(set(hashes)) == 4


async def test_a_bounded_verification_says_that_it_is_not_whole(tmp_path: Path) -> None:
    """What was read is compared, what was not is neither believed nor called cut off."""
    database = await Database.open(tmp_path / "data" / "test.db")
    store = await SqliteAuditStore.open(database)
    for number in range(10):
        store.append(event(number))
    await store.flush()

    part = await verify(store, no_seals(), most=4)
    whole = await verify(store, no_seals(), most=11)
    await store.aclose()
    await database.aclose()

    assert (part.records, part.found, part.whole) == (4, (), False)
    assert (whole.records, whole.found, whole.whole) == (10, (), True)
