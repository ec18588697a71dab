"""Usage in Cosmos DB."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from secure_openai.errors import Refused, StoreError
from secure_openai.store.cosmos import usage
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.holding import LEASE_SECONDS
from secure_openai.store.cosmos.ledger import CLOCK_SKEW
from secure_openai.store.cosmos.totals import Totals
from secure_openai.store.cosmos.usage import CosmosUsageStore
from secure_openai.store.quota import DAYS_KEPT
from secure_openai.store.usage import Reservation, UsageDay, UsageTotals
from secure_openai.testing.usage_contract import (
    ANNA,
    LIMITS,
    NOON,
    UsageStoreContract,
    ask_in_order,
    reserve,
    spend,
    totals,
)
from secure_openai.types import Decision, JsonObject, Limits, PrincipalId, Reason, Usage
from tests.cosmosdb.bridge import Bridge, Fault
from tests.cosmosdb.faults import UNANSWERED, UNDONE, always, first


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosUsageStore:
    """Return the store under test."""
    return CosmosUsageStore(cosmos, clock=lambda: NOON)


class TestCosmosUsageStore(UsageStoreContract):
    """The contract, on Cosmos DB."""


async def ledger_of(cosmos: CosmosDatabase) -> JsonObject:
    """Return the only ledger."""
    (ledger,) = await cosmos.container("usage").query(
        "SELECT * FROM c WHERE c.kind = 'ledger'", {}, limit=10
    )
    return ledger


def another(cosmos: CosmosDatabase, now: datetime = NOON) -> CosmosUsageStore:
    """Return the store of another instance."""
    return CosmosUsageStore(cosmos, clock=lambda: now)


async def test_asked_in_order(store: CosmosUsageStore) -> None:
    """Whoever reserves after others asked to settle or release is decided after them."""
    await ask_in_order(store)


async def test_most_requests_ask_nobody(store: CosmosUsageStore, bridge: Bridge) -> None:
    """Within a minute a few requests in a row read and write once to reserve, once to settle."""
    bridge.calls.clear()
    limits = replace(LIMITS, tokens_per_minute=10_000)
    for _ in range(4):
        await store.settle(await reserve(store, 100, limits=limits), Usage(10, 20))

    assert [call.kind for call in bridge.calls] == ["read", "create", *["replace"] * 4]
    await store.release(await reserve(store, 100, limits=limits))
    assert len(bridge.calls) == 6


async def test_instances_share(store: CosmosUsageStore, cosmos: CosmosDatabase) -> None:
    """Two instances never give out more than there is, and at most a block less."""
    limits = replace(LIMITS, tokens_per_minute=1_000, tokens_per_day=1_000)
    second = another(cosmos)
    granted: list[tuple[CosmosUsageStore, Reservation]] = []
    for number in range(40):
        instance = (store, second)[number % 2]
        with suppress(Refused):
            granted.append((instance, await reserve(instance, 50, limits=limits)))

    assert 700 <= 50 * len(granted) <= 1_000
    for instance, reservation in granted:
        await instance.settle(reservation, Usage(20, 30))
    for instance in (store, second):
        await instance.aclose()
    third = another(cosmos)
    assert (await third.totals(ANNA, "gpt", now=NOON + timedelta(minutes=5))) == UsageTotals(
        0, 0, 50 * len(granted), 0, len(granted)
    )


async def test_instances_share_the_requests_of_a_day(
    store: CosmosUsageStore, cosmos: CosmosDatabase
) -> None:
    """Nobody gets past them in any minute; of one that died at most its block is lost for the day.

    What an instance may have made of its block, only itself knows: it counts until the day turns.
    """
    limits = replace(LIMITS, requests_per_day=60)
    made = 0
    for number in range(8):
        now = NOON + timedelta(minutes=5 * number)
        # One dies each time, and another takes its place.
        instances = (store, another(cosmos, now), another(cosmos, now))
        for instance in instances * 4:
            with suppress(Refused):
                await instance.settle(
                    await reserve(instance, 1, limits=limits, now=now), Usage(0, 1)
                )
                made += 1

    assert 30 <= made <= 60
    later = NOON + timedelta(hours=6)
    counted = await another(cosmos, later).totals(ANNA, "gpt", now=later)
    assert made <= counted.requests_today <= 60
    tomorrow = NOON + timedelta(days=1)
    await reserve(another(cosmos, tomorrow), 1, limits=limits, now=tomorrow)


async def test_what_another_instance_may_give_back_is_not_gone(
    store: CosmosUsageStore, cosmos: CosmosDatabase
) -> None:
    """Not "tomorrow", where others have set requests of the day aside; and when to ask again.

    Once nobody may give anything back any more, or nothing is set aside, it is tomorrow.
    """
    limits = replace(LIMITS, requests_per_day=20)
    second = another(cosmos)
    await store.settle(await reserve(store, 1, limits=limits), Usage(0, 1))
    decision = await refused(second, limits)

    assert decision.reason is Reason.REQUESTS_PER_DAY
    assert "set aside" in decision.detail
    assert "instances" in decision.detail
    assert decision.retry_after is not None
    assert decision.retry_after <= 60 + LEASE_SECONDS + CLOCK_SKEW.total_seconds()

    ended = NOON + timedelta(minutes=10)
    late = await refused(another(cosmos, ended), limits, now=ended)
    assert "Come back tomorrow" in late.detail
    assert late.retry_after == until_tomorrow(ended)

    await store.aclose()
    await second.settle(await reserve(second, 1, limits=limits), Usage(0, 1))
    decision = await refused(second, limits)
    assert "which is the limit. Come back tomorrow" in decision.detail
    assert decision.retry_after == until_tomorrow(NOON)


def until_tomorrow(now: datetime) -> float:
    """Return in how many seconds the UTC day turns."""
    return 86_400 - now.timestamp() % 86_400


async def refused(store: CosmosUsageStore, limits: Limits, *, now: datetime = NOON) -> Decision:
    """Reserve until that is refused."""
    while True:
        try:
            one = await reserve(store, 1, limits=limits, now=now)
        except Refused as refusal:
            return refusal.decision
        await store.settle(one, Usage(0, 1))


async def test_requests_that_an_instance_forgets_are_counted(
    store: CosmosUsageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a ledger is put out of mind and read again, none is lost and none made up."""
    monkeypatch.setattr(usage, "MOST_HOLDINGS", 1)
    limits = replace(LIMITS, requests_per_day=9)
    for minute in range(9):
        now = NOON + timedelta(minutes=minute)
        one = await reserve(store, 1, limits=limits, now=now)
        await (store.release(one) if minute % 3 == 1 else store.settle(one, Usage(0, 1)))
        await store.settle(await reserve(store, 1, deployment="other", now=now), Usage(0, 1))

    assert (await store.totals(ANNA, "gpt", now=now)).requests_today == 9
    with pytest.raises(Refused):
        await reserve(store, 1, limits=limits, now=now)


