"""Usage in Cosmos DB: an exact quota that instances share by leases.

One item, the *ledger*, stands for a principal's use of a deployment. In it every instance has one
*lease*: what it claims, in absolute numbers. A claim is what the instance has used, what it has
reserved, and a *block* beside them, from which the next requests are reserved without asking
anybody. Every write of the ledger is conditional on its etag, so claims are decided one after the
other, each knowing all others.

- *reserve* takes from the block where it has room and the lease lasts long enough; otherwise it
  writes the ledger with a larger claim, if the claims of all together stay within the limits, and
  refuses if not.
- *settle* returns once the ledger says what was used. *release* gives back to the block.
- *renew* prolongs the lease where it would end first. A reservation that has lapsed stays so: its
  tokens may be another's by now. Its answer is charged all the same when it is settled.
- A lease that nobody prolongs ends. Its block and what was reserved under it count no more; what
  was settled, whatever was claimed of a minute, and the requests claimed of a day, do.

What always holds, as long as clocks differ by no more than `CLOCK_SKEW`:

1. *Nothing over the limits is admitted.* What is reserved or used by an instance lies within its
   claim, and a claim grows only by a conditional write that finds the claims of all within the
   limits. A lease's holder spends nothing from it after it has ended by its own clock; others
   believe it ended only `CLOCK_SKEW` later by theirs. (Only an answer that took more than was
   reserved, or outlived its reservation, can exceed a limit: it is charged as it was.)
2. *Nothing is charged twice, nothing settled is lost*, whatever is repeated or cut off: numbers are
   absolute, and an instance writes only its own. The name of an instance is drawn when the store is
   opened and never again.
3. *No more than the blocks of living leases lies idle.* A refusal is one that would stand if every
   block were used; leases end `LEASE_SECONDS` after what was reserved under them. Of a day's
   requests, the block of an instance that writes no more (`LARGEST_BLOCK_REQUESTS` at most) is idle
   until the day turns: how many of them it made, it alone knows.

A request is charged to the UTC minute and day of `Reservation.made`, by the clock of whoever
reserved; windows are told apart by name, so clocks that differ at the turn of a minute charge
different ones, each within its limit. Where two calls name different limits, a block counts as
used when it was claimed. A reservation is settled, released and renewed by the instance that made
it; to any other it is unknown, and nothing happens. Whoever deletes a ledger, or loses its last
writes in a failover to another region, loses what they counted.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from secure_openai.errors import AlreadyStored, NotFound, Refused, StoreError
from secure_openai.fresh_ids import fresh_id
from secure_openai.store.cosmos.container import ETAG, Replace, Upsert
from secure_openai.store.cosmos.contention import contended, until_decided
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.holding import Holding, sum_of
from secure_openai.store.cosmos.ledger import (
    Lease,
    blank,
    certain_of_others,
    claimed_by_others,
    first_end_of_others,
    ledger_key,
    requests_set_aside,
    with_lease,
)
from secure_openai.store.cosmos.totals import Totals
from secure_openai.store.cosmos.translation import BUSY
from secure_openai.store.quota import refusal_of, standing_of
from secure_openai.store.usage import Reservation, UsageDay, UsageTotals
from secure_openai.types import (
    Clock,
    Decision,
    JsonObject,
    Limits,
    Page,
    PrincipalId,
    Reason,
    ReservationId,
    Standing,
    Usage,
    utc_now,
)

logger = logging.getLogger(__name__)

RESERVE_SECONDS = 15.0
"""How long a request waits for its reservation at most, those before it included."""

MOST_HOLDINGS = 10_000
"""How many ledgers are remembered; of those with nothing under way, the longest unused go first."""


class CosmosUsageStore:
    """Implements `UsageStore`."""

    def __init__(self, database: CosmosDatabase, *, clock: Clock = utc_now) -> None:
        self._container = database.container("usage")
        self._totals = Totals(self._container)
        self._clock = clock
        self._instance = secrets.token_hex(8)
        self._holdings: OrderedDict[tuple[PrincipalId, str], Holding] = OrderedDict()
        self._closed = False

    async def reserve(
        self,
        principal: PrincipalId,
        deployment: str,
        *,
        tokens: int,
        limits: Limits,
        now: datetime,
        lifetime: float,
    ) -> Reservation:
        """Set quota aside, or refuse."""
        if self._closed:
            raise StoreError("The store is closed.")
        reservation = Reservation(
            id=ReservationId(fresh_id()),
            principal=principal,
            deployment=deployment,
            tokens=tokens,
            made=now,
            expires=now + timedelta(seconds=lifetime),
        )
        try:
            async with asyncio.timeout(RESERVE_SECONDS):
                holding = self._holding(principal, deployment)
                standing = await self._reserve(holding, reservation, limits)
        except TimeoutError:
            raise StoreError(BUSY, retry_after=1.0) from None
        return reservation._replace(standing=standing)

    async def _reserve(
        self, holding: Holding, reservation: Reservation, limits: Limits
    ) -> Standing:
        tokens, now = reservation.tokens, reservation.made
        async with holding.lock:
            holding.lapse(now)
            if not holding.covers(tokens, limits, now, reservation.expires):
                # Others can only add to what this instance has used itself.
                refusal = refusal_of(holding.used(now), tokens, limits, now.timestamp())
                if refusal is not None:
                    raise Refused(refusal)
                await self._claim(holding, reservation, limits)
            if self._clock() >= reservation.expires:
                raise StoreError(BUSY, retry_after=1.0)
            holding.admit(reservation)
            others = claimed_by_others(holding.ledger, self._instance, now)
            return standing_of(sum_of(holding.used(now), others), limits, now.timestamp())

    async def _claim(self, holding: Holding, reservation: Reservation, limits: Limits) -> None:
        tokens, now = reservation.tokens, reservation.made

        async def attempt() -> None:
            known = holding.ledger is not None
            ledger = await self._ledger(holding)
            refusal = self._refusal(holding, ledger, tokens, limits, now)
            if refusal is not None and known:
                # Others may have given back since this was read.
                holding.ledger = None
                ledger = await self._ledger(holding)
                refusal = self._refusal(holding, ledger, tokens, limits, now)
            if refusal is not None:
                raise Refused(refusal)
            await self._write(holding, holding.claim(tokens, limits, now, reservation.expires), now)
            holding.claimed(limits, now)

        await until_decided(attempt)

    def _refusal(
        self, holding: Holding, ledger: JsonObject, tokens: int, limits: Limits, now: datetime
    ) -> Decision | None:
        used = holding.used(now)
        others = claimed_by_others(ledger, self._instance, now)
        refusal = refusal_of(sum_of(used, others), tokens, limits, now.timestamp())
        if refusal is not None and refusal.reason is Reason.REQUESTS_PER_DAY:
            return _of_requests_a_day(
                refusal, *requests_set_aside(ledger, self._instance, now), limits
            )
        if refusal is None or refusal.reason is not Reason.TOKENS_PER_DAY:
            return refusal
        # Not tomorrow, where it is only another's block that stands in the way.
        certain = certain_of_others(ledger, self._instance, now)
        without = refusal_of(sum_of(used, certain), tokens, limits, now.timestamp())
        if without is None or without.reason is not Reason.TOKENS_PER_DAY:
            return replace(refusal, retry_after=first_end_of_others(ledger, self._instance, now))
        return refusal

    async def renew(self, reservation: Reservation, *, expires: datetime) -> None:
        """Keep a reservation alive for longer; nothing happens if it is gone or has lapsed."""
        holding = self._holdings.get((reservation.principal, reservation.deployment))
        if holding is None:
            return
        async with holding.lock:
            await until_decided(lambda: self._renew(holding, reservation, expires))

    async def _renew(self, holding: Holding, reservation: Reservation, expires: datetime) -> None:
        await self._ledger(holding)
        # Looked at after the ledger was read: as long as the reservation has not lapsed, whoever
        # wrote the ledger before has counted it, and whoever writes it meanwhile is found out.
        now = holding.now(self._clock())
        holding.lapse(now)
        if not holding.holds(reservation):
            return
        lease = holding.lease
        if lease is None or expires.timestamp() > lease.expires:
            until = holding.lasting(expires)
            remaining = holding.remaining(now, tokens=reservation.tokens, expires=until)
            await self._write(holding, remaining, now)
        holding.renew(reservation, expires)

    def settle(self, reservation: Reservation, usage: Usage) -> asyncio.Future[None]:
        """Put what was used in the place of what was reserved, in the windows of `made`."""
        holding = self._holdings.get((reservation.principal, reservation.deployment))
        if holding is None:
            return _done()
        change = holding.settle(reservation, usage)
        return asyncio.ensure_future(self._settle(holding, reservation, change))

    async def _settle(self, holding: Holding, reservation: Reservation, change: int) -> None:
        async with holding.lock:
            # Whoever had the lock before may have written this along with their own.
            if holding.written >= change:
                return
            now = holding.now(self._clock())
            holding.lapse(now)

            async def attempt() -> None:
                await self._ledger(holding)
                await self._write(holding, holding.remaining(now, tokens=reservation.tokens), now)

            await until_decided(attempt)

    def release(self, reservation: Reservation) -> asyncio.Future[None]:
        """Give the tokens back: the model did no work."""
        holding = self._holdings.get((reservation.principal, reservation.deployment))
        if holding is not None:
            holding.release(reservation)
        return _done()

    async def totals(
        self, principal: PrincipalId, deployment: str, *, now: datetime
    ) -> UsageTotals:
        """Return what counts at `now`: of other instances, what they claim."""
        ledger = await self._container.read_latest(ledger_key(deployment), principal.key)
        holding = self._holdings.get((principal, deployment))
        if holding is None:
            return claimed_by_others(ledger, "", now)
        return sum_of(holding.used(now), claimed_by_others(ledger, self._instance, now))

    async def of(self, principal: PrincipalId) -> Sequence[UsageDay]:
        """Return what a principal used, by day and deployment."""
        return await self._totals.of(principal)

    async def roll_up(self, *, now: datetime) -> int:
        """Bring the totals of days up to what was used."""
        return await self._totals.roll_up(now)

    async def day(
        self, day: str, *, limit: int = 100, continuation: str | None = None
    ) -> Page[UsageDay]:
        """Return the totals of a UTC day."""
        return await self._totals.day(day, limit=limit, continuation=continuation)

    async def erase(self, principal: PrincipalId, *, until: str) -> int:
        """Drop what is counted of a principal's days up to `until`."""
        return await self._totals.erase(principal, until)

    async def aclose(self) -> None:
        """Give every block back, as far as the store can be reached; reserve nothing any more."""
        self._closed = True
        for holding in self._holdings.values():
            async with holding.lock:
                try:
                    # Another instance may have written since: that is no reason to keep a block.
                    await until_decided(partial(self._give_back, holding))
                except StoreError:
                    logger.warning("a lease was not given back: it ends by itself")
                    return

    async def _give_back(self, holding: Holding) -> None:
        await self._ledger(holding)
        now = holding.now(self._clock())
        if holding.lease is not None and now.timestamp() <= holding.lease.expires:
            await self._write(holding, holding.remaining(now), now)

    async def _ledger(self, holding: Holding) -> JsonObject:
        """Return the ledger as this instance knows it, read if it does not."""
        if holding.ledger is None:
            key = ledger_key(holding.deployment)
            stored = await self._container.read_latest(key, holding.principal.key)
            holding.learn(stored or blank(holding.principal, holding.deployment))
        assert holding.ledger is not None  # noqa: S101 - learnt or known
        return holding.ledger

    async def _write(self, holding: Holding, lease: Lease, now: datetime) -> None:
        """Write this instance's lease into the ledger that it knows.

        Until the write has come back, the ledger is not known: whoever is cut off in between
        reads it again before anything is reserved.
        """
        ledger = holding.ledger
        assert ledger is not None  # noqa: S101 - whoever writes has read
        change, admitted = holding.changes, holding.admitted
        item, days = with_lease(ledger, self._instance, lease, now)
        holding.ledger = None
        with contended(AlreadyStored, NotFound):
            if ETAG not in ledger:
                stored = await self._container.create(item)
            elif not days:
                stored = await self._container.replace(item, etag=ledger[ETAG])
            else:
                stored, *_ = await self._container.batch(
                    holding.principal.key,
                    [Replace(item, ledger[ETAG]), *(Upsert(day) for day in days)],
                )
        holding.learn(stored)
        holding.written, holding.told = change, admitted

    def _holding(self, principal: PrincipalId, deployment: str) -> Holding:
        key = (principal, deployment)
        holding = self._holdings.get(key)
        if holding is None:
            if len(self._holdings) >= MOST_HOLDINGS:
                self._forget_one()
            holding = self._holdings[key] = Holding(principal, deployment, self._instance)
        self._holdings.move_to_end(key)
        return holding

    def _forget_one(self) -> None:
        for key, holding in self._holdings.items():
            if holding.idle:
                del self._holdings[key]
                return


def _done() -> asyncio.Future[None]:
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def _of_requests_a_day(
    refusal: Decision, aside: int, ends: float | None, limits: Limits
) -> Decision:
    """Return a refusal of requests a day that says what others may still give back."""
    if not aside:
        return refusal
    set_aside = (
        f"Of your {limits.requests_per_day} requests a day (UTC) {aside} are set aside where other "
        "instances of this server answer you, the others are made."
    )
    if ends is None or refusal.retry_after is None or ends > refusal.retry_after:
        return replace(refusal, detail=f"{set_aside} Come back tomorrow.")
    return replace(
        refusal,
        detail=f"{set_aside} What they do not need they give back: ask again then.",
        retry_after=ends,
    )
