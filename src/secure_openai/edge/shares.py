"""What is dear to answer is answered for each principal two at a time: the others have their turn.

A search, an export and a page of Markdown take threads and a processor for a moment. Nobody's
hundred of them stand before somebody else's one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from secure_openai.edge.access import principal_of
from secure_openai.errors import Overloaded
from secure_openai.types import PrincipalId

AT_ONCE = 2
MOST = 32
"""One principal's dear requests in one process: those that are answered, and those that wait."""

AGAIN_SECONDS = 1.0

MANY = f"{MOST} such requests of yours are under way: wait for one to end."


class Shares:
    """The dear requests of every principal in one process."""

    def __init__(self) -> None:
        self._of: dict[PrincipalId, _Share] = {}

    @asynccontextmanager
    async def take(self, principal: PrincipalId) -> AsyncIterator[None]:
        """Wait for one's turn, and have it for the block.

        Raises:
            Overloaded: As many are under way as may be.
        """
        share = self._of.setdefault(principal, _Share())
        if share.requests >= MOST:
            raise Overloaded(MANY, retry_after=AGAIN_SECONDS)
        share.requests += 1
        try:
            async with share.turns:
                yield
        finally:
            share.requests -= 1
            if not share.requests:
                del self._of[principal]


class _Share:
    """One principal's."""

    def __init__(self) -> None:
        self.requests = 0
        self.turns = asyncio.Semaphore(AT_ONCE)


@asynccontextmanager
async def ones_turn(request: Request) -> AsyncIterator[None]:
    """Wait for the turn of whoever asks, and have it for the block.

    Raises:
        Overloaded: As many of theirs are under way as may be.
    """
    shares: Shares = request.app.state.shares
    async with shares.take(principal_of(request).id):
        yield
