"""Only the application may ask the laptop's model server."""

from __future__ import annotations

import hmac

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.edge.middleware.refusal import header_values


class CredentialMiddleware:
    """Refuses whoever does not hold this start's key, and every website.

    Sign-in, policy, quota and audit stand in the application: nothing on this machine may go
    around them.
    """

    def __init__(self, app: ASGIApp, *, key: str) -> None:
        self.app = app
        self._expected = f"Bearer {key}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it is the application's."""
        if scope["type"] == "http":
            given = header_values(scope, b"authorization")
            known = len(given) == 1 and hmac.compare_digest(
                given[0].encode(), self._expected.encode()
            )
            if not known or header_values(scope, b"origin"):
                error = {
                    "message": "Ask through the application.",
                    "type": "authentication_error",
                    "param": None,
                    "code": "invalid_api_key",
                }
                await JSONResponse({"error": error}, status_code=401)(scope, receive, send)
                return
        await self.app(scope, receive, send)
