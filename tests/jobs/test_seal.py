"""Sealing the audit: run twice, cut off, and by several at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secure_openai.errors import AuditUnavailable, StoreError
from secure_openai.jobs import seal as seal_job
from secure_openai.jobs.seal import seal
from secure_openai.store.audit import AuditStore, ChainHead, SealNote
from secure_openai.store.seals import Place, Seal, Seals
from secure_openai.store.signing import Signer
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.verification import verify
from secure_openai.testing.audit_contract import event
from secure_openai.testing.seals_contract import made, new_signer, sealed

NOW = datetime(2030, 1, 2, 5, tzinfo=UTC)


@pytest.fixture
async def audit(tmp_path: Path) -> AsyncIterator[SqliteAuditStore]:
    """Return an audit of three records."""
    database = await Database.open(tmp_path / "data" / "test.db")
    store = await SqliteAuditStore.open(database)
    for number in range(3):
        store.append(event(number))
    yield store
    await store.aclose()
    await database.aclose()


@pytest.fixture
def seals(tmp_path: Path) -> Seals:
    """Return a place of seals."""
    return Seals.in_folder(tmp_path / "seals")


def clock() -> datetime:
    """Return a time."""
    return NOW


class Listed:
    """An audit whose heads are what a test says."""

    def __init__(self, *answers: list[ChainHead]) -> None:
        self._answers = iter(answers)
        self.asked: list[datetime | None] = []
        self.notes: list[SealNote] = []

    async def flush(self) -> None:
        """Do nothing."""

    async def heads(self, *, since: datetime | None = None) -> list[ChainHead]:
        """Return the next answer."""
        self.asked.append(since)
        return next(self._answers)

    async def note_seal(self, note: SealNote) -> None:
        """Keep the note."""
        self.notes.append(note)


def as_audit(listed: Listed) -> AuditStore:
    """Return it as what the job takes, which calls no more of it."""
    return listed  # type: ignore[return-value]


async def test_what_is_queued_is_sealed(audit: SqliteAuditStore, seals: Seals) -> None:
    """A seal reaches what was queued when it was asked for, and the audit notes it."""
    made_now = await seal(audit, seals, new_signer(), clock=clock)

    assert [head.sequence for head in made_now.heads or ()] == [3]
    assert made_now.sealed_at == NOW
    assert await audit.noted_seal() == SealNote(1, made_now.digest)


async def test_audit_that_cannot_be_written(
    audit: SqliteAuditStore, seals: Seals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While records wait that cannot be written nothing is sealed."""

    async def fails() -> None:
        raise AuditUnavailable

    monkeypatch.setattr(audit, "flush", fails)
    with pytest.raises(AuditUnavailable):
        await seal(audit, seals, new_signer())
    assert await sealed(seals) == []


async def test_twice(audit: SqliteAuditStore, seals: Seals) -> None:
    """What is sealed already is not sealed again; what is new is."""
    signer = new_signer()
    first = await seal(audit, seals, signer)
    assert await seal(audit, seals, signer) == first

    audit.append(event(4))
    second = await seal(audit, seals, signer)
    assert (second.number, second.previous) == (2, first.digest)
    assert await sealed(seals) == [first, second]
    report = await verify(audit, seals.all())
    assert (report.sealed, report.found) == (4, ())


