"""A process that ends begins nothing: who asks for something is sent to another one."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from secure_openai.edge.middleware.refusal import refuse
from secure_openai.errors import Stopping
from secure_openai.streams import Drain

RETRY_SECONDS = 2.0
"""Another instance answers at once, a restarted one in some seconds: clients ask several times."""

PROBES = frozenset({"/healthz", "/readyz", "/startupz"})


class DrainMiddleware:
    """Counts what is under way, and refuses what comes after the end was asked for.

    A connection that is still open is closed with the refusal, so that the next request is sent
    where somebody stays (RFC 9112, 9.6).
    """

    def __init__(self, app: ASGIApp, *, drain: Drain) -> None:
        self.app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if there is time for it."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        if not self._drain.begun:
            with self._drain.work:
                await self.app(scope, receive, send)
            return

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        error = Stopping("The server is stopping: ask again.", retry_after=RETRY_SECONDS)
        await refuse(error, scope, receive, send_and_close)
