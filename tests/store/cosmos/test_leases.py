"""Quota shared by instances: what holds whatever happens, and what finds it broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from secure_openai.store.cosmos import holding, ledger, usage
from secure_openai.store.cosmos.holding import Holding
from secure_openai.store.cosmos.ledger import Lease
from secure_openai.store.usage import Reservation, UsageTotals
from tests.store.cosmos.quota_world import World, watch

SEEDS = 30
STEPS = 400


async def worlds(seeds: int, **options: bool) -> list[World]:
    """Return the worlds that came about, up to the first in which something went wrong."""
    found: list[World] = []
    for seed in range(seeds):
        world = World(seed, **options)
        found.append(world)
        with pytest.MonkeyPatch.context() as watching:
            watch(watching, world)
            await world.run(STEPS)
        if world.wrong:
            break
    return found


async def test_invariants() -> None:
    """Nothing is admitted over a limit, charged twice or lost, whatever fails in whatever order."""
    lived = await worlds(SEEDS)

    assert (len(lived), lived[-1].wrong) == (SEEDS, [])
    # Quota was short, was used, and was taken over from the dead.
    assert sum(world.refusals for world in lived) > SEEDS
    assert sum(len(world.facts) for world in lived) > SEEDS
    assert sum(world.lost for world in lived) > SEEDS


def no_others(patch: pytest.MonkeyPatch) -> None:
    """Each instance believes that it is alone."""
    for module in (holding, usage):
        patch.setattr(module, "claimed_by_others", lambda *_: UsageTotals(0, 0, 0, 0, 0))


def no_skew(patch: pytest.MonkeyPatch) -> None:
    """Leases end for others at the very instant at which they end for their holders."""
    patch.setattr(ledger, "CLOCK_SKEW", timedelta(0))


def spent_after_its_end(patch: pytest.MonkeyPatch) -> None:
    """A block is spent although its lease has ended."""
    covers = Holding.covers

    def for_ever(self: Holding, *values: object) -> bool:
        lease = self.lease
        if lease is None or self.ledger is None:
            return False
        mine = self.ledger["leases"][self._instance]
        ended, mine["expires"] = mine["expires"], 1e12
        try:
            return covers(self, *values)  # type: ignore[arg-type]
        finally:
            mine["expires"] = ended

    patch.setattr(Holding, "covers", for_ever)


def charged_each_time(patch: pytest.MonkeyPatch) -> None:
    """Whoever settles twice is charged twice."""
    settle = Holding.settle

    def again(self: Holding, reservation: Reservation, *values: object) -> int:
        held = self._held.get(reservation.id)
        change = settle(self, reservation, *values)  # type: ignore[arg-type]
        if held is not None:
            self._held[reservation.id] = held
        return change

    patch.setattr(Holding, "settle", again)


def settled_in_memory(patch: pytest.MonkeyPatch) -> None:
    """Settling comes back before the ledger knows of it."""
    settle = Holding.settle

    def at_once(self: Holding, *values: object) -> int:
        settle(self, *values)  # type: ignore[arg-type]
        return 0

    patch.setattr(Holding, "settle", at_once)


def forgotten_with_the_lease(patch: pytest.MonkeyPatch) -> None:
    """What the dead have used counts no more than what they had reserved."""
    day = Lease.day
    patch.setattr(Lease, "day", lambda self, label: replace(day(self, label), settled=0))


def only_what_was_told(patch: pytest.MonkeyPatch) -> None:
    """Of a day's requests, those count that their holder has told."""
    day = Lease.day

    def told(self: Lease, label: str) -> ledger.DayClaim:
        claim = day(self, label)
        return replace(claim, claimed_requests=claim.requests)

    def others(*values: object) -> UsageTotals:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Lease, "day", told)
            return ledger.claimed_by_others(*values)  # type: ignore[arg-type]

    for module in (holding, usage):
        patch.setattr(module, "claimed_by_others", others)


def nothing_reserved_counts(patch: pytest.MonkeyPatch) -> None:
    """A lease claims what was used, and not what is reserved or blocked."""
    lease = Holding._lease

    def less(self: Holding, now: object, _: object, expires: float) -> Lease:
        return lease(self, now, holding.Block(), expires)  # type: ignore[arg-type]

    patch.setattr(Holding, "_lease", less)
    patch.setattr(Holding, "covers", lambda *_: False)


def revived(patch: pytest.MonkeyPatch) -> None:
    """A reservation that has lapsed comes back when it is renewed."""
    patch.setattr(Holding, "lapse", lambda *_: None)


def never_ending(patch: pytest.MonkeyPatch) -> None:
    """Leases of the dead count for ever."""
    patch.setattr(Lease, "counts_at", lambda *_: True)


@pytest.mark.parametrize(
    "broken",
    [
        no_others,
        no_skew,
        spent_after_its_end,
        charged_each_time,
        settled_in_memory,
        forgotten_with_the_lease,
        only_what_was_told,
        nothing_reserved_counts,
        revived,
        never_ending,
    ],
)
async def test_a_broken_invariant_is_found(
    monkeypatch: pytest.MonkeyPatch, broken: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Each way to break the algorithm is found by the same check."""
    broken(monkeypatch)

    assert (await worlds(6 * SEEDS))[-1].wrong


async def test_an_unconditional_write_is_found() -> None:
    """A store that does not compare etags is found out."""
    assert (await worlds(SEEDS, conditional=False))[-1].wrong
