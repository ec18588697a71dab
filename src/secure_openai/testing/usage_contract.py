"""What every `UsageStore` promises; subclass it and provide the fixture `store`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from secure_openai.errors import Refused, RequestError
from secure_openai.store.usage import Reservation, UsageDay, UsageStore, UsageTotals
from secure_openai.types import Limits, PrincipalId, Reason, Usage

ANNA = PrincipalId("tenant", "anna")
BEN = PrincipalId("tenant", "ben")
NOON = datetime(2030, 1, 2, 12, 0, 15, tzinfo=UTC)
LIMITS = Limits(
    requests_per_minute=100,
    requests_per_day=1_000,
    tokens_per_minute=1_000,
    tokens_per_day=5_000,
    prompt_tokens=500,
    answer_tokens=500,
    concurrent_streams=50,
)
DAY = timedelta(days=1)


async def reserve(
    store: UsageStore,
    tokens: int = 100,
    *,
    principal: PrincipalId = ANNA,
    deployment: str = "gpt",
    limits: Limits = LIMITS,
    now: datetime = NOON,
    lifetime: float = 60.0,
) -> Reservation:
    """Reserve with the values of these tests."""
    return await store.reserve(
        principal, deployment, tokens=tokens, limits=limits, now=now, lifetime=lifetime
    )


async def spend(
    store: UsageStore,
    usage: Usage,
    *,
    principal: PrincipalId = ANNA,
    deployment: str = "gpt",
    now: datetime = NOON,
) -> None:
    """Reserve and settle."""
    reservation = await reserve(store, principal=principal, deployment=deployment, now=now)
    await store.settle(reservation, usage)


async def ask_in_order(store: UsageStore) -> None:
    """Reserve what another request gives back, before it is known that it has."""
    one = replace(LIMITS, concurrent_streams=1, tokens_per_minute=500)
    settled = store.settle(await reserve(store, 500, limits=one), Usage(20, 30))
    released = store.release(await reserve(store, 450, limits=one))
    await reserve(store, 450, limits=one)
    await asyncio.gather(settled, released)

    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(3, 500, 500, 1, 3)


async def totals(store: UsageStore, day: str) -> set[UsageDay]:
    """Return the totals of a day."""
    page = await store.day(day)
    assert page.continuation is None
    return set(page.items)


class UsageStoreContract:
    """The promises of `UsageStore`."""

    @pytest.mark.parametrize(
        ("limit", "tokens", "reason", "retry_after"),
        [
            ({"requests_per_minute": 1}, 1, Reason.REQUESTS_PER_MINUTE, 45.0),
            ({"requests_per_day": 1}, 1, Reason.REQUESTS_PER_DAY, 12 * 3600 - 15.0),
            ({"tokens_per_minute": 199}, 100, Reason.TOKENS_PER_MINUTE, 45.0),
            ({"tokens_per_day": 199}, 100, Reason.TOKENS_PER_DAY, 12 * 3600 - 15.0),
            ({"concurrent_streams": 1}, 1, Reason.CONCURRENT_STREAMS, 1.0),
            ({"tokens_per_minute": 100}, 101, Reason.TOKENS_PER_MINUTE, None),
            ({"tokens_per_day": 100}, 101, Reason.TOKENS_PER_DAY, None),
        ],
    )
    async def test_over_a_limit(
        self,
        store: UsageStore,
        limit: dict[str, int],
        tokens: int,
        reason: Reason,
        retry_after: float | None,
    ) -> None:
        """A request over a limit is refused, with the reason and how long to wait."""
        await reserve(store, 100)
        before = await store.totals(ANNA, "gpt", now=NOON)

        with pytest.raises(Refused) as raised:
            await reserve(store, tokens, limits=replace(LIMITS, **limit))

        decision = raised.value.decision
        assert (decision.allowed, decision.reason) == (False, reason)
        assert decision.retry_after == retry_after
        assert decision.detail.endswith(".")
        assert await store.totals(ANNA, "gpt", now=NOON) == before

    @pytest.mark.parametrize(
        ("limit", "reason"),
        [
            ({"requests_per_minute": 0}, Reason.REQUESTS_PER_MINUTE),
            ({"requests_per_day": 0}, Reason.REQUESTS_PER_DAY),
            ({"concurrent_streams": 0}, Reason.CONCURRENT_STREAMS),
        ],
    )
    async def test_limit_of_nothing(
        self, store: UsageStore, limit: dict[str, int], reason: Reason
    ) -> None:
        """A limit of zero refuses, and does not tell anyone to wait."""
        with pytest.raises(Refused) as raised:
            await reserve(store, limits=replace(LIMITS, **limit))
        assert (raised.value.decision.reason, raised.value.retry_after) == (reason, None)

    @pytest.mark.parametrize(
        ("limit", "allowed"),
        [
            ({"requests_per_minute": 7}, 7),
            ({"requests_per_day": 6}, 6),
            ({"tokens_per_minute": 999}, 9),
            ({"tokens_per_day": 300}, 3),
            ({"concurrent_streams": 11, "tokens_per_minute": 50_000}, 11),
        ],
    )
    async def test_two_hundred_at_once(
        self, store: UsageStore, limit: dict[str, int], allowed: int
    ) -> None:
        """Two hundred callers at once never get past a limit, and all of it is given out."""
        limits = replace(LIMITS, **limit)
        results = await asyncio.gather(
            *(reserve(store, 100, limits=limits) for _ in range(200)), return_exceptions=True
        )

        granted = [result for result in results if isinstance(result, Reservation)]
        refused = [result for result in results if isinstance(result, Refused)]
        assert (len(granted), len(refused)) == (allowed, 200 - allowed)
        assert len({reservation.id for reservation in granted}) == allowed
        assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(
            allowed, allowed * 100, allowed * 100, allowed, allowed
        )

    async def test_at_once_while_the_minute_turns(self, store: UsageStore) -> None:
        """Callers of two minutes at once do not get past the limits of the day together."""
        limits = replace(LIMITS, requests_per_day=8, concurrent_streams=50)
        results = await asyncio.gather(
            *(
                reserve(store, 10, limits=limits, now=NOON + timedelta(minutes=number % 2))
                for number in range(40)
            ),
            return_exceptions=True,
        )

        assert sum(isinstance(result, Reservation) for result in results) == 8
        assert sum(isinstance(result, Refused) for result in results) == 32
        now = NOON + timedelta(minutes=1)
        assert (await store.totals(ANNA, "gpt", now=now)).requests_today == 8

    async def test_kept_apart(self, store: UsageStore) -> None:
        """One principal's use of one deployment is no other's."""
        await reserve(store)

        assert await store.totals(BEN, "gpt", now=NOON) == UsageTotals(0, 0, 0, 0, 0)
        assert await store.totals(ANNA, "other", now=NOON) == UsageTotals(0, 0, 0, 0, 0)

    async def test_settle(self, store: UsageStore) -> None:
        """Settling puts what was used in the place of what was reserved."""
        reservation = await reserve(store, 500)
        assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 500, 500, 1, 1)

        await store.settle(reservation, Usage(20, 30))

        assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 50, 50, 0, 1)

    async def test_settle_twice(self, store: UsageStore) -> None:
        """Settling many times, also at once, charges once."""
        reservation = await reserve(store, 500)

        await asyncio.gather(*(store.settle(reservation, Usage(20, 30)) for _ in range(20)))

        assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 50, 50, 0, 1)

    async def test_settle_in_the_window_of_made(self, store: UsageStore) -> None:
        """What is settled in a later minute is charged to the minute of the reservation."""
        reservation = await reserve(store, 500, lifetime=600)
        later = NOON + timedelta(minutes=1)

        assert await store.totals(ANNA, "gpt", now=later) == UsageTotals(0, 0, 500, 1, 1)
        await store.settle(reservation, Usage(20, 30))
        assert await store.totals(ANNA, "gpt", now=later) == UsageTotals(0, 0, 50, 0, 1)
        assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 50, 50, 0, 1)

    async def test_release(self, store: UsageStore) -> None:
        """Releasing gives the tokens back and not the request; releasing twice is no error."""
        reservation = await reserve(store, 500)
        await store.release(reservation)
        await store.release(reservation)
        assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 0, 0, 0, 1)

        await store.settle(reservation, Usage(20, 30))
        assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 0, 0, 0, 1)

    async def test_expired(self, store: UsageStore) -> None:
        """An expired reservation counts no more, and another takes its place."""
        one = replace(LIMITS, concurrent_streams=1, tokens_per_minute=100)
        await reserve(store, 100, limits=one, lifetime=10)
        at_end = NOON + timedelta(seconds=10)

        with pytest.raises(Refused):
            await reserve(store, 100, limits=one, now=at_end - timedelta(milliseconds=1))
        assert await store.totals(ANNA, "gpt", now=at_end) == UsageTotals(1, 0, 0, 0, 1)
        await reserve(store, 100, limits=one, now=at_end)

    async def test_settle_after_expiry(self, store: UsageStore) -> None:
        """An answer that outlived its reservation is charged, once, whoever reserved meanwhile."""
        reservation = await reserve(store, 500, lifetime=10)
        later = NOON + timedelta(seconds=20)
        await store.release(await reserve(store, 1, now=later))

        await store.settle(reservation, Usage(20, 30))
        await store.settle(reservation, Usage(20, 30))

        assert await store.totals(ANNA, "gpt", now=later) == UsageTotals(2, 50, 50, 0, 2)

    async def test_renew(self, store: UsageStore) -> None:
        """A renewed reservation counts for longer; one that is gone does not come back."""
        kept = await reserve(store, 100, lifetime=10)
        gone = await reserve(store, 100, lifetime=10)
        await store.release(gone)
        for reservation in (kept, gone):
            await store.renew(reservation, expires=NOON + timedelta(seconds=40))

        later = NOON + timedelta(seconds=30)
        assert await store.totals(ANNA, "gpt", now=later) == UsageTotals(2, 100, 100, 1, 2)

    async def test_windows_turn(self, store: UsageStore) -> None:
        """A new UTC minute and a new UTC day begin at zero, whatever zone the clock shows."""
        await store.settle(await reserve(store, 500), Usage(20, 30))
        east = NOON.astimezone(timezone(timedelta(hours=14)))

        assert await store.totals(ANNA, "gpt", now=east) == UsageTotals(1, 50, 50, 0, 1)
        assert await store.totals(ANNA, "gpt", now=NOON + timedelta(minutes=1)) == UsageTotals(
            0, 0, 50, 0, 1
        )
        assert await store.totals(ANNA, "gpt", now=NOON + timedelta(days=1)) == UsageTotals(
            0, 0, 0, 0, 0
        )

    async def test_requests_of_a_day(self, store: UsageStore) -> None:
        """A day's requests count from minute to minute, released ones too, until the day turns."""
        limits = replace(LIMITS, requests_per_day=5)
        for minute in range(5):
            now = NOON + timedelta(minutes=minute)
            one = await reserve(store, limits=limits, now=now)
            await (store.release(one) if minute % 2 else store.settle(one, Usage(1, 2)))
        now = NOON + timedelta(minutes=6)
        with pytest.raises(Refused) as raised:
            await reserve(store, limits=limits, now=now)
        decision, standing = raised.value.decision, raised.value.decision.standing

        assert (decision.reason, decision.retry_after) == (
            Reason.REQUESTS_PER_DAY,
            12 * 3600 - 6 * 60 - 15.0,
        )
        assert standing is not None
        assert (standing.limit_requests, standing.remaining_requests) == (100, 0)
        assert standing.reset_requests_seconds == decision.retry_after
        assert standing.reset_tokens_seconds == 45.0
        assert (await store.totals(ANNA, "gpt", now=now)).requests_today == 5
        assert (await reserve(store, limits=limits, now=NOON + DAY)).standing is not None
        assert (await store.totals(ANNA, "gpt", now=NOON + DAY)).requests_today == 1

    async def test_of(self, store: UsageStore) -> None:
        """What a principal used is told by day and deployment, prompts and answers apart."""
        await spend(store, Usage(3, 4))
        await spend(store, Usage(30, 40), deployment="other")
        await spend(store, Usage(1, 1), now=NOON + DAY)
        await spend(store, Usage(5, 5), principal=BEN)

        assert list(await store.of(ANNA)) == [
            UsageDay(ANNA, "gpt", "2030-01-02", 1, 3, 4),
            UsageDay(ANNA, "other", "2030-01-02", 1, 30, 40),
            UsageDay(ANNA, "gpt", "2030-01-03", 1, 1, 1),
        ]
        assert list(await store.of(PrincipalId("tenant", "nobody"))) == []

    async def test_roll_up(self, store: UsageStore) -> None:
        """Rolled up, several at once and again, a day's totals are what everybody used in it."""
        await spend(store, Usage(3, 4))
        await spend(store, Usage(5, 5), principal=BEN)
        await spend(store, Usage(7, 7), now=NOON + DAY)
        await asyncio.gather(*(store.roll_up(now=NOON) for _ in range(4)))
        assert await totals(store, "2030-01-02") == {
            UsageDay(ANNA, "gpt", "2030-01-02", 1, 3, 4),
            UsageDay(BEN, "gpt", "2030-01-02", 1, 5, 5),
        }

        await spend(store, Usage(30, 40))
        await store.roll_up(now=NOON)
        assert await store.roll_up(now=NOON) == 0
        assert await totals(store, "2030-01-02") == {
            UsageDay(ANNA, "gpt", "2030-01-02", 2, 33, 44),
            UsageDay(BEN, "gpt", "2030-01-02", 1, 5, 5),
        }
        assert await totals(store, "2030-01-03") == {UsageDay(ANNA, "gpt", "2030-01-03", 1, 7, 7)}
        assert await totals(store, "2030-01-04") == set()

    async def test_roll_up_late(self, store: UsageStore) -> None:
        """A roll-up that comes days late finds the days that are over long since."""
        await spend(store, Usage(3, 4))
        later = NOON + 10 * DAY
        await spend(store, Usage(7, 7), now=later)
        await store.roll_up(now=later)

        assert await totals(store, "2030-01-02") == {UsageDay(ANNA, "gpt", "2030-01-02", 1, 3, 4)}
        assert await totals(store, "2030-01-12") == {UsageDay(ANNA, "gpt", "2030-01-12", 1, 7, 7)}

    async def test_days_in_pages(self, store: UsageStore) -> None:
        """Pages of a day miss nothing and repeat nothing; another day's continuation is refused."""
        for number in range(5):
            await spend(store, Usage(1, number), principal=PrincipalId("tenant", str(number)))
        await store.roll_up(now=NOON)
        seen: list[UsageDay] = []
        continuation = None
        while True:
            page = await store.day("2030-01-02", limit=2, continuation=continuation)
            assert len(page.items) <= 2
            seen += page.items
            if page.continuation is None:
                break
            continuation = page.continuation

        assert len(seen) == len(set(seen)) == 5
        for foreign in ("", "!", "W10"):
            with pytest.raises(RequestError):
                await store.day("2030-01-02", continuation=foreign)
        with pytest.raises(RequestError):
            await store.day("2030-01-03", continuation=continuation)

    async def test_erase(self, store: UsageStore) -> None:
        """Erased, nothing is left of a principal's days until then; others' and later days stay."""
        await spend(store, Usage(3, 4))
        await spend(store, Usage(3, 4), deployment="other")
        await spend(store, Usage(5, 5), principal=BEN)
        later = NOON + 10 * DAY
        await store.roll_up(now=NOON)
        await spend(store, Usage(7, 7), now=later)
        await store.roll_up(now=later)

        assert await store.erase(ANNA, until="2030-01-01") == 0
        assert await store.erase(ANNA, until="2030-01-02") > 0
        assert await store.erase(ANNA, until="2030-01-02") == 0
        await store.roll_up(now=later)

        assert list(await store.of(ANNA)) == [UsageDay(ANNA, "gpt", "2030-01-12", 1, 7, 7)]
        assert await totals(store, "2030-01-02") == {UsageDay(BEN, "gpt", "2030-01-02", 1, 5, 5)}
        assert (await store.totals(ANNA, "gpt", now=later)).tokens_today >= 14
        assert (await store.totals(ANNA, "gpt", now=NOON)).tokens_today == 0
        # What is counted goes on after an erasure.
        await spend(store, Usage(1, 1), now=later)
        assert list(await store.of(ANNA)) == [UsageDay(ANNA, "gpt", "2030-01-12", 2, 8, 8)]
