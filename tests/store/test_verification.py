"""Each tampering with the audit is named, on a real file and with real seals."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from joserfc import jws

from secure_openai.store.audit import ChainHead
from secure_openai.store.chain import GENESIS, record_hash
from secure_openai.store.seals import FileSigner, SealFolder
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.verification import verify_database
from secure_openai.store.verification import REMEMBERED, StoredRecord, Tampering, verify
from secure_openai.testing.audit_contract import event

NOW = datetime(2030, 1, 2, tzinfo=UTC)
SEALED = (4, 8)
"""After which records the chain is sealed; it has ten."""


class Evidence:
    """An audit of ten records, its seals and their key."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "data" / "test.db"
        self.seals = SealFolder(folder / "seals")
        self.signer = FileSigner.open(folder / "keys" / "seal.pem")

    async def write(self) -> None:
        """Write the records and seal them twice."""
        database = await Database.open(self.database)
        store = await SqliteAuditStore.open(database)
        for number in range(1, 11):
            store.append(event(number))
            await store.flush()
            if number in SEALED:
                self.seals.add(await store.head(), self.signer, now=NOW)
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

    def found(self) -> list[tuple[Tampering, int]]:
        """Return what verification names."""
        report = verify_database(self.database, self.seals.seals([self.signer.public_key]))
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
            [(Tampering.BAD_SEAL, 1), (Tampering.BAD_SEAL, 2)],
        ),
    ],
)
async def test_tampering(
    evidence: Evidence, statements: list[str], found: list[tuple[Tampering, int]]
) -> None:
    """Each tampering with the records is named with the record's number."""
    evidence.tamper(*statements)

    assert evidence.found() == found


async def test_untouched(evidence: Evidence) -> None:
    """An audit that nobody touched holds."""
    report = verify_database(evidence.database, evidence.seals.seals())

    assert (report.records, report.seals, report.sealed, report.found) == (10, 2, 8, ())


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

    assert evidence.found() == found


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

    assert evidence.found() == [(Tampering.REORDERED, 10)]


async def test_unsealed_tail(evidence: Evidence) -> None:
    """What came after the last seal can be cut off unseen: that is what a seal is for."""
    evidence.tamper("DELETE FROM audit WHERE sequence > 8")

    assert evidence.found() == []


def seal_file(evidence: Evidence, number: int) -> Path:
    """Return a seal's file."""
    return evidence.seals.folder / f"{number:08d}.jws"


def corrupt(evidence: Evidence) -> None:
    """Change the signature of the last seal."""
    file = seal_file(evidence, 2)
    head, payload, signature = file.read_text().split(".")
    file.write_text(f"{head}.{payload}.{signature[::-1]}")


def garbage(evidence: Evidence) -> None:
    """Put what is no token in the last seal's place."""
    seal_file(evidence, 2).write_bytes(b"\xff\x00 not a token")


def unsigned(evidence: Evidence) -> None:
    """Name the algorithm `none` in the last seal."""
    file = seal_file(evidence, 2)
    _, payload, _ = file.read_text().split(".")
    file.write_text(f"eyJhbGciOiJub25lIn0.{payload}.")


def unknown_key(evidence: Evidence) -> None:
    """Seal once more, with another key, and put that key beside the seals."""
    other = FileSigner.open(evidence.database.parent / "other.pem")
    head = list(evidence.seals.seals())[-1].head
    assert head is not None
    evidence.seals.add(head, other, now=NOW)


def another_type(evidence: Evidence) -> None:
    """Put something that the key signed for another purpose in the last seal's place."""
    payload = {"chain": "x", "sequence": 8, "hash": "x", "number": 2, "previous": ""}
    header = {"alg": "ES256", "typ": "JWT", "kid": evidence.signer.public_key.thumbprint()}
    token = jws.serialize_compact(
        header, json.dumps(payload), evidence.signer._key, algorithms=["ES256"]
    )
    seal_file(evidence, 2).write_text(token)


def copied(evidence: Evidence) -> None:
    """Put a copy of the first seal in the second's place."""
    shutil.copy(seal_file(evidence, 1), seal_file(evidence, 2))


def incomplete(evidence: Evidence) -> None:
    """Sign a seal without a head."""
    seal_file(evidence, 2).write_text(evidence.signer.sign(b'{"number": 2}'))


