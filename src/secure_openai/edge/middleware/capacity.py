"""No more at once than one process carries: who comes then is told when to ask again."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.edge.middleware.drain import PROBES
from secure_openai.edge.middleware.refusal import refuse
from secure_openai.errors import Overloaded
from secure_openai.streams import Drain

AGAIN_SECONDS = 1.0


class CapacityMiddleware:
    """Refuses what comes while as much is under way as may be.

    What is under way is not harmed. Probes are answered: a process that has much to do is well.

    Args:
        app: What does the work.
        drain: Knows how much is under way, the request at hand included.
        most: How much may be.
    """

    def __init__(self, app: ASGIApp, *, drain: Drain, most: int) -> None:
        self.app = app
        self._drain = drain
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if there is room for it."""
        full = self._drain.under_way > self._most and scope["type"] == "http"
        if full and scope["path"] not in PROBES:
            error = Overloaded(
                "As many requests are under way as this server carries: ask again.",
                retry_after=AGAIN_SECONDS,
            )
            await refuse(error, scope, receive, send)
            return
        await self.app(scope, receive, send)
