"""Streams that are watched, and work that outlives its asker."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import ExitStack, aclosing
from itertools import groupby
from typing import Any

import pytest

from secure_openai.streams import (
    FEW,
    GATHERED,
    Background,
    Drain,
    EachWithin,
    Gathering,
    Turn,
    Within,
    begin,
    with_pauses,
)


async def test_pauses_are_told_and_nothing_is_lost() -> None:
    """Every item arrives in order, with `None` for each pause in which nothing came."""
    gate = asyncio.Event()

    async def source() -> AsyncGenerator[int, None]:
        yield 1
        await gate.wait()
        yield 2

    seen: list[int | None] = []
    async for item in with_pauses(source(), 0.01):
        seen.append(item)
        if seen.count(None) == 2:
            gate.set()

    assert seen[0] == 1
    assert seen[-1] == 2
    assert seen[1:-1].count(None) == len(seen) - 2 >= 2


async def test_closing_cancels_the_wait() -> None:
    """A source that waits for ever is cancelled when its watcher closes."""
    ended = asyncio.Event()

    async def source() -> AsyncGenerator[int, None]:
        try:
            await asyncio.Event().wait()
            yield 1
        finally:
            ended.set()

    async with aclosing(with_pauses(source(), 0.01)) as watched:
        assert await anext(watched) is None

    assert ended.is_set()


async def test_an_error_of_the_source_is_raised() -> None:
    """What the source raises, the watcher raises."""

    async def source() -> AsyncGenerator[int, None]:
        yield 1
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        async for _ in with_pauses(source(), 1):
            pass


async def test_finish_outlives_its_cancelled_caller() -> None:
    """Work that must finish goes on when whoever waits for it is cancelled, and drain awaits it."""
    background = Background()
    gate, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await gate.wait()
        done.set()

    caller = asyncio.create_task(background.finish(work()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not done.is_set()
    gate.set()
    await background.drain()

    assert done.is_set()


async def test_work_that_was_begun_elsewhere_is_awaited() -> None:
    """Draining awaits what is held, and whoever is told of its end is told before."""
    background, told = Background(), list[str]()
    work = asyncio.get_running_loop().create_future()
    work.add_done_callback(lambda _: told.append("ended"))
    background.hold(work)

    asyncio.get_running_loop().call_soon(work.set_exception, LookupError("gone"))
    await background.drain()

    assert told == ["ended"]


async def test_requests_go_each_step_together() -> None:
    """Who is under way with many lets them come as far; with few others nobody waits."""
    drain, steps = Drain(), list[str]()
    turn = Turn(drain)

    async def request(name: str) -> None:
        with drain.work:
            steps.append(f"{name} begins")
            await turn
            steps.append(f"{name} goes on")

    assert begin(request("a")) == (None, None)
    assert steps == ["a begins", "a goes on"]
    steps.clear()
    with ExitStack() as others:
        for _ in range(FEW):
            others.enter_context(drain.work)
        await asyncio.gather(request("a"), request("b"))
    assert steps == ["a begins", "b begins", "a goes on", "b goes on"]


async def gathered(came: Sequence[int], *, cancelled: int = -1) -> list[tuple[int, ...]]:
    """Return who went on together, of requests that come after so many turns of the loop each."""
    drain, went = Drain(), list[tuple[int, int]]()
    gathering, turns = Gathering(drain), 0

    async def request(number: int, after: int) -> None:
        for _ in range(after):
            await asyncio.sleep(0)
        with drain.work:
            await gathering
            went.append((turns, number))

    with ExitStack() as others:
        for _ in range(FEW):
            others.enter_context(drain.work)
        tasks = [asyncio.ensure_future(request(*one)) for one in enumerate(came)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            turns += 1
            if turns == 1 and cancelled >= 0:
                tasks[cancelled].cancel()
    return [tuple(name for _, name in group) for _, group in groupby(went, lambda one: one[0])]


@pytest.mark.parametrize(
    ("came", "together"),
    [
        ([0, 0, 0], [(0, 1, 2)]),
        ([0, 1, 2, 1], [(0, 1, 3, 2)]),
        ([0, 5, 5], [(0,), (1, 2)]),
        (range(2 * GATHERED), [tuple(range(GATHERED)), tuple(range(GATHERED, 2 * GATHERED))]),
    ],
    ids=["at once", "one after the other", "after a pause", "without an end"],
)
async def test_requests_gather(came: Sequence[int], together: list[tuple[int, ...]]) -> None:
    """Who comes with the next turn goes along, up to a number of turns, in the order of coming."""
    assert await gathered(came) == together


async def test_who_is_cancelled_takes_nobody_along() -> None:
    """Whoever waits with it goes on all the same."""
    assert await gathered([0, 0, 0], cancelled=1) == [(0, 2)]


async def test_alone_nobody_gathers() -> None:
    """With few others a request waits for nothing."""
    assert list(Gathering(Drain()).__await__()) == []


async def test_what_takes_too_long_ends_with_a_timeout() -> None:
    """A block is ended when its time is over, and left alone when it ends before that."""
    with pytest.raises(TimeoutError), Within(0.01):
        await asyncio.Event().wait()

    with Within(0.01):
        pass
    await asyncio.sleep(0.02)


async def test_whoever_is_cancelled_within_a_time_stays_cancelled() -> None:
    """A cancellation from elsewhere is no timeout, even one that comes with it."""
    begun = asyncio.Event()

    async def wait() -> None:
        with Within(60):
            begun.set()
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async def both() -> None:
        task = asyncio.current_task()
        assert task is not None
        with Within(0):
            asyncio.get_running_loop().call_later(0, task.cancel)
            await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(both())


async def test_an_error_within_a_time_stays_what_it_is() -> None:
    """What a block raises while its time ends is told, and the task is not left cancelled."""
    with pytest.raises(ValueError, match="told"), Within(0.01):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("told") from None

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_needs_no_wait_is_there_at_once() -> None:
    """What came of it is told, and nothing is left to be awaited."""

    async def work() -> str:
        return "done"

    assert begin(work()) == ("done", None)


async def test_what_must_wait_goes_on_where_it_is_awaited() -> None:
    """It has gone on to its first wait, of either kind, and goes on through all of them."""
    first, second = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        first.set()
        await asyncio.sleep(0)
        await second.wait()
        return "done"

    result, begun = begin(work())
    assert first.is_set()
    assert result is None
    assert begun is not None
    asyncio.get_running_loop().call_soon(second.set)

    assert await begun == "done"


async def test_whoever_is_cancelled_cancels_what_was_begun() -> None:
    """It is told at its first wait, can clean up there, and a time around it ends it."""
    told: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append("cancelled")
            await asyncio.sleep(0)
            told.append("cleaned up")
            raise

    _, begun = begin(work())
    assert begun is not None
    with pytest.raises(TimeoutError), Within(0.01):
        await begun

    assert told == ["cancelled", "cleaned up"]


async def test_an_error_of_what_was_begun_is_raised_where_it_comes() -> None:
    """At once where nothing is waited for, and else where it is awaited."""

    async def work(waits: int) -> None:
        for _ in range(waits):
            await asyncio.sleep(0)
        raise LookupError

    with pytest.raises(LookupError):
        begin(work(0))
    _, begun = begin(work(1))
    assert begun is not None
    with pytest.raises(LookupError):
        await begun


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Coroutine[Any, Any, None]]:
    """Return what lets seconds pass, and then whatever was due."""
    loop = asyncio.get_running_loop()
    now = loop.time()

    async def passed(seconds: float) -> None:
        nonlocal now
        now += seconds
        for _ in range(3):
            await asyncio.sleep(0)

    monkeypatch.setattr(loop, "time", lambda: now)
    return passed


async def test_each_wait_has_its_own_time(
    clock: Callable[[float], Coroutine[Any, Any, None]],
) -> None:
    """Many that are short may take long together; one that takes too long ends."""
    each = EachWithin(1.0)
    for _ in range(5):
        with each:
            await clock(0.6)
    await clock(1.1)
    for _ in range(2):
        with each:
            await clock(0.9)
        with pytest.raises(TimeoutError), each:
            await clock(1.1)
            await asyncio.Event().wait()
    each.close()


async def test_whoever_is_cancelled_in_one_of_many_waits_stays_cancelled() -> None:
    """It is not taken for one that took too long."""
    each, begun = EachWithin(60.0), asyncio.Event()

    async def wait() -> None:
        for pause in (0.0, 60.0):
            with each:
                begun.set()
                await asyncio.sleep(pause)

    task = asyncio.create_task(wait())
    await begun.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    each.close()
