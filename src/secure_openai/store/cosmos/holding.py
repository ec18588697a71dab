"""A holding: what this instance has reserved and used of one ledger, and the lease that covers it.

It does no input or output, and each of its methods is one step: nothing else runs in between.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from secure_openai.store.cosmos.ledger import (
    DAYS_CLAIMED,
    MINUTES_KEPT,
    DayClaim,
    Lease,
    MinuteClaim,
    claimed_by_others,
    lease_in,
)
from secure_openai.store.quota import Windows, with_request
from secure_openai.store.usage import Reservation, UsageTotals
from secure_openai.types import JsonObject, Limits, PrincipalId, ReservationId, Usage

LEASE_SECONDS = 60.0
"""How much longer a lease lasts than what is reserved under it: what is reserved within that time
needs no write."""

FRACTION = 4
"""A block takes at most this part of what is left, so that a few instances share a small quota."""

LARGEST_BLOCK_REQUESTS = 8
LARGEST_BLOCK_STREAMS = 2


@dataclass(slots=True)
class Held:
    """A reservation that was neither settled nor released."""

    reservation: Reservation
    windows: Windows
    expires: datetime
    lapsed: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Quota that is claimed and not reserved yet."""

    requests: int = 0
    tokens: int = 0
    streams: int = 0


