"""A lock that the programs which have one file open take in turn."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from secure_openai.errors import StoreError
from secure_openai.store.sqlite import connection as settings

POLL_SECONDS = 0.001


class FairLock:
    """A lock of a file, for whoever opens it: programs, and parts of one.

    Whoever holds it is told that another one waits, and cannot come back before that one had it:
    who comes waits at the door, one at a time, and leaves the door once the lock is theirs. The
    system lets go of what a program held that has died (flock(2)).

    Args:
        path: Of what it is a lock. The lock and its door are files beside it.
    """

    def __init__(self, path: Path) -> None:
        true = path.resolve()
        self._paths = [true.with_name(true.name + ending) for ending in ("-door", "-lock")]
        self._files: list[int] = []
        self._closed = False

    async def acquire(self) -> None:
        """Return when the lock is ours.

        Raises:
            StoreError: Others hold it for longer than anybody waits, or it cannot be made.
        """
        if self._closed:
            raise StoreError("The store is closed.")
        try:
            for path in self._paths[len(self._files) :]:
                self._files.append(_opened(path))
            door, lock = self._files
            await _taken(door)
            try:
                await _taken(lock)
            finally:
                fcntl.flock(door, fcntl.LOCK_UN)
        except OSError as error:
            raise StoreError from error

    @property
    def wanted(self) -> bool:
        """Return whether another one waits for it, or cannot be seen not to."""
        door = self._files[0]
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(door, fcntl.LOCK_UN)
        except OSError:
            return True
        return False

    def release(self) -> None:
        """Let another one have it."""
        with suppress(OSError):
            fcntl.flock(self._files[1], fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of it for good; closing twice is no error."""
        self._closed = True
        files, self._files = self._files, []
        for file in files:
            os.close(file)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, stat.S_IRUSR | stat.S_IWUSR)


async def _taken(file: int) -> None:
    """Return when a file is locked for us.

    Raises:
        OSError: It cannot be, or not in time.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + settings.BUSY_MILLISECONDS / 1000
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() > until:
                raise
            await asyncio.sleep(POLL_SECONDS)
        else:
            return
