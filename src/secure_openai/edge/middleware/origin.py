"""A cookie alone does not prove that our own page sent the request.

Source: OWASP Cross-Site Request Forgery Prevention Cheat Sheet, "Fetch Metadata headers" and
"Verifying origin with standard headers". Requests without a cookie cannot be forged this way.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.edge.middleware.refusal import header_values, refuse
from secure_openai.errors import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class OriginMiddleware:
    """Refuses unsafe methods that carry a cookie unless they come from our own exact origin."""

    def __init__(self, app: ASGIApp, *, public_url: str) -> None:
        self.app = app
        self._origin = public_url

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on if no foreign page can have sent it."""
        if (
            scope["type"] == "http"
            and scope["method"] not in SAFE_METHODS
            and header_values(scope, b"cookie")
            and not self._ours(scope)
        ):
            error = Forbidden("The request does not come from a page of this application.")
            return refuse(error, scope, receive, send)
        return self.app(scope, receive, send)

    def _ours(self, scope: Scope) -> bool:
        return header_values(scope, b"origin") == [self._origin] and header_values(
            scope, b"sec-fetch-site"
        ) == ["same-origin"]
