"""No more at once than one process carries: who comes then is told when to ask again."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.edge.middleware.drain import PROBES
from secure_openai.edge.middleware.refusal import refuse
from secure_openai.edge.middleware.room import AGAIN_SECONDS
from secure_openai.errors import Overloaded


class CapacityMiddleware:
    """Refuses what comes while as much is under way as may be.

    What is under way is not harmed. Probes are answered: a process that has much to do is well.
    It stands behind `LimitsMiddleware`: a body that is still on its way is not under way here.

    Args:
        app: What does the work.
        most: How much may be under way.
    """

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self.app = app
        self._most = most
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if there is room for it."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        if self._under_way >= self._most:
            error = Overloaded(
                "As many requests are under way as this server carries: ask again.",
                retry_after=AGAIN_SECONDS,
            )
            await refuse(error, scope, receive, send)
            return
        self._under_way += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way -= 1
