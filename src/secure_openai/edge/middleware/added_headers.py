"""Headers that several middlewares add to an answer, all of them in one look at how it begins.

Each wrapper of `send` costs for every message, and a stream has thousands: whoever stands furthest
out wraps it, for itself and for those further in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from starlette.types import Message, Scope, Send

_ADDED = "secure_openai.added_headers"
"""Where in the scope they are left."""

STATUS = "secure_openai.status"
"""Where in the scope an answer's status is left, once it has begun."""


def adding(scope: Scope, send: Send, headers: Sequence[tuple[bytes, bytes]]) -> Send:
    """Return what sends an answer with some headers more, but for those that it sets itself."""
    others = scope.get(_ADDED)
    if others is not None:
        scope[_ADDED] = (*headers, *others)
        return send
    scope[_ADDED] = headers

    def send_with_headers(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            scope[STATUS] = message["status"]
            own = message.get("headers", ())
            present = dict(own)
            added = [pair for pair in scope[_ADDED] if pair[0] not in present]
            message["headers"] = [*own, *added]
        return send(message)

    return send_with_headers
