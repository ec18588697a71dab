"""What one principal may ask of a process, so that nobody stands before everybody else.

A search, an export and a page of Markdown take threads and a processor for a moment: two of each
principal's are answered at a time, and the others have their turn. What changes something takes the
store's time: so many a minute. What models are asked is counted by the policy's limits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.requests import Request

from secure_openai.errors import TooManyRequests
from secure_openai.types import Principal, PrincipalId

AT_ONCE = 2
MOST = 32
"""One principal's dear requests in one process: those that are answered, and those that wait."""

AGAIN_SECONDS = 1.0

CHANGES = 600
"""One principal's requests in a minute that may change something, in one process: no person clicks
so fast, and a program that does can wait."""

MINUTE = 60.0

MANY = f"{MOST} such requests of yours are under way: wait for one to end."
OFTEN = f"You asked for {CHANGES} changes within a minute: go on in the next one."


class Shares:
    """What each principal asks for in one process.

    Args:
        clock: Tells seconds that only grow.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of: dict[PrincipalId, _Share] = {}
        self._minute = 0.0
        self._changes: dict[PrincipalId, int] = {}

    @asynccontextmanager
    async def take(self, principal: PrincipalId) -> AsyncIterator[None]:
        """Wait for one's turn, and have it for the block.

        Raises:
            TooManyRequests: As many are under way as may be.
        """
        share = self._of.setdefault(principal, _Share())
        if share.requests >= MOST:
            raise TooManyRequests(MANY, retry_after=AGAIN_SECONDS, limit=MOST)
        share.requests += 1
        try:
            async with share.turns:
                yield
        finally:
            share.requests -= 1
            if not share.requests:
                del self._of[principal]

    def change(self, principal: PrincipalId) -> None:
        """Count a request that may change something.

        Raises:
            TooManyRequests: It is one too many for this minute.
        """
        now = self._clock()
        minute, into = divmod(now, MINUTE)
        if minute != self._minute:
            self._minute = minute
            self._changes.clear()
        asked = self._changes.get(principal, 0)
        if asked >= CHANGES:
            raise TooManyRequests(OFTEN, retry_after=MINUTE - into, limit=CHANGES)
        self._changes[principal] = asked + 1


class _Share:
    """One principal's dear requests."""

    def __init__(self) -> None:
        self.requests = 0
        self.turns = asyncio.Semaphore(AT_ONCE)


def shares_of(request: Request) -> Shares:
    """Return the shares of the process that a request came to."""
    shares = request.app.state.shares
    assert isinstance(shares, Shares)  # noqa: S101 - the application has set it
    return shares


@asynccontextmanager
async def ones_turn(request: Request) -> AsyncIterator[None]:
    """Wait for the turn of whoever asks, and have it for the block; behind no public route.

    Raises:
        TooManyRequests: As many of theirs are under way as may be.
    """
    principal = request.state.principal
    assert isinstance(principal, Principal)  # noqa: S101 - SecuredRoute has set it
    async with shares_of(request).take(principal.id):
        yield