async def test_a_program_before_claimed_no_requests(
    store: CosmosUsageStore, cosmos: CosmosDatabase
) -> None:
    """A lease of a program that had no such limit counts with the requests that it says."""
    second = another(cosmos)
    await second.settle(await reserve(second, 1), Usage(0, 1))
    ledger = await ledger_of(cosmos)
    for lease in ledger["leases"].values():
        del lease["days"]["2030-01-02"]["claimed_requests"]
    await cosmos.container("usage").upsert(ledger)

    with pytest.raises(Refused) as raised:
        await reserve(store, 1, limits=replace(LIMITS, requests_per_day=1))
    assert raised.value.decision.reason is Reason.REQUESTS_PER_DAY


async def test_an_end_gives_the_block_back(store: CosmosUsageStore, cosmos: CosmosDatabase) -> None:
    """An instance that ends keeps no block, although another one has written since it read."""
    second = another(cosmos)
    for instance in (store, second):
        await instance.settle(await reserve(instance, 10), Usage(4, 6))
    await store.aclose()
    await second.aclose()
    third = another(cosmos)

    assert await third.totals(ANNA, "gpt", now=NOON) == UsageTotals(2, 20, 20, 0, 2)


async def test_anothers_block_is_waited_for(
    store: CosmosUsageStore, cosmos: CosmosDatabase
) -> None:
    """Who is refused only for another's block is told to wait for its lease, not until tomorrow."""
    limits = replace(LIMITS, tokens_per_minute=5_000, tokens_per_day=1_000)
    await store.settle(await reserve(store, 200, limits=limits), Usage(100, 100))

    with pytest.raises(Refused) as raised:
        await reserve(another(cosmos), 800, limits=limits)
    assert raised.value.decision.reason is Reason.TOKENS_PER_DAY
    waiting = raised.value.decision.retry_after
    assert waiting is not None
    assert waiting <= 60 + LEASE_SECONDS + CLOCK_SKEW.total_seconds()
    later = NOON + timedelta(seconds=waiting)
    await reserve(another(cosmos, later), 800, limits=limits, now=later)


