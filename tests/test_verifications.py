"""A verification for an administrator: bounded, one at a time, whatever dies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from secure_openai import verifications
from secure_openai.errors import StoreError
from secure_openai.store.seals import Seals
from secure_openai.store.signing import FileSigner
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.database import Database
from secure_openai.testing.audit_contract import event
from secure_openai.types import Principal, PrincipalId, PrincipalKind, utc_now
from secure_openai.verifications import LONGEST, Outcome, Verifications

ADA = Principal(PrincipalId("tenant", "ada"), PrincipalKind.PERSON, frozenset({"admin"}))


class Bench:
    """An audit with its seals, and instances that verify it."""

    def __init__(self, folder: Path, audit: SqliteAuditStore) -> None:
        self.folder, self.audit = folder, audit
        self.seals = Seals.in_folder(folder / "seals")
        self.signer = FileSigner.open(folder / "keys" / "seal.pem")

    def instance(self, *, later: timedelta = timedelta()) -> Verifications:
        """Return what another instance of the application has."""
        return Verifications(self.audit, self.seals, self.signer, clock=lambda: utc_now() + later)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """An audit of ten records."""
    database = await Database.open(tmp_path / "data" / "test.db")
    audit = await SqliteAuditStore.open(database)
    for number in range(10):
        audit.append(event(number))
    await audit.flush()
    yield Bench(tmp_path, audit)
    await audit.aclose()
    await database.aclose()


async def test_a_bounded_run_says_how_far_it_came(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the bound ends a run, what was read holds and no more is said."""
    monkeypatch.setattr(verifications, "MOST_RECORDS", 5)
    here, elsewhere = bench.instance(), bench.instance()
    await here.begin(ADA, request_id="r")
    await here.finished()

    for instance in (here, elsewhere):
        ended = await instance.latest()
        assert ended is not None
        assert (ended.outcome, ended.by) == (Outcome.PARTIAL, ADA.id)
        assert (ended.facts["records"], ended.facts["whole"]) == (5, False)


async def test_a_run_of_another_instance_is_waited_for(bench: Bench) -> None:
    """While one runs, no instance begins another; one that died counts no more after its time."""
    here, elsewhere = bench.instance(), bench.instance()
    begun = await here.begin(ADA, request_id="r")
    other = await elsewhere.begin(ADA, request_id="s")
    assert (begun.outcome, begun.here) == (Outcome.RUNNING, True)
    assert (other.outcome, other.here) == (Outcome.RUNNING, False)
    progress = await here.latest()
    assert progress is not None
    assert progress.outcome in {Outcome.RUNNING, Outcome.HOLDS}
    await here.finished()

    bench.audit.append(event(99, at=utc_now()))
    late = bench.instance(later=2 * LONGEST)
    ended = await late.latest()
    assert ended is not None
    assert ended.outcome is Outcome.HOLDS


async def test_a_run_that_died(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose end is not recorded in time has failed, and another may begin."""
    here = bench.instance()
    monkeypatch.setattr(here, "_run", lambda *_: _nothing())
    await here.begin(ADA, request_id="r")

    late = bench.instance(later=2 * LONGEST)
    died = await late.latest()
    assert died is not None
    assert died.outcome is Outcome.FAILED
    again = await late.begin(ADA, request_id="s")
    assert again.here


async def test_what_cannot_be_read_fails_and_is_recorded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that cannot be read end the run with the error's slug, and no insides."""

    async def away() -> list[object]:
        raise StoreError("a secret inside")

    monkeypatch.setattr(bench.signer, "public_keys", away)
    here = bench.instance()
    await here.begin(ADA, request_id="r")
    await here.finished()

    ended = await here.latest()
    assert ended is not None
    assert (ended.outcome, ended.facts["error"]) == (Outcome.FAILED, StoreError.slug)
    assert "secret" not in str(ended.facts)


async def test_a_process_that_ends_waits_for_no_run(bench: Bench) -> None:
    """A run is cut off with its process, which is recorded, and another instance may begin."""
    here, elsewhere = bench.instance(), bench.instance()
    await here.begin(ADA, request_id="r")
    await here.aclose()
    await here.aclose()

    cut = await elsewhere.latest()
    assert cut is not None
    assert (cut.outcome, cut.facts["error"]) == (Outcome.FAILED, "stopping")
    assert (await elsewhere.begin(ADA, request_id="s")).here
    await elsewhere.finished()


async def _nothing() -> None:
    """Do nothing."""
