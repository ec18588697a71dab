"""Streams that must be watched while nothing comes, work beside a request, and how both end."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


async def with_pauses(stream: AsyncIterator[T], seconds: float) -> AsyncGenerator[T | None, None]:
    """Yield what `stream` yields, and `None` for every `seconds` in which nothing came.

    The wait for the next item is never cancelled by a pause. Closing or cancelling this generator
    cancels it.
    """
    waiting: asyncio.Task[T] | None = None
    try:
        while True:
            if waiting is None:
                waiting = asyncio.ensure_future(_next(stream))
            done, _ = await asyncio.wait({waiting}, timeout=seconds)
            if not done:
                yield None
                continue
            finished, waiting = waiting, None
            try:
                item = finished.result()
            except StopAsyncIteration:
                return
            yield item
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


async def _next(stream: AsyncIterator[T]) -> T:
    # A task may not end with StopIteration but may with StopAsyncIteration; `anext` alone is no
    # coroutine, and tasks need one.
    return await anext(stream)


def begin(work: Awaitable[T]) -> tuple[T, None] | tuple[None, Begun[T]]:
    """Return what comes of work that waits for nothing, or else what has begun and waits.

    So whoever guards a wait, by a timer or a place to wait in, sees first whether there is one.
    What has begun is to be awaited before anything else is: no task knows yet what it waits for.
    """
    steps = work.__await__()
    try:
        first = next(steps)
    except StopIteration as end:
        return end.value, None
    return None, Begun(steps, first)


class Begun(Generator[Any, Any, T]):
    """Work that waits; awaited, it goes on from there.

    Args:
        steps: What it waits for, one after the other (PEP 492).
        first: The first of them, which it waits for.
    """

    __slots__ = ("_first", "_steps", "_told")

    def __init__(self, steps: Generator[Any, Any, T], first: object) -> None:
        self._steps = steps
        self._first = first
        self._told = False

    def __await__(self) -> Generator[Any, Any, T]:
        """Return what it waits for."""
        return self

    def send(self, value: object) -> object:
        """Go on to the next wait."""
        if self._told:
            return self._steps.send(value)
        self._told = True
        return self._first

    def throw(self, *error: Any) -> object:
        """Go on with an error, such as that of being cancelled."""
        return self._steps.throw(*error)


class Within:
    """A block that ends with `TimeoutError` when it takes too long.

    It is `asyncio.timeout` for whoever moves no deadline, at a third of the cost.

    Args:
        seconds: How long the block may take.
    """

    __slots__ = ("_before", "_handle", "_late", "_seconds", "_task")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._begin(loop)
        self._handle = loop.call_later(self._seconds, self.expire)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101 - whoever awaits is one
        self._task, self._before, self._late = task, task.cancelling(), False

    def expire(self) -> None:
        """End the block, which is being waited in, before its time."""
        if not self._late:
            self._late = True
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._handle.cancel()
        if self._late:
            self._end(kind)

    def _end(self, kind: type[BaseException] | None) -> None:
        # Whoever was cancelled by others too stays cancelled (`asyncio.Task.uncancel`).
        others = self._task.uncancel() > self._before
        if not others and kind is asyncio.CancelledError:
            raise TimeoutError from None


class EachWithin(Within):
    """A block that is entered for one wait after another, each of which may take so long.

    Most are over long before: one timer for all of them looks at the one that is under way, and is
    set again only when it has. A stream waits for every event.

    Args:
        seconds: How long each may take.
    """

    __slots__ = ("_timer", "_until", "_waits")

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._begin(loop)
        self._waits, self._until = True, loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(self._until, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if not self._waits:
            return
        if loop.time() < self._until:
            self._timer = loop.call_at(self._until, self._look, loop)
        else:
            self.expire()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._waits = False
        if self._late:
            self._end(kind)

    def close(self) -> None:
        """Look no more: nothing is waited for after this."""
        if self._timer is not None:
            self._timer.cancel()


class Background:
    """Work that must finish although whoever asked for it went away.

    A cancelled request may not await anything more; what it still owes (the settlement, the rest of
    an answer) is spawned here and awaited by `drain` at shutdown.
    """

    def __init__(self) -> None:
        self._work: set[asyncio.Future[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start `work` and hold on to it until it ends."""
        # Not `ensure_future`: it asks first what it was given.
        task = asyncio.get_running_loop().create_task(work)
        self.hold(task)
        return task

    def hold(self, work: asyncio.Future[Any]) -> None:
        """Hold on to work that has begun until it ends."""
        self._work.add(work)
        work.add_done_callback(self._work.discard)

    async def finish(self, work: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
        """Run `work` to its end, even if the caller is cancelled while waiting for it."""
        begun = asyncio.ensure_future(work)
        self.hold(begun)
        return await asyncio.shield(begun)

    async def drain(self) -> None:
        """Wait until everything spawned has ended."""
        while self._work:
            await asyncio.gather(*self._work, return_exceptions=True)


def tell(waiting: Iterable[asyncio.Future[None]], error: Exception | None = None) -> None:
    """Let those go on who wait still, or fail with an error."""
    for one in waiting:
        if one.done():
            continue
        if error is None:
            one.set_result(None)
        else:
            one.set_exception(error)


def error_of(done: asyncio.Future[Any]) -> BaseException | None:
    """Return what work that has ended failed with, that of being cancelled included, or `None`."""
    return asyncio.CancelledError() if done.cancelled() else done.exception()


class Drain:
    """How a process ends: what is under way comes to its end, and nothing begins.

    Attributes:
        begun: Whether the end was asked for.
        over: Whether there is no more time for anything.
        work: A block that counts as under way until it is left.
        waiting: The blocks that are cut when there is not.
    """

    def __init__(self) -> None:
        self.begun = False
        self.over = False
        self.work = _Counted()
        self.waiting: set[UntilCut] = set()

    @property
    def under_way(self) -> int:
        """Return how much work has not come to its end."""
        return self.work.count

    def begin(self) -> None:
        """Let nothing begin from here on."""
        self.begun = True

    def cut(self) -> None:
        """End every wait for what is under way."""
        if self.over:
            return
        self.begun = self.over = True
        for one in self.waiting:
            one.cut()


FEW = 4
"""With so many requests under way a turn costs more than it saves."""


class Turn:
    """A turn of the loop between two steps of a request, where others are under way.

    Requests that came together then go each step together. All that one does takes more code and
    data than a processor's caches hold, and one step does not. With few others it is not worth a
    turn, and a request waits for nothing.

    Args:
        drain: Says what is under way.
    """

    __slots__ = ("_work",)

    def __init__(self, drain: Drain) -> None:
        self._work = drain.work

    def __await__(self) -> Generator[None, None, None]:
        """Let the others come as far."""
        if self._work.count > FEW:
            # What `asyncio.sleep(0)` does.
            yield


GATHERED = 8
"""In so many turns of the loop requests gather that come one after the other."""


class Gathering(Turn):
    """Some turns of the loop, in which requests gather that did not come together.

    What waits goes on in the order in which it came, as soon as a turn brings nobody else.
    """

    __slots__ = ("_waiting",)

    def __init__(self, drain: Drain) -> None:
        super().__init__(drain)
        self._waiting: list[asyncio.Future[None]] = []

    def __await__(self) -> Generator[Any, None, None]:
        """Wait for others, where any are under way."""
        if self._work.count > FEW:
            loop = asyncio.get_running_loop()
            if not self._waiting:
                loop.call_soon(self._look, loop, 0, GATHERED)
            # One each: who is cancelled takes nobody along.
            gathered = loop.create_future()
            self._waiting.append(gathered)
            yield from gathered

    def _look(self, loop: asyncio.AbstractEventLoop, before: int, turns: int) -> None:
        """Let them go on, or look again after another turn, if more came than there were before."""
        if len(self._waiting) > before and turns > 1:
            loop.call_soon(self._look, loop, len(self._waiting), turns - 1)
            return
        waiting, self._waiting = self._waiting, []
        tell(waiting)


class UntilCut:
    """A block that ends with `CutOffError` when there is no more time for it, or is not entered.

    It may be entered for one wait after another: it stands around every event, at a fraction of
    what `asyncio.timeout` costs.

    Args:
        drain: Says when there is none.
    """

    __slots__ = ("_before", "_cut", "_drain", "_task")

    def __init__(self, drain: Drain) -> None:
        self._drain = drain

    def __enter__(self) -> None:
        if self._drain.over:
            raise CutOffError
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - whoever awaits is one
        self._task, self._before, self._cut = task, task.cancelling(), False
        self._drain.waiting.add(self)

    def cut(self) -> None:
        """End the block, which is being waited in."""
        self._cut = True
        self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._drain.waiting.discard(self)
        if not self._cut:
            return
        # Whoever was cancelled by others too stays cancelled (`asyncio.Task.uncancel`).
        others = self._task.uncancel() > self._before
        if not others and kind is asyncio.CancelledError:
            raise CutOffError from None


class _Counted:
    """A block that counts how often it is entered and not yet left."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self.count -= 1


class CutOffError(Exception):
    """What was waited for did not come before the process had to end."""


@contextmanager
def running(*work: Coroutine[Any, Any, None]) -> Iterator[None]:
    """Run what runs for ever until the block is left."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
