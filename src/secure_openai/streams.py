"""Streams that must be watched while nothing comes, and work that goes on beside a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
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


class Background:
    """Work that must finish although whoever asked for it went away.

    A cancelled request may not await anything more; what it still owes (the settlement, the rest of
    an answer) is spawned here and awaited by `drain` at shutdown.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start `work` and hold on to it until it ends."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, even if the caller is cancelled while waiting for it."""
        return await asyncio.shield(self.spawn(work))

    async def drain(self) -> None:
        """Wait until everything spawned has ended."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


@contextmanager
def running(*work: Coroutine[Any, Any, None]) -> Iterator[None]:
    """Run what runs for ever until the block is left."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
