"""Give every request an id that its trace, its logs, its audit records and its error page share."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.edge.middleware.added_headers import adding
from secure_openai.fresh_ids import fresh_id
from secure_openai.telemetry import logs
from secure_openai.telemetry.spans import trace_id


class RequestIdMiddleware:
    """Sets `scope["secure_openai.request_id"]` and the `X-Request-Id` response header.

    It is the id of the trace where there is one, sampled or not, and drawn otherwise. An id that
    the client sends is not taken over: whoever chooses ids chooses what is joined.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on with its id."""
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        request_id = trace_id() or fresh_id()
        # Not reset: a server runs each request in a context of its own, and what is logged after
        # an unexpected error still belongs to it.
        logs.request_id.set(request_id)
        scope["secure_openai.request_id"] = request_id
        header = (b"x-request-id", request_id.encode())
        return self.app(scope, receive, adding(scope, send, (header,)))
