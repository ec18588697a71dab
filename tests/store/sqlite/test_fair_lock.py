"""A lock that programs take in turn."""

from __future__ import annotations

import asyncio
import stat
import sys
from pathlib import Path

import pytest

from secure_openai.errors import StoreError
from secure_openai.store.sqlite import connection as connection_module
from secure_openai.store.sqlite.fair_lock import FairLock

HOLD = """
import asyncio, sys, time
from pathlib import Path
from secure_openai.store.sqlite.fair_lock import FairLock
asyncio.run(FairLock(Path(sys.argv[1])).acquire())
print("held", flush=True)
time.sleep(60)
"""


async def test_one_has_it(path: Path) -> None:
    """Who comes waits until it is let go of, and its files are for their owner only."""
    path.parent.mkdir()
    first, second = FairLock(path), FairLock(path)
    await first.acquire()
    assert not first.wanted
    coming = asyncio.ensure_future(second.acquire())
    await asyncio.sleep(0.02)
    assert (coming.done(), first.wanted) == (False, True)

    first.release()
    await coming
    assert not second.wanted
    modes = {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert modes == {0o600}
    for lock in (first, second):
        lock.close()
        lock.close()
        with pytest.raises(StoreError):
            await lock.acquire()


async def test_whoever_waits_is_next(path: Path) -> None:
    """Who lets go of it and comes again at once has it after those who waited, every time."""
    path.parent.mkdir()
    had: list[int] = []

    async def one(number: int) -> None:
        lock = FairLock(path)
        for _ in range(20):
            await lock.acquire()
            had.append(number)
            # Longer than it takes the other one to come to the door.
            await asyncio.sleep(0.005)
            lock.release()
        lock.close()

    await asyncio.gather(one(0), one(1))
    assert had[:-1] == [0, 1] * 19 + [0]


async def test_nobody_waits_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits too long is told, and leaves the door to others."""
    path.parent.mkdir()
    monkeypatch.setattr(connection_module, "BUSY_MILLISECONDS", 20)
    first, second = FairLock(path), FairLock(path)
    await first.acquire()
    with pytest.raises(StoreError):
        await second.acquire()
    assert not first.wanted
    first.release()
    await second.acquire()
    first.close()
    second.close()


async def test_who_is_cancelled_leaves_the_door(path: Path) -> None:
    """Others are not held up by one that waits no more."""
    path.parent.mkdir()
    first, second = FairLock(path), FairLock(path)
    await first.acquire()
    coming = asyncio.ensure_future(second.acquire())
    await asyncio.sleep(0.01)
    coming.cancel()
    await asyncio.wait([coming])
    assert not first.wanted
    first.close()
    await second.acquire()
    second.close()


@pytest.mark.process
async def test_a_program_that_dies_lets_go(path: Path) -> None:
    """Whatever held it and was killed holds nothing."""
    path.parent.mkdir()
    command = [sys.executable, "-c", HOLD, str(path)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    lock = FairLock(path)
    coming = asyncio.ensure_future(lock.acquire())
    await asyncio.sleep(0.02)
    assert not coming.done()
    process.kill()
    async with asyncio.timeout(10):
        await coming
    await process.wait()
    lock.close()


async def test_where_it_cannot_be_made(path: Path) -> None:
    """A folder that is not there is an error of ours."""
    with pytest.raises(StoreError):
        await FairLock(path).acquire()
