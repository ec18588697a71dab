"""Events that wait to be written: in the order of the calls, and never on the caller's path."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice

from secure_openai.errors import AuditUnavailable, StoreError
from secure_openai.store.audit import AuditEvent
from secure_openai.store.chain import recordable
from secure_openai.streams import Within

logger = logging.getLogger(__name__)

QUEUE = 10_000
DELAY_SECONDS = 0.02
"""How long an event may wait for company before it is written."""

LATE_SECONDS = 1.0
"""How long a write may take before nothing more is accepted: what a sudden end can lose."""

WAIT_SECONDS = 5.0
"""How long whoever wants something accepted may wait for such a write to end."""

RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0

Write = Callable[[Sequence[str]], Awaitable[int]]
"""Writes documents, the first ones first, and returns how many are written; at least one."""

Prepare = Callable[[], Awaitable[None]]
"""Does what must be done before the first event may be accepted."""


class AuditQueue:
    """The queue of an `AuditStore`, and the task that empties it.

    Args:
        write: Writes documents. A failure is tried again until it succeeds.
        size: How many events may wait.
        batch: How many are written at once.
        prepare: Runs first, and again until it succeeds; until then nothing is accepted.
        patience_seconds: How long a closing queue tries again after a failure.
    """

    def __init__(
        self,
        write: Write,
        *,
        size: int = QUEUE,
        batch: int,
        prepare: Prepare | None = None,
        patience_seconds: float = 0.0,
    ) -> None:
        self._write = write
        self._prepare = prepare
        self._ready = prepare is None
        self._size = size
        self._batch = batch
        self._patience = patience_seconds
        self._loop = asyncio.get_running_loop()
        self._queue: deque[str] = deque()
        self._appended = self._finished = 0
        self._failed = False
        self._closing = asyncio.Event()
        self._deadline = 0.0
        self._began: float | None = None
        self._queued = asyncio.Event()
        self._hurry = asyncio.Event()
        self._written = asyncio.Condition()
        self._ended = False
        self._task = asyncio.ensure_future(self._run())

    def __len__(self) -> int:
        """Return how many events wait to be written."""
        return len(self._queue)

    def ensure_writable(self) -> None:
        """Return if an event could be queued now."""
        if self._failed or self._closing.is_set() or self._ended:
            raise AuditUnavailable("The last audit record could not be written. Try again later.")
        if not self._ready:
            raise AuditUnavailable("The audit is not open yet. Try again in a moment.")
        if len(self._queue) >= self._size:
            raise AuditUnavailable("Too many audit records wait to be written. Try again later.")
        if self.late:
            raise AuditUnavailable("The audit answers too slowly. Try again later.")

    @property
    def late(self) -> bool:
        """Return whether a write takes too long for anything to be accepted."""
        return self._began is not None and self._loop.time() - self._began > LATE_SECONDS

    async def in_time(self) -> None:
        """Return when no write takes too long, or when one has for longer than anybody waits."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS), self._written:
                await self._written.wait_for(lambda: not self.late)

    def append(self, event: AuditEvent, *, happened: bool = False) -> None:
        """Queue an event."""
        if not happened:
            self.ensure_writable()
        elif self._closing.is_set() or self._ended or len(self._queue) >= 2 * self._size:
            # As many ends wait as beginnings at most.
            raise AuditUnavailable("There is no place for another audit record.")
        self._queue.append(recordable(event))
        self._appended += 1
        self._queued.set()

    async def opened(self) -> None:
        """Return when events are accepted, or when that failed for the first time."""
        async with self._written:
            await self._written.wait_for(lambda: self._ready or self._failed or self._ended)

    async def flush(self) -> None:
        """Return when everything queued is written."""
        wanted = self._appended
        self._hurry.set()
        self._queued.set()
        async with self._written:
            await self._written.wait_for(
                lambda: self._finished >= wanted or self._failed or self._ended
            )
        if self._failed or self._finished < wanted:
            raise AuditUnavailable("The last audit record could not be written.")

    async def aclose(self) -> None:
        """Write what is queued, then stop.

        Raises:
            AuditUnavailable: Some could not be written.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        self._deadline = self._loop.time() + self._patience
        self._hurry.set()
        self._queued.set()
        # Shielded: whoever stops waiting does not stop the writing.
        await asyncio.shield(self._task)
        if self._queue:
            raise AuditUnavailable(f"{len(self._queue)} audit records could not be written.")

    async def _run(self) -> None:
        try:
            await self._write_all()
        finally:
            # Whatever ended it, nobody waits for what will not be written.
            self._ended = True
            await self._tell()

    async def _write_all(self) -> None:
        if not await self._insisted(self._open):
            return
        while True:
            await self._queued.wait()
            with suppress(TimeoutError), Within(DELAY_SECONDS):
                await self._hurry.wait()
            self._queued.clear()
            self._hurry.clear()
            # What comes meanwhile waits for company too: each write holds up all others.
            wanted = self._appended
            while self._finished < wanted:
                if not await self._insisted(self._write_batch):
                    return
            await self._tell()
            if self._closing.is_set() and not self._queue:
                return

    async def _open(self) -> None:
        if self._prepare is not None:
            await self._prepare()
        self._ready = True

    async def _write_batch(self) -> None:
        # What fails stays at the head of the queue: its order is the order of the calls.
        written = await self._write(list(islice(self._queue, self._batch)))
        for _ in range(written):
            self._queue.popleft()
        self._finished += written

    async def _insisted(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do something until it succeeds; `False` if the queue closes before that."""
        while True:
            self._began = self._loop.time()
            try:
                await work()
            except Exception as error:
                # Whatever it was, the audit stands still until it is over.
                if not self._failed:
                    logger.exception("the audit cannot be written")
                self._failed = True
                self._began = None
                await self._tell()
                if self._gives_up():
                    return False
                await self._pause(error)
            else:
                self._failed = False
                self._began = None
                await self._tell()
                return True

    def _gives_up(self) -> bool:
        late = self._loop.time() >= self._deadline
        return self._closing.is_set() and (late or not self._queue)

    async def _pause(self, error: Exception) -> None:
        """Wait before the next try: as long as the store said, where it did."""
        said = error.retry_after if isinstance(error, StoreError) else None
        seconds = min(max(said or 0.0, RETRY_SECONDS), LONGEST_RETRY_SECONDS)
        if self._closing.is_set():
            await asyncio.sleep(min(seconds, max(0.0, self._deadline - self._loop.time())))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _tell(self) -> None:
        async with self._written:
            self._written.notify_all()


class QueuedAudit:
    """What an `AuditStore` does by its queue, which it makes itself."""

    _queue: AuditQueue

    @property
    def queued(self) -> int:
        """Return how many events wait to be written."""
        return len(self._queue)

    def ensure_writable(self) -> None:
        """Return if a record could be queued now."""
        self._queue.ensure_writable()

    @property
    def late(self) -> bool:
        """Return whether a write takes too long for anything to be accepted."""
        return self._queue.late

    async def in_time(self) -> None:
        """Return when no write takes too long, or when one has for longer than anybody waits."""
        await self._queue.in_time()

    def append(self, event: AuditEvent, *, happened: bool = False) -> None:
        """Queue an event."""
        self._queue.append(event, happened=happened)

    async def flush(self) -> None:
        """Return when everything queued is written."""
        await self._queue.flush()

    async def aclose(self) -> None:
        """Write what is queued, then stop.

        Raises:
            AuditUnavailable: Some could not be written.
        """
        await self._queue.aclose()
