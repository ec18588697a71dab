"""How long a member of a pool is left alone, and what brings it back."""

from __future__ import annotations

import asyncio

import pytest

from secure_openai.errors import (
    ModelError,
    ModelThrottled,
    ModelUnavailable,
)
from secure_openai.model.circuit import (
    FAILURES,
    FIRST_SECONDS,
    LAST_SECONDS,
    LONGEST_SECONDS,
    MISPLACED_SECONDS,
    REST_SECONDS,
)
from secure_openai.model.pool import Pool
from secure_openai.testing.model_contract import (
    request,
    whole,
)
from secure_openai.types import CircuitState
from tests.model.members import Clock, Said, ask, pool_of


async def test_a_throttled_member_is_out_as_long_as_it_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not a moment longer, and it is asked like every other afterwards; the log says it once."""
    clock, first, second = Clock(), Said("throttle 30"), Said()
    pool = pool_of(first, second, clock=clock)
    assert await ask(pool) == "b"
    assert pool.health()[0].state is CircuitState.OPEN
    assert pool.health()[0].seconds == 30
    clock.now += 29.9
    assert [await ask(pool) for _ in range(3)] == ["b"] * 3
    first.text = None
    clock.now += 0.1

    assert [await ask(pool) for _ in range(3)] == ["a"] * 3
    assert caplog.messages == ["scripted of account a is not asked for 30 s (model-throttled)"]
    assert first.asked == 4
    assert pool.health()[0].reason is None


async def test_one_left_says_when_the_first_is_back() -> None:
    """With the other one out the time told is the soonest of both, not the last one's own."""
    clock = Clock()
    pool = pool_of(Said("away 5"), Said("away 90"), clock=clock)
    await ask(pool)
    clock.now += 5
    with pytest.raises(ModelUnavailable) as caught:
        await pool.open(request("hello"))
    assert caught.value.retry_after == 5
    with pytest.raises(ModelUnavailable) as again:
        await pool.open(request("hello"))
    assert again.value.retry_after == 5


@pytest.mark.parametrize("said", ["throttle 5", "away 5"])
async def test_the_only_one_says_when_it_is_back(said: str) -> None:
    """Its own word when it is asked, and what is left of that while it is not."""
    clock = Clock()
    pool = pool_of(Said(said), clock=clock)
    waits = []
    for passed in (0, 2, 2):
        clock.now += passed
        with pytest.raises((ModelThrottled, ModelUnavailable)) as caught:
            await pool.open(request("hello"))
        waits.append(caught.value.retry_after)

    assert waits == [5, 3, 1]


async def test_ten_minutes_is_the_longest() -> None:
    """Whatever a server says, what was mended is found within ten minutes."""
    clock, first = Clock(), Said("throttle 86400")
    pool = pool_of(first, clock=clock)
    await ask(pool)
    first.text = None
    clock.now += LONGEST_SECONDS

    assert await ask(pool) == "a"


async def test_a_hiccup_only_lets_a_member_rest() -> None:
    """One failure: for a second the others are asked first; alone it is asked all the same."""
    clock, first, second = Clock(), Said("fail"), Said()
    pool = pool_of(first, second, clock=clock)
    assert await ask(pool) == "b"
    first.text = None
    assert await ask(pool) == "b"
    second.text = "throttle 60"
    assert await ask(pool) == "a"
    clock.now += REST_SECONDS

    assert await ask(pool) == "a"
    assert pool.health()[0].state is CircuitState.CLOSED


async def test_the_third_failure_opens_the_circuit_and_one_request_tries_it() -> None:
    """Open, nobody asks it; half open, one a second does; the pause doubles until it answers."""
    clock, only = Clock(), Said("fail")
    pool = pool_of(only, clock=clock)
    for _ in range(FAILURES):
        assert await ask(pool) == "model-failed"
    assert await ask(pool) == "model-unavailable"
    assert only.asked == FAILURES
    assert not await pool.ready()

    for pause in (FIRST_SECONDS, 2 * FIRST_SECONDS, 4 * FIRST_SECONDS):
        clock.now += pause - 0.1
        assert await ask(pool) == "model-unavailable"
        clock.now += 0.1
        assert pool.health()[0].state is CircuitState.HALF_OPEN
        assert await ask(pool) == "model-failed"

    for _ in range(9):
        clock.now += LAST_SECONDS
        assert await ask(pool) == "model-failed"
    assert pool.health()[0].seconds == LAST_SECONDS
    clock.now += LAST_SECONDS
    only.text = "slow 3"
    probing = await pool.open(request("hello"))
    assert pool.health()[0].state is CircuitState.CLOSED
    assert await ask(pool) == "a"
    await probing.aclose()
    assert pool.health()[0].failures == 0