async def test_close_gives_back(store: CosmosUsageStore, cosmos: CosmosDatabase) -> None:
    """A store that is closed gives its blocks back at once, and reserves nothing more."""
    limits = replace(LIMITS, tokens_per_minute=5_000, tokens_per_day=1_000)
    await store.settle(await reserve(store, 200, limits=limits), Usage(100, 100))
    await store.aclose()

    with pytest.raises(StoreError):
        await reserve(store, 1, limits=limits)
    await reserve(another(cosmos), 800, limits=limits)


async def test_anothers_reservation_is_unknown(
    store: CosmosUsageStore, cosmos: CosmosDatabase
) -> None:
    """A reservation is settled by the instance that made it, and by no other."""
    reservation = await reserve(store, 100)
    second = another(cosmos)
    await second.settle(reservation, Usage(900, 900))
    await second.release(reservation)
    await second.renew(reservation, expires=NOON + timedelta(hours=1))
    await store.settle(reservation, Usage(20, 30))

    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 50, 50, 0, 1)


async def test_days_become_reports(store: CosmosUsageStore, cosmos: CosmosDatabase) -> None:
    """A day that is long over leaves the ledger for an item of its own, with everybody's use."""
    second = another(cosmos)
    await store.settle(await reserve(store, 100), Usage(20, 30))
    await second.settle(await reserve(second, 100), Usage(1, 2))
    for days in range(1, 6):
        now = NOON + timedelta(days=days)
        await store.settle(await reserve(store, 100, now=now), Usage(5, 5))

    ledger = await ledger_of(cosmos)
    assert {day for lease in ledger["leases"].values() for day in lease["days"]} == {
        f"2030-01-0{day}" for day in (4, 5, 6, 7)
    }
    assert len(ledger["leases"]) == 1
    archived = await cosmos.container("usage").query(
        "SELECT * FROM c WHERE c.kind = 'day' AND c.day = @day", {"day": "2030-01-02"}, limit=9
    )
    assert [(one["deployment"], one["tokens"], one["requests"]) for one in archived] == [
        ("gpt", 53, 2)
    ]
    assert {one["ttl"] for one in (*archived, ledger)} == {DAYS_KEPT * 86_400}


async def test_unknown_members_survive(store: CosmosUsageStore, cosmos: CosmosDatabase) -> None:
    """What a later program's instance writes of itself passes through the ledger of this one."""
    container = cosmos.container("usage")
    second = another(cosmos)
    await reserve(second, 100)
    ledger = await ledger_of(cosmos)
    (lease,) = ledger["leases"].values()
    lease["later"] = {"a": 1}
    await container.upsert({**ledger, "pinned": True, "version": 7})

    await reserve(store, 100)

    written = await ledger_of(cosmos)
    assert (written["pinned"], written["version"]) == (True, 7)
    assert lease in written["leases"].values()


