"""The managed-identity endpoint of App Service, for the tests of whoever asks it.

Source: Microsoft Learn, "How to use managed identities for App Service and Azure Functions", REST
endpoint reference, version 2019-08-01.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PATH = "/msi/token"


@dataclass
class ManagedIdentity:
    """A user-assigned identity and the endpoint that gives its tokens.

    Attributes:
        key: What its tokens are signed with.
        issuer: `iss` of those for an application (version 2.0).
        services_issuer: `iss` of those for Azure's own services (version 1.0).
        subject: Their `sub`: the identity's principal id.
        client_id: What the endpoint must be asked for.
        header: What IDENTITY_HEADER says; who does not send it is refused.
        seconds: How long a token holds.
        failing: The status to answer with instead, where it should fail.
        instead: What to answer with instead, where that is no token.
        delay: Seconds before it answers.
        asked: The resource of every request that was answered.
    """

    key: RSAKey
    issuer: str = "https://login.microsoftonline.com/tenant/v2.0"
    services_issuer: str = "https://sts.windows.net/tenant/"
    subject: str = "5ec0de00-0000-4000-8000-0000000000e1"
    client_id: str = "5ec0de00-0000-4000-8000-0000000000e2"
    header: str = field(default_factory=lambda: secrets.token_hex(16))
    seconds: int = 3600
    failing: int | None = None
    instead: bytes | None = None
    delay: float = 0.0
    asked: list[str] = field(default_factory=list)

    def environment(self, origin: str) -> dict[str, str]:
        """Return what App Service would set, were this endpoint served at `origin`."""
        return {
            "IDENTITY_ENDPOINT": f"{origin}{PATH}",
            "IDENTITY_HEADER": self.header,
            "AZURE_CLIENT_ID": self.client_id,
        }

    def token(self, audience: str, **claims: Any) -> str:
        """Return a token for an audience; `claims` stand instead of its own."""
        now = int(time.time())
        own = {
            "iss": self.issuer if audience.startswith("api://") else self.services_issuer,
            "sub": self.subject,
            "oid": self.subject,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + self.seconds,
            "jti": secrets.token_urlsafe(16),
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": self.key.kid}
        return jwt.encode(header, own | claims, self.key, algorithms=["RS256"])

    def accepts(self, authorization: str, audience: str) -> bool:
        """Return whether an `Authorization` carries a token of this identity for an audience."""
        scheme, _, token = authorization.partition(" ")
        try:
            claims = jwt.decode(token, self.key, algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return False
        return (
            scheme == "Bearer"
            and claims["aud"] == audience
            and claims["nbf"] <= time.time() < claims["exp"]
        )

    def app(self) -> Starlette:
        """Return the endpoint as an ASGI application."""
        return Starlette(routes=[Route(PATH, self._answer)])

    async def _answer(self, request: Request) -> Response:
        await asyncio.sleep(self.delay)
        if self.failing is not None:
            return JSONResponse({"message": "not now"}, status_code=self.failing)
        if self.instead is not None:
            return Response(self.instead, media_type="application/json")
        query = request.query_params
        if request.headers.get("x-identity-header") != self.header:
            return JSONResponse({"message": "header"}, status_code=HTTPStatus.UNAUTHORIZED)
        if query.get("api-version") != "2019-08-01" or query.get("client_id") != self.client_id:
            return JSONResponse(
                {"statusCode": 400, "message": "No managed identity found for this client id."},
                status_code=HTTPStatus.BAD_REQUEST,
            )
        resource = query["resource"]
        self.asked.append(resource)
        return JSONResponse(
            {
                "access_token": self.token(resource),
                "expires_on": str(int(time.time()) + self.seconds),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": self.client_id,
            }
        )