async def test_killed_before_the_note(
    audit: SqliteAuditStore, seals: Seals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the upload and run again, it finds its seal and notes it: the same end."""
    signer = new_signer()

    async def killed(note: SealNote) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(audit, "note_seal", killed)
        with pytest.raises(asyncio.CancelledError):
            await seal(audit, seals, signer)
    assert await audit.noted_seal() is None

    again = await seal(audit, seals, signer)
    assert await sealed(seals) == [again]
    assert await audit.noted_seal() == SealNote(1, again.digest)


async def test_several_at_once(audit: SqliteAuditStore, seals: Seals) -> None:
    """Several that seal one audit at once leave one seal, or seals that follow each other."""
    signer = new_signer()
    outcomes = await asyncio.gather(*(seal(audit, seals, signer) for _ in range(6)))

    found = await sealed(seals)
    assert found == [outcomes[0]]
    assert {outcome.digest for outcome in outcomes} == {found[0].digest}
    report = await verify(audit, seals.all())
    assert (report.seals, report.found) == (1, ())


async def test_several_while_records_come(audit: SqliteAuditStore, seals: Seals) -> None:
    """While records come and several seal, no seal says less than the one before it."""
    signer = new_signer()

    async def keep_sealing(number: int) -> None:
        for step in range(4):
            audit.append(event(10 * number + step))
            await seal(audit, seals, signer)

    await asyncio.gather(*(keep_sealing(number) for number in range(4)))

    report = await verify(audit, seals.all())
    assert (report.records, report.sealed, report.found) == (19, 19, ())
    reach = [head.sequence for one in await sealed(seals) for head in one.heads or ()]
    assert reach == sorted(set(reach))


async def test_never_the_first(seals: Seals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is never the first gives up, and says why."""

    async def taken(place: Place, heads: list[ChainHead], signer: Signer, *, now: datetime) -> None:
        return None

    monkeypatch.setattr(seals, "put", taken)
    listed = Listed(*seal_job.TRIES * [[ChainHead("a", 1, "x")]])
    with pytest.raises(StoreError, match="Other processes seal"):
        await seal(as_audit(listed), seals, new_signer())
    assert listed.notes == []


async def test_empty_audit(seals: Seals) -> None:
    """An audit without a record is sealed as such, once."""
    listed = Listed([], [])
    signer = new_signer()
    first = await seal(as_audit(listed), seals, signer)

    assert (first.number, first.heads) == (1, ())
    assert await seal(as_audit(listed), seals, signer) == first


async def test_only_chains_of_since(seals: Seals) -> None:
    """The audit is asked for what may have grown since the last seal; never for the future."""
    signer = new_signer()
    heads = [[ChainHead("a", number, "x")] for number in range(1, 5)]
    listed = Listed(*heads)
    times = [NOW, NOW + timedelta(hours=1), NOW + timedelta(days=400), NOW + timedelta(hours=3)]
    for time in times:
        await seal(as_audit(listed), seals, signer, clock=lambda time=time: time)  # type: ignore[misc]

    assert listed.asked == [None, times[0], times[1], times[3]]


async def test_chain_that_ended(seals: Seals) -> None:
    """A chain that ended and is sealed leaves the seals; nothing new is sealed for its sake."""
    signer = new_signer()
    old, new = ChainHead("a", 1, "x"), ChainHead("b", 2, "y")
    listed = Listed([old], [old, new], [new])
    made_seals = [await seal(as_audit(listed), seals, signer) for _ in range(3)]

    assert [one.heads for one in made_seals] == [(old,), (old, new), (old, new)]
    assert [note.number for note in listed.notes] == [1, 2, 2]


@pytest.mark.parametrize("change", [{"sequence": 1}, {"hash": "y"}], ids=["shorter", "another"])
async def test_head_behind_what_was_sealed(
    seals: Seals, caplog: pytest.LogCaptureFixture, change: dict[str, object]
) -> None:
    """A chain that reads shorter than it was sealed stays sealed as it was, and that is said."""
    signer = new_signer()
    head, other = ChainHead("a", 2, "x"), ChainHead("b", 1, "z")
    listed = Listed([head], [replace(head, **change), other])  # type: ignore[arg-type]
    await seal(as_audit(listed), seals, signer)
    with caplog.at_level(logging.WARNING):
        second = await seal(as_audit(listed), seals, signer)

    assert second.heads == (head, other)
    assert "audit chain a reads as" in caplog.text


async def test_what_others_sealed_is_not_believed(seals: Seals) -> None:
    """A seal of a key that is not ours is no seal: everything is sealed anew."""
    theirs = await made(seals, [ChainHead("a", 9, "x")], new_signer())
    listed = Listed([ChainHead("a", 1, "y")])
    ours = await seal(as_audit(listed), seals, new_signer())

    assert (ours.number, ours.previous, listed.asked) == (2, theirs.digest, [None])
    assert ours.heads == (ChainHead("a", 1, "y"),)


async def test_taken_by_another(
    tmp_path: Path, seals: Seals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who loses a number reads the heads again: it may not seal less than the winner did."""
    signer = new_signer()
    winner: list[Seal] = []
    real = seals.put

    async def late(
        place: Place, heads: list[ChainHead], signer: Signer, *, now: datetime
    ) -> Seal | None:
        if not winner:
            other = Seals.in_folder(tmp_path / "seals")
            winner.append(await made(other, [ChainHead("a", 5, "v")], signer))
        return await real(place, heads, signer, now=now)

    monkeypatch.setattr(seals, "put", late)
    listed = Listed([ChainHead("a", 4, "u")], [ChainHead("a", 6, "w")])
    ours = await seal(as_audit(listed), seals, signer)

    assert (ours.number, ours.previous) == (2, winner[0].digest)
    assert ours.heads == (ChainHead("a", 6, "w"),)