async def test_forgotten_and_erased(
    store: CosmosUsageStore, cosmos: CosmosDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Use that an instance has forgotten is still counted; a ledger that was erased begins anew."""
    monkeypatch.setattr(usage, "MOST_HOLDINGS", 1)
    await store.settle(await reserve(store, 100), Usage(20, 30))
    held = await reserve(store, 1, deployment="other")
    await reserve(store, 1, deployment="another")
    assert len(store._holdings) == 2

    later = NOON + timedelta(minutes=1)
    await reserve(store, 100, now=later)
    assert await store.totals(ANNA, "gpt", now=later) == UsageTotals(1, 100, 150, 1, 2)
    await store.settle(held, Usage(1, 1))

    for ledger in await cosmos.container("usage").query("SELECT * FROM c", {}, limit=10):
        await cosmos.container("usage").delete(ledger["id"], ANNA.key)
    await reserve(store, 800, now=later)
    assert (await store.totals(ANNA, "gpt", now=later)).tokens_today == 950


@pytest.mark.parametrize("fault", [UNANSWERED, UNDONE], ids=["unanswered", "undone"])
async def test_a_broken_connection(store: CosmosUsageStore, bridge: Bridge, fault: Fault) -> None:
    """Writes whose answers were lost charge once."""
    bridge.fault = first(fault)
    reservation = await reserve(store, 100, lifetime=30)
    bridge.fault = first(fault)
    await store.renew(reservation, expires=NOON + timedelta(hours=1))
    bridge.fault = first(fault)
    await store.settle(reservation, Usage(20, 30))

    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(1, 50, 50, 0, 1)


async def test_settled_when_the_store_is_back(store: CosmosUsageStore, bridge: Bridge) -> None:
    """A settlement that could not be written goes with the next write, once."""
    first_one, second_one = await reserve(store, 100), await reserve(store, 100)
    bridge.fault = always(Fault(status=400))
    with pytest.raises(StoreError):
        await store.settle(first_one, Usage(20, 30))
    bridge.fault = lambda _: None

    await store.settle(second_one, Usage(1, 2))
    await store.settle(first_one, Usage(20, 30))
    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(2, 53, 53, 0, 2)
    assert (
        sum(
            lease["days"]["2030-01-02"]["settled"]
            for lease in (await store._container.query("SELECT * FROM c", {}, limit=1))[0][
                "leases"
            ].values()
        )
        == 53
    )


async def test_nobody_waits_for_ever(
    store: CosmosUsageStore, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request whose reservation cannot be decided in time is told so, and nothing is reserved."""
    monkeypatch.setattr(usage, "RESERVE_SECONDS", 0.2)
    hold = asyncio.Event()
    bridge.fault = always(Fault(until=hold))
    results = await asyncio.gather(*(reserve(store, 1) for _ in range(3)), return_exceptions=True)
    hold.set()
    bridge.fault = lambda _: None

    assert [type(result) for result in results] == [StoreError] * 3
    monkeypatch.undo()
    assert await store.totals(ANNA, "gpt", now=NOON) == UsageTotals(0, 0, 0, 0, 0)


async def test_a_late_answer_is_no_reservation(cosmos: CosmosDatabase) -> None:
    """A reservation that has expired before it was decided is none."""
    store = another(cosmos, NOON + timedelta(seconds=60))

    with pytest.raises(StoreError):
        await reserve(store, 1, lifetime=60)
    await reserve(store, 1, lifetime=61)


async def test_a_roll_up_that_is_cut_off(
    store: CosmosUsageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off in the middle and run again, a roll-up leaves what it leaves at once."""
    for number in range(4):
        await spend(store, Usage(number, 1), principal=PrincipalId("tenant", str(number)))
    real = Totals._write
    written: list[UsageDay] = []

    async def some(self: Totals, one: UsageDay) -> bool:
        if len(written) == 2:
            raise asyncio.CancelledError
        written.append(one)
        return await real(self, one)

    with monkeypatch.context() as patched:
        patched.setattr(Totals, "_write", some)
        with pytest.raises(asyncio.CancelledError):
            await store.roll_up(now=NOON)
    assert len(await totals(store, "2030-01-02")) == 2

    assert await store.roll_up(now=NOON) == 2
    assert {one.prompt_tokens for one in await totals(store, "2030-01-02")} == {0, 1, 2, 3}
