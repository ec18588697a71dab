"""Streams that are watched, and work that outlives its asker."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from secure_openai.streams import Background, with_pauses


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
