"""A small world in which instances share a quota, and everything that can go wrong does.

Instances are real `CosmosUsageStore`s with clocks that differ; the container is a dictionary whose
every call waits until chance lets it go on, before it is done and after. Calls fail before or after
they are done, instances die, close, and are opened anew. Whatever an instance admits is checked,
at that very step, against all that was admitted and used anywhere.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from secure_openai.errors import (
    AlreadyStored,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    Refused,
    StoreError,
)
from secure_openai.store.cosmos import contention, holding
from secure_openai.store.cosmos.container import ETAG, Operation, Replace, Upsert
from secure_openai.store.cosmos.holding import LARGEST_BLOCK_REQUESTS, Holding
from secure_openai.store.cosmos.ledger import CLOCK_SKEW, ledger_key
from secure_openai.store.cosmos.usage import CosmosUsageStore
from secure_openai.store.quota import Windows
from secure_openai.store.usage import Reservation, UsageTotals
from secure_openai.types import JsonObject, Limits, PrincipalId, Usage

ANNA = PrincipalId("tenant", "anna")
START = datetime(2030, 1, 2, 23, 48, tzinfo=UTC)
PLENTY = Limits(
    requests_per_minute=1_000,
    requests_per_day=10_000,
    tokens_per_minute=100_000,
    tokens_per_day=1_000_000,
    prompt_tokens=500,
    answer_tokens=500,
    concurrent_streams=100,
)
SCARCE = (
    replace(PLENTY, requests_per_minute=10),
    replace(PLENTY, requests_per_day=25),
    replace(PLENTY, tokens_per_minute=900),
    replace(PLENTY, tokens_per_day=2_500),
    replace(PLENTY, concurrent_streams=3),
    replace(PLENTY, concurrent_streams=5, tokens_per_minute=1_000, tokens_per_day=4_000),
)
LONGEST = 60.0
"""Seconds that a reservation lasts at most."""

SKEW = 14.0
"""Two clocks differ by twice this at most, a little less than `CLOCK_SKEW`."""


@dataclass
class Fact:
    """What truly happened to a reservation.

    Attributes:
        used: What `settle` was told, once it was called.
        durable: Whether it came back.
        over: Whether it was released.
    """

    instance: Instance
    reservation: Reservation
    used: int | None = None
    durable: bool = False
    over: bool = False

    def __post_init__(self) -> None:
        self.expires = self.reservation.expires

    def lapsed(self) -> bool:
        """Return whether it has expired by the clock of whoever made it."""
        return self.expires <= self.instance.clock()

    @property
    def windows(self) -> Windows:
        """Return what it is charged to."""
        return Windows.of(self.reservation.made)

    def counts(self) -> int:
        """Return how many tokens it truly takes, as far as anybody can know."""
        if self.durable:
            return self.used or 0
        if self.over or self.lapsed():
            return 0
        return self.reservation.tokens if self.used is None else self.used

    def alive(self) -> bool:
        """Return whether it is under way."""
        return self.used is None and not self.over and not self.lapsed()


class Instance:
    """One application: a store and a clock of its own."""

    def __init__(self, world: World, skew: float) -> None:
        self.world = world
        self.skew = timedelta(seconds=skew)
        self.store = CosmosUsageStore(world, clock=self.clock)  # type: ignore[arg-type]
        self.tasks: set[asyncio.Task[None]] = set()
        self.gone = False

    def clock(self) -> datetime:
        """Return what this instance believes the time to be."""
        return self.world.time + self.skew

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin a call."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def die(self) -> None:
        """End in the middle of everything."""
        self.gone = True
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class World:
    """Time, the container, the instances and the truth."""

    def __init__(self, seed: int, *, faults: float = 0.15, conditional: bool = True) -> None:
        self.chance = random.Random(seed)
        self.time = START + timedelta(seconds=self.chance.uniform(0, 720))
        self.limits = self.chance.choice(SCARCE)
        self.lease_seconds = self.chance.choice([1.0, 15.0, 60.0])
        self.facts: list[Fact] = []
        self.wrong: list[str] = []
        self.refusals = 0
        self.lost = 0
        self.items: dict[str, JsonObject] = {}
        self.writes = 0
        self._faults = faults
        self._conditional = conditional
        self._gates: list[asyncio.Future[None]] = []
        self._holders: dict[str, Instance] = {}
        self.instances = [self._instance() for _ in range(3)]

    def _instance(self) -> Instance:
        instance = Instance(self, self.chance.uniform(-SKEW, SKEW))
        self._holders[instance.store._instance] = instance
        return instance

    # The container, as the store sees it.

    def container(self, name: str) -> World:
        """Return the only container there is."""
        assert name == "usage"
        return self

    async def gate(self, _: float = 0.0) -> None:
        """Wait until chance lets the caller go on."""
        future = asyncio.get_running_loop().create_future()
        self._gates.append(future)
        await future

    async def _call(self, done: Any) -> Any:
        await self.gate()
        fault = self.chance.random()
        if fault < self._faults / 3:
            raise OutcomeUnknown
        if fault < self._faults / 2:
            raise StoreError
        result = done()
        if fault > 1 - self._faults / 3:
            raise OutcomeUnknown
        await self.gate()
        return result

    async def read_latest(self, item_id: str, _: str) -> JsonObject | None:
        """Return an item."""
        found: JsonObject | None = await self._call(lambda: self.items.get(item_id))
        return found

    async def create(self, item: JsonObject) -> JsonObject:
        """Store an item."""

        def done() -> JsonObject:
            if item["id"] in self.items and self._conditional:
                raise AlreadyStored
            return self._store(item)

        created: JsonObject = await self._call(done)
        return created

    async def replace(self, item: JsonObject, *, etag: str) -> JsonObject:
        """Write over an item."""
        replaced: JsonObject = await self._call(lambda: self._replace(item, etag))
        return replaced

    async def batch(self, _: str, operations: list[Operation]) -> list[JsonObject]:
        """Replace the first, and store the others."""
        first, *others = operations
        assert isinstance(first, Replace)

        def done() -> list[JsonObject]:
            results = [self._replace(first.item, first.etag)]
            for other in others:
                assert isinstance(other, Upsert)
                results.append(self._store(other.item))
            return results

        stored: list[JsonObject] = await self._call(done)
        return stored

    def _replace(self, item: JsonObject, etag: str) -> JsonObject:
        if item["id"] not in self.items:
            raise NotFound
        if self._conditional and self.items[item["id"]][ETAG] != etag:
            raise PreconditionFailed
        return self._store(item)

    def _store(self, item: JsonObject) -> JsonObject:
        self.writes += 1
        self.items[item["id"]] = {**item, ETAG: str(self.writes)}
        return self.items[item["id"]]

    # What happens.

    async def run(self, steps: int) -> None:
        """Let things happen, then let everybody end and compare what is kept with the truth."""
        for _ in range(steps):
            await self._step()
            if self.wrong:
                return
        await self._end()
        self._compare()
        if not self.wrong:
            await self._give_everything_out()

    async def _step(self) -> None:
        what = self.chance.random()
        living = self.chance.choice(self.instances)
        mine = [fact for fact in self.facts if fact.instance is living and not fact.over]
        if what < 0.22:
            living.start(self._reserve(living, self.chance.randint(1, 300)))
        elif what < 0.30 and mine:
            living.start(self._settle(self.chance.choice(mine[-8:])))
        elif what < 0.32 and mine:
            living.start(self._release(self.chance.choice(mine[-8:])))
        elif what < 0.38 and mine:
            living.start(self._renew(self.chance.choice(mine[-8:])))
        elif what < 0.44:
            self.time += timedelta(seconds=self.chance.uniform(0, 25))
        elif what < 0.45:
            await self._lose(living)
        elif self._gates:
            self._open(self.chance.randrange(len(self._gates)))
        await self._settle_down()

    async def _lose(self, instance: Instance) -> None:
        """Let an instance die, or close in order; another takes its place."""
        self.lost += 1
        if self.chance.random() < 0.5:
            instance.start(instance.store.aclose())
        else:
            await instance.die()
        self.instances[self.instances.index(instance)] = self._instance()

    def _open(self, number: int) -> None:
        gate = self._gates.pop(number)
        if not gate.done():
            gate.set_result(None)

    async def _settle_down(self) -> None:
        """Let everybody go on who waits for nothing but a turn."""
        for _ in range(8):
            await asyncio.sleep(0)

    async def _reserve(self, instance: Instance, tokens: int) -> None:
        try:
            await instance.store.reserve(
                ANNA,
                "gpt",
                tokens=tokens,
                limits=self.limits,
                now=instance.clock(),
                lifetime=self.chance.uniform(5, LONGEST),
            )
        except Refused:
            self.refusals += 1
        except StoreError:
            pass

    async def _settle(self, fact: Fact) -> None:
        if fact.over:
            return
        tokens = self.chance.randint(0, fact.reservation.tokens)
        if fact.used is None:
            fact.used = tokens
        # Settled again, it is told another number, which must not count.
        try:
            await fact.instance.store.settle(fact.reservation, Usage(0, tokens))
        except StoreError:
            return
        fact.durable = True

    async def _release(self, fact: Fact) -> None:
        if fact.used is None:
            fact.over = True
        await fact.instance.store.release(fact.reservation)

    async def _renew(self, fact: Fact) -> None:
        expires = fact.instance.clock() + timedelta(seconds=self.chance.uniform(5, LONGEST))
        try:
            await fact.instance.store.renew(fact.reservation, expires=expires)
        except StoreError:
            return

    # What is checked.

    def admitted(self, holder: str, reservation: Reservation) -> None:
        """Note an admission; find it wrong if it is over a limit with all that truly counts."""
        windows = Windows.of(reservation.made)
        minute = [fact for fact in self.facts if fact.windows.minute == windows.minute]
        day = [fact for fact in self.facts if fact.windows.day == windows.day]
        for what, taken, limit in (
            ("requests a minute", len(minute) + 1, self.limits.requests_per_minute),
            ("requests a day", len(day) + 1, self.limits.requests_per_day),
            (
                "tokens a minute",
                sum(fact.counts() for fact in minute) + reservation.tokens,
                self.limits.tokens_per_minute,
            ),
            (
                "tokens a day",
                sum(fact.counts() for fact in day) + reservation.tokens,
                self.limits.tokens_per_day,
            ),
            (
                "under way",
                sum(fact.alive() for fact in self.facts) + 1,
                self.limits.concurrent_streams,
            ),
        ):
            if taken > limit:
                self.wrong.append(f"admitted over the limit: {taken} {what}")
        self.facts.append(Fact(self._holders[holder], reservation))

    def renewed(self, reservation: Reservation, expires: datetime) -> None:
        """Note until when a reservation counts."""
        for fact in self.facts:
            if fact.reservation.id == reservation.id:
                fact.expires = max(fact.expires, expires)

    async def _end(self) -> None:
        """Let everything that was begun end, without any fault, and every settlement be written."""
        self._faults = 0.0
        await self._drain()
        for fact in self.facts:
            if fact.used is not None and not fact.durable and not fact.instance.gone:
                fact.instance.start(self._settle(fact))
        await self._drain()

    async def _drain(self) -> None:
        await self._settle_down()
        while self._gates:
            self._open(0)
            await self._settle_down()

    def _compare(self) -> None:
        ledger = self.items.get(ledger_key("gpt"), {"leases": {}})
        kept: Counter[str] = Counter()
        claimed: Counter[str] = Counter()
        for lease in ledger["leases"].values():
            for label, claim in lease["days"].items():
                kept[label] += claim["settled"]
                claimed[label] += claim["claimed_requests"]
        for label in {fact.windows.day for fact in self.facts}:
            facts = [fact for fact in self.facts if fact.windows.day == label]
            least = sum(fact.used or 0 for fact in facts if fact.durable)
            most = sum(fact.used or 0 for fact in facts)
            if not least <= kept[label] <= most:
                self.wrong.append(f"{kept[label]} tokens are kept of {least} to {most}: {label}")
            # An admission that nobody could be told of claims one as well.
            idle = (LARGEST_BLOCK_REQUESTS + 1) * len(self._holders)
            if not len(facts) <= claimed[label] <= len(facts) + idle:
                self.wrong.append(f"{claimed[label]} requests count of {len(facts)}: {label}")

    async def _give_everything_out(self) -> None:
        """When every lease has ended, all that was not used can be had again, and no more."""
        self.time += timedelta(seconds=LONGEST + self.lease_seconds) + 2 * CLOCK_SKEW
        fresh = self._instance()
        day = Windows.of(fresh.clock()).day
        ledger = self.items.get(ledger_key("gpt"), {"leases": {}})
        days = [lease["days"][day] for lease in ledger["leases"].values() if day in lease["days"]]
        used = sum(one["settled"] for one in days)
        requests = sum(one["claimed_requests"] for one in days)
        counted = asyncio.ensure_future(fresh.store.totals(ANNA, "gpt", now=fresh.clock()))
        await self._drain()
        counts = counted.result()
        made = sum(fact.windows.day == day for fact in self.facts)
        if not (
            made <= counts.requests_today <= requests
            and counts == UsageTotals(0, 0, used, 0, counts.requests_today)
        ):
            self.wrong.append(f"{used} tokens were used and this counts: {counts}")
        left = min(self.limits.tokens_per_minute, self.limits.tokens_per_day - used)
        more = min(1, self.limits.requests_per_day - requests)
        for tokens, admitted in ((left + 1, 0), (left, more)):
            before = len(self.facts)
            fresh.start(self._reserve(fresh, tokens))
            await self._drain()
            if len(self.facts) != before + admitted:
                self.wrong.append(f"{left} tokens are free: {tokens} were asked for")


def watch(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Let a world see every admission and every renewal at the step at which it happens."""
    admit, set_expires = Holding.admit, Holding.renew

    def admitted(self: Holding, reservation: Reservation) -> None:
        world.admitted(self._instance, reservation)
        admit(self, reservation)

    def renewed(self: Holding, reservation: Reservation, expires: datetime) -> None:
        set_expires(self, reservation, expires)
        if self.holds(reservation):
            world.renewed(reservation, expires)

    monkeypatch.setattr(Holding, "admit", admitted)
    monkeypatch.setattr(Holding, "renew", renewed)
    monkeypatch.setattr(contention, "sleep", world.gate)
    monkeypatch.setattr(holding, "LEASE_SECONDS", world.lease_seconds)