def block_of(limits: Limits, totals: UsageTotals, tokens: int) -> Block:
    """Return how much to claim for requests to come, when `totals` are claimed and `limits` hold.

    Args:
        limits: What the principal may use.
        totals: What is claimed, the request at hand included.
        tokens: What the request at hand takes: the next ones may be like it.
    """
    left = min(
        limits.tokens_per_minute - totals.tokens_this_minute,
        limits.tokens_per_day - totals.tokens_today,
    )
    requests = min(
        limits.requests_per_minute - totals.requests_this_minute,
        limits.requests_per_day - totals.requests_today,
    )
    streams = limits.concurrent_streams - totals.concurrent
    return Block(
        requests=max(0, min(requests // FRACTION, LARGEST_BLOCK_REQUESTS)),
        tokens=max(0, min(left // FRACTION, FRACTION * tokens)),
        streams=max(0, min(streams // FRACTION, LARGEST_BLOCK_STREAMS)),
    )


class Holding:
    """What one instance holds of one ledger.

    Attributes:
        ledger: The ledger as this instance last read or wrote it; `None` while that is not known.
        lock: Held by whoever reads and writes the ledger.
        changes: How many settlements there were.
        written: Up to which of them the ledger knows.
        admitted: How many requests were admitted.
        told: Up to which of them the ledger knows.
    """

    def __init__(self, principal: PrincipalId, deployment: str, instance: str) -> None:
        self.principal = principal
        self.deployment = deployment
        self.ledger: JsonObject | None = None
        self.lock = asyncio.Lock()
        self.changes = 0
        self.written = 0
        self.admitted = 0
        self.told = 0
        self._instance = instance
        self._held: dict[ReservationId, Held] = {}
        self._requests: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._prompt: Counter[str] = Counter()
        self._limits: Limits | None = None
        self._seen: datetime | None = None
        self._new = True

    @property
    def lease(self) -> Lease | None:
        """Return this instance's lease, where the ledger is known and has one."""
        return lease_in(self.ledger, self._instance)

    @property
    def idle(self) -> bool:
        """Return whether nothing would be lost if this were forgotten."""
        told = self.written == self.changes and self.told == self.admitted
        return told and not self._held and not self.lock.locked()

    def now(self, clock: datetime) -> datetime:
        """Return the later of a clock and the last instant that a request spoke of."""
        return clock if self._seen is None else max(clock, self._seen)

    def learn(self, ledger: JsonObject) -> None:
        """Take the ledger as it was read or written.

        A holding that was forgotten and begins again goes on where its lease stands: what was
        claimed of the minutes counts as used, since it may have been; of the days it had told all.
        """
        self.ledger = ledger
        lease = self.lease
        if self._new and lease is not None:
            for label, minute in (lease.minutes or {}).items():
                self._requests[label] += minute.requests
                self._tokens[label] += minute.tokens
            for label, day in (lease.days or {}).items():
                self._requests[label] += day.requests
                self._tokens[label] += day.settled
                self._prompt[label] += day.prompt
        self._new = False

    def used(self, now: datetime) -> UsageTotals:
        """Return what this instance has used and reserved at `now`."""
        windows = Windows.of(now)
        alive = list(self._alive(now))
        return UsageTotals(
            requests_this_minute=self._requests[windows.minute],
            tokens_this_minute=self._tokens[windows.minute]
            + sum(one.reservation.tokens for one in alive if one.windows.minute == windows.minute),
            tokens_today=self._tokens[windows.day]
            + sum(one.reservation.tokens for one in alive if one.windows.day == windows.day),
            concurrent=len(alive),
            requests_today=self._requests[windows.day],
        )

    def _alive(self, now: datetime) -> Iterator[Held]:
        return (one for one in self._held.values() if one.expires > now and not one.lapsed)

    def lapse(self, now: datetime) -> None:
        """Let what has expired count no more, whatever a clock that goes back may say later."""
        for one in self._held.values():
            one.lapsed = one.lapsed or one.expires <= now

    def covers(self, tokens: int, limits: Limits, now: datetime, expires: datetime) -> bool:
        """Return whether the lease has room for one more request of `tokens`.

        The block was claimed under the limits of then: under narrower ones it has to be claimed
        again.
        """
        lease, claimed_under = self.lease, self._limits
        if lease is None or claimed_under is None or expires.timestamp() > lease.expires:
            return False
        windows, used = Windows.of(now), self.used(now)
        minute, day = lease.minute(windows.minute), lease.day(windows.day)
        return (
            used.requests_this_minute + 1 <= minute.requests
            and used.tokens_this_minute + tokens <= minute.tokens
            and used.tokens_today + tokens <= day.claimed
            and used.concurrent + 1 <= lease.streams
            and used.requests_today + 1 <= day.claimed_requests
            and limits.requests_per_minute >= claimed_under.requests_per_minute
            and limits.requests_per_day >= claimed_under.requests_per_day
            and limits.tokens_per_minute >= claimed_under.tokens_per_minute
            and limits.tokens_per_day >= claimed_under.tokens_per_day
            and limits.concurrent_streams >= claimed_under.concurrent_streams
        )

    def claim(self, tokens: int, limits: Limits, now: datetime, expires: datetime) -> Lease:
        """Return a lease with room for one more request of `tokens`, and a block beside it."""
        used = self.used(now)
        others = claimed_by_others(self.ledger, self._instance, now)
        after = with_request(sum_of(used, others), tokens)
        block = block_of(limits, after, tokens)
        return self._lease(
            now,
            Block(block.requests + 1, block.tokens + tokens, block.streams + 1),
            self.lasting(expires),
        )

    def lasting(self, expires: datetime) -> float:
        """Return when a lease ends that covers everything held, and a reservation until then."""
        last = max((one.expires for one in self._held.values() if not one.lapsed), default=expires)
        return max(last, expires).timestamp() + LEASE_SECONDS

    def claimed(self, limits: Limits, now: datetime) -> None:
        """Note under which limits the lease was claimed, and at which instant."""
        self._limits = limits
        self._seen = self.now(now)

    def remaining(self, now: datetime, *, tokens: int = 0, expires: float | None = None) -> Lease:
        """Return the lease as it should be written when nothing more is claimed.

        What is left of the block stays with it, up to the size that a block would have.

        Args:
            now: The instant.
            tokens: What a request takes; 0 gives the block back.
            expires: Until when the lease is to last; as long as it does unless given.
        """
        lease = self.lease or Lease()
        block = Block()
        if self._limits is not None and tokens:
            windows, used = Windows.of(now), self.used(now)
            others = claimed_by_others(self.ledger, self._instance, now)
            most = block_of(self._limits, sum_of(used, others), tokens)
            minute, day = lease.minute(windows.minute), lease.day(windows.day)
            left = min(minute.tokens - used.tokens_this_minute, day.claimed - used.tokens_today)
            requests = min(
                minute.requests - used.requests_this_minute,
                day.claimed_requests - used.requests_today,
            )
            block = Block(
                max(0, min(most.requests, requests)),
                max(0, min(most.tokens, left)),
                max(0, min(most.streams, lease.streams - used.concurrent)),
            )
        # A ledger that was erased meanwhile has no lease: what is alive is covered all the same.
        alive = [one.expires.timestamp() for one in self._alive(now)]
        return self._lease(now, block, expires or max([lease.expires, *alive]))

    def _lease(self, now: datetime, block: Block, expires: float) -> Lease:
        self._forget(now)
        windows = Windows.of(now)
        alive = list(self._alive(now))
        minutes: dict[str, MinuteClaim] = {}
        days: dict[str, DayClaim] = {}
        for label in {*self._requests, *self._tokens, windows.minute, windows.day}:
            current = label in {windows.minute, windows.day}
            reserved = sum(
                one.reservation.tokens
                for one in alive
                if label in {one.windows.minute, one.windows.day}
            ) + (block.tokens if current else 0)
            requests = self._requests[label] + (block.requests if current else 0)
            if len(label) > len(windows.day):
                minutes[label] = MinuteClaim(requests, self._tokens[label] + reserved)
            else:
                settled = self._tokens[label]
                days[label] = DayClaim(
                    settled=settled,
                    claimed=settled + reserved,
                    requests=self._requests[label],
                    prompt=self._prompt[label],
                    claimed_requests=requests,
                )
        return Lease(expires, len(alive) + block.streams, minutes, days)

    def _forget(self, now: datetime) -> None:
        oldest_minute = Windows.of(now - MINUTES_KEPT).minute
        oldest_day = Windows.of(now - DAYS_CLAIMED).day
        for counter in (self._requests, self._tokens, self._prompt):
            for label in list(counter):
                if label < (oldest_minute if len(label) > len(oldest_day) else oldest_day):
                    del counter[label]
        for one in list(self._held.values()):
            # Reserved and never settled: kept for its day and the next, its answer may yet be.
            if one.windows.day < oldest_day:
                del self._held[one.reservation.id]

    def admit(self, reservation: Reservation) -> None:
        """Reserve what the lease covers."""
        windows = Windows.of(reservation.made)
        self._held[reservation.id] = Held(reservation, windows, reservation.expires)
        self.admitted += 1
        for label in (windows.minute, windows.day):
            self._requests[label] += 1

    def holds(self, reservation: Reservation) -> bool:
        """Return whether a reservation was neither settled nor released, and has not lapsed."""
        held = self._held.get(reservation.id)
        return held is not None and not held.lapsed

    def renew(self, reservation: Reservation, expires: datetime) -> None:
        """Let a reservation that the lease covers until then last until then, never shorter."""
        if self.holds(reservation):
            held = self._held[reservation.id]
            held.expires = max(held.expires, expires)

    def settle(self, reservation: Reservation, usage: Usage) -> int:
        """Put what was used in the place of what was reserved, once.

        Returns the number that `written` must reach before the ledger knows of it.
        """
        held = self._held.pop(reservation.id, None)
        if held is not None:
            for label in (held.windows.minute, held.windows.day):
                self._tokens[label] += usage.total_tokens
            self._prompt[held.windows.day] += usage.prompt_tokens
            self.changes += 1
        return self.changes

    def release(self, reservation: Reservation) -> None:
        """Give a reservation's tokens back to the block."""
        self._held.pop(reservation.id, None)


def sum_of(one: UsageTotals, other: UsageTotals) -> UsageTotals:
    """Return both together."""
    return UsageTotals(
        one.requests_this_minute + other.requests_this_minute,
        one.tokens_this_minute + other.tokens_this_minute,
        one.tokens_today + other.tokens_today,
        one.concurrent + other.concurrent,
        one.requests_today + other.requests_today,
    )
