"""Response headers of the issuer's pages."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class IssuerHeadersMiddleware:
    """Fences the issuer's pages.

    `form-action` names the application and loopback, since it covers the redirect that answers the
    choice (W3C Content Security Policy Level 3, 6.4.1).
    """

    def __init__(self, app: ASGIApp, *, application_url: str) -> None:
        self.app = app
        policy = (
            "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; "
            f"base-uri 'none'; form-action 'self' {application_url} http://localhost:*"
        )
        self._headers = [
            (b"content-security-policy", policy.encode()),
            (b"referrer-policy", b"same-origin"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the headers to its response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                added = [] if b"cache-control" in present else [(b"cache-control", b"no-store")]
                message["headers"] = [*message["headers"], *self._headers, *added]
            await send(message)

        await self.app(scope, receive, send_with_headers)