def first_removed(evidence: Evidence) -> None:
    """Remove the first seal."""
    seal_file(evidence, 1).unlink()


def sealing(**changes: object) -> Callable[[Evidence], None]:
    """Return a tampering that adds a third seal, well signed, which says something else."""

    def add(evidence: Evidence) -> None:
        head = list(evidence.seals.seals())[-1].head
        assert head is not None
        evidence.seals.add(replace(head, **changes), evidence.signer, now=NOW)  # type: ignore[arg-type]

    return add


def foreign_order(evidence: Evidence) -> None:
    """Sign a second seal that does not name the first."""
    payload = {
        "chain": next(evidence.seals.seals()).head.chain,  # type: ignore[union-attr]
        "sequence": 8,
        "hash": "x",
        "number": 2,
        "previous": "",
        "sealed_at": NOW.isoformat(),
    }
    seal_file(evidence, 2).write_text(evidence.signer.sign(json.dumps(payload).encode()))


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
        (sealing(chain="another"), 3, "belongs to another chain"),
        (sealing(hash="0" * 64), 3, "contradicts a seal before it"),
        (sealing(sequence=7), 3, "contradicts a seal before it"),
        (sealing(sequence=0), 3, "contradicts a seal before it"),
    ],
)
async def test_bad_seal(
    evidence: Evidence, tampering: Callable[[Evidence], None], number: int, sentence: str
) -> None:
    """Each tampering with the seals is named with the seal's number, once."""
    tampering(evidence)

    report = verify_database(evidence.database, evidence.seals.seals([evidence.signer.public_key]))
    assert [(item.kind, item.sequence) for item in report.found] == [(Tampering.BAD_SEAL, number)]
    assert f"Seal {number} {sentence}" in report.found[0].sentence


async def test_bad_seal_proves_nothing(evidence: Evidence) -> None:
    """A cut tail is measured against the last seal that holds."""
    corrupt(evidence)
    evidence.tamper("DELETE FROM audit WHERE sequence > 2")

    assert evidence.found() == [(Tampering.BAD_SEAL, 2), (Tampering.CUT_TAIL, 3)]


def chain(count: int) -> Iterator[StoredRecord]:
    """Yield a good chain."""
    previous = GENESIS
    for sequence in range(1, count + 1):
        digest = record_hash(sequence, "{}", previous)
        yield StoredRecord(sequence, "{}", previous, digest)
        previous = digest


def test_long_chain_is_not_kept() -> None:
    """A chain longer than what is remembered of it verifies from a stream that is read once."""
    report = verify("chain", chain(REMEMBERED * 3), [])

    assert (report.records, report.found, report.unnamed) == (REMEMBERED * 3, (), 0)


def test_much_is_wrong() -> None:
    """So many things are named and the rest is counted."""
    wrong = (replace(record, document="[]") for record in chain(300))

    report = verify("chain", wrong, [], largest=20)
    assert ([item.sequence for item in report.found], report.unnamed) == (
        list(range(1, 21)),
        280,
    )
    assert {item.kind for item in report.found} == {Tampering.CHANGED}


def test_read_in_another_order() -> None:
    """Records that a store gives back out of order are named."""
    first, second, third = chain(3)

    report = verify("chain", [first, third, second], [])
    assert [(item.kind, item.sequence) for item in report.found] == [
        (Tampering.REMOVED, 2),
        (Tampering.REORDERED, 2),
    ]


def test_empty() -> None:
    """An empty chain without seals holds."""
    report = verify("chain", [], [])

    assert (report.records, report.seals, report.sealed, report.found) == (0, 0, 0, ())


def test_seal_of_an_empty_chain(tmp_path: Path) -> None:
    """A seal of an empty chain reaches nowhere, and the same head may be sealed twice."""
    seals = SealFolder(tmp_path / "seals")
    signer = FileSigner.open(tmp_path / "seal.pem")
    records = list(chain(2))
    for head in (ChainHead("chain", 0, GENESIS), *2 * [ChainHead("chain", 2, records[1].hash)]):
        seals.add(head, signer, now=NOW)

    report = verify("chain", records, seals.seals())
    assert (report.seals, report.sealed, report.found) == (3, 2, ())


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
