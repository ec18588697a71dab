"""Answer only to our own names: a foreign Host is DNS rebinding or a probe."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.edge.middleware.refusal import header_values, refuse
from secure_openai.errors import RequestError

PROBES = frozenset({"/healthz", "/readyz", "/startupz"})
"""App Service probes these under addresses of its own."""


class HostsMiddleware:
    """Refuses any request without exactly one Host of the allow-list (RFC 9110, 7.2)."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str]) -> None:
        self.app = app
        self._hosts = hosts

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on if it names us."""
        if scope["type"] == "websocket":
            return send({"type": "websocket.close", "code": 1008})
        if scope["type"] == "http" and scope["path"] not in PROBES:
            values = header_values(scope, b"host")
            if len(values) != 1 or values[0].lower() not in self._hosts:
                error = RequestError(
                    "This Host is not one that is answered here: use the address that was printed."
                )
                return refuse(error, scope, receive, send)
        return self.app(scope, receive, send)
