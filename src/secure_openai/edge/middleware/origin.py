"""A cookie alone does not prove that our own page sent the request, and neither does its absence.

Source: OWASP Cross-Site Request Forgery Prevention Cheat Sheet, "Fetch Metadata headers" and
"Verifying origin with standard headers". Cookies that are `SameSite=Lax` do not come with a form
that another site sends, but what is answered to it may set and delete them (RFC 6265bis, 5.7): it
could sign people out. A program that sends a token, or comes from no browser, cannot be forged.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.edge.middleware.refusal import header_values, refuse, request_headers
from secure_openai.errors import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class OriginMiddleware:
    """Refuses unsafe methods that a browser sends by itself unless our own exact origin does."""

    def __init__(self, app: ASGIApp, *, public_url: str) -> None:
        self.app = app
        self._own = ((b"origin", public_url), (b"sec-fetch-site", "same-origin"))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on if no foreign page can have sent it."""
        if (
            scope["type"] == "http"
            and scope["method"] not in SAFE_METHODS
            and self._forgeable(scope)
            and not self._ours(scope)
        ):
            error = Forbidden("The request does not come from a page of this application.")
            return refuse(error, scope, receive, send)
        return self.app(scope, receive, send)

    def _ours(self, scope: Scope) -> bool:
        return all(header_values(scope, name) == (ours,) for name, ours in self._own)

    def _forgeable(self, scope: Scope) -> bool:
        """Return whether a foreign page could have made a browser send this, cookies left out."""
        told = request_headers(scope)
        if b"cookie" in told:
            return True
        if b"authorization" in told:
            return False
        return any(header_values(scope, name) not in ((), (ours,)) for name, ours in self._own)