async def test_a_probe_that_hangs_keeps_nobody_else_out() -> None:
    """While one request tries a half-open member the others wait a second, not for it."""
    clock, only = Clock(), Said("fail")
    pool = pool_of(only, clock=clock)
    for _ in range(FAILURES):
        await ask(pool)
    clock.now += FIRST_SECONDS
    only.text = "stall"
    hanging = asyncio.create_task(ask(pool))
    await asyncio.sleep(0)
    only.text = None
    assert await ask(pool) == "model-unavailable"
    clock.now += 1
    assert await ask(pool) == "a"
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)

    assert pool.health()[0].under_way == 0


async def test_one_outage_is_counted_once() -> None:
    """A hundred requests that fail together open the circuit for as long as three."""
    clock, only = Clock(), Said("fail")
    pool = pool_of(only, clock=clock)
    only.gate = asyncio.Event()
    asking = [asyncio.create_task(ask(pool)) for _ in range(100)]
    await asyncio.sleep(0)
    assert pool.health()[0].under_way == 100
    only.gate.set()
    await asyncio.gather(*asking)

    assert pool.health()[0].seconds == FIRST_SECONDS
    assert pool.health()[0].under_way == 0


async def test_an_older_answer_does_not_close_a_newer_circuit() -> None:
    """What was asked before its member was throttled begins and ends without undoing that."""
    clock, first, second = Clock(), Said(), Said()
    pool = pool_of(first, second, clock=clock)
    older = await pool.open(request("hello"))
    first.gate = asyncio.Event()
    begins = asyncio.create_task(pool.open(request("hello")))
    await asyncio.sleep(0)
    gate, first.gate, first.text = first.gate, None, "throttle 30"
    assert await ask(pool) == "b"
    gate.set()
    await (await begins).aclose()
    await older.aclose()

    assert pool.health()[0].state is CircuitState.OPEN
    assert pool.health()[0].reason == "model-throttled"


async def test_an_older_answer_does_not_vouch_for_a_member_that_failed_since() -> None:
    """An answer asked for before the circuit opened leaves it to be tried by one request."""
    clock, only = Clock(), Said()
    pool = pool_of(only, clock=clock)
    only.gate = asyncio.Event()
    begins = asyncio.create_task(pool.open(request("hello")))
    await asyncio.sleep(0)
    gate, only.gate, only.text = only.gate, None, "fail"
    for _ in range(FAILURES):
        await ask(pool)
    gate.set()
    older = await begins
    clock.now += FIRST_SECONDS

    assert pool.health()[0].state is CircuitState.HALF_OPEN
    await older.aclose()


async def test_half_an_answer_is_put_away() -> None:
    """What broke off before anything went out is closed before the next one is asked."""
    first, second = Said("cut 3"), Said()
    pool = pool_of(first, second, clock=Clock())
    await whole(pool, request("hello", stream=False))

    assert (first.asked, first.under_way, second.under_way) == (1, 0, 0)


async def test_answers_that_break_off_open_the_circuit_too() -> None:
    """A member that begins every answer and ends none is out after three."""
    clock, first, second = Clock(), Said("cut 3"), Said()
    pool = pool_of(first, second, clock=clock)
    for _ in range(FAILURES):
        with pytest.raises(ModelError, match="broke off"):
            await ask_to_the_end(pool)
        clock.now += REST_SECONDS

    assert await ask(pool) == "b"
    assert pool.health()[0].state is CircuitState.OPEN


async def ask_to_the_end(pool: Pool) -> None:
    """Read an answer, and close it whatever happens."""
    response = await pool.open(request("hello"))
    try:
        async for _ in response.events():
            pass
    finally:
        await response.aclose()


@pytest.mark.parametrize("text", ["missing", "retired", "forbidden"])
async def test_what_is_misplaced_is_left_alone_and_still_said(text: str) -> None:
    """A deployment that is not there is not asked for a minute; its sentence stays."""
    clock, first, second = Clock(), Said(text), Said()
    pool = pool_of(first, second, clock=clock)
    assert [await ask(pool) for _ in range(5)] == ["b"] * 5
    assert first.asked == 1
    alone = pool_of(Said(text), clock=clock)
    slug = await ask(alone)
    assert slug != "model-unavailable"
    assert await ask(alone) == slug
    clock.now += MISPLACED_SECONDS
    first.text = None

    assert await ask(pool) == "a"
    assert pool.health()[0].reason is None
