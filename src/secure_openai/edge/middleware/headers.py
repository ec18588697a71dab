"""Response headers that keep a browser inside the fence.

Source: OWASP Secure Headers Project; W3C Content Security Policy Level 3.
"""

from __future__ import annotations

from collections.abc import Awaitable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.edge.middleware.added_headers import adding


def content_security_policy(authority: str) -> str:
    """Return a policy that runs and loads nothing but our own files.

    Args:
        authority: Where the sign-out form may be redirected to; `form-action` covers redirects.
    """
    parts = urlsplit(authority)
    issuer = f"{parts.scheme}://{parts.netloc}"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "font-src 'self'",
            "connect-src 'self'",
            f"form-action 'self' {issuer}",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )


class SecurityHeadersMiddleware:
    """Adds the headers to every response that does not set them itself."""

    def __init__(self, app: ASGIApp, *, authority: str, https: bool) -> None:
        self.app = app
        headers = {
            # Unless a response says how long it holds.
            "cache-control": "no-store",
            "content-security-policy": content_security_policy(authority),
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
            # Not no-referrer: under it browsers send our own forms with Origin: null (Fetch, 3.2).
            "referrer-policy": "same-origin",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
        }
        if https:
            headers["strict-transport-security"] = "max-age=63072000; includeSubDomains"
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on; add the headers to its response."""
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        return self.app(scope, receive, adding(scope, send, self._headers))
