"""Tokens as Entra's v2.0 endpoint shapes them.

Source: Microsoft identity platform, "ID token claims reference" and "Access token claims
reference". ID tokens and access tokens are kept apart by the same claims as there.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Any

from joserfc import jwt

from secure_openai.local.identity_provider.directory import (
    DAEMON,
    SCOPE,
    TENANT_ID,
    WEB_CLIENT_ID,
    Person,
)
from secure_openai.local.identity_provider.signing_keys import SigningKeys

TOKEN_SECONDS = 3600
GRAPH = "00000003-0000-0000-c000-000000000000"
"""Whose token Entra gives to a client that asks for no API of its own: Microsoft Graph."""


class Issuance:
    """Makes tokens."""

    def __init__(self, issuer: str, keys: SigningKeys) -> None:
        self._issuer = issuer
        self._keys = keys

    def id_token(self, person: Person, client_id: str, nonce: str | None) -> str:
        """Return who signed in, for the client."""
        claims = {**self._common(client_id, person.oid, client_id), **_people_claims(person)}
        if nonce is not None:
            claims["nonce"] = nonce
        return self._sign(claims)

    def access_token(
        self, person: Person, client_id: str, *, for_api: bool, confidential: bool = False
    ) -> str:
        """Return what the client may call our API with on the person's behalf.

        A client that asked for no scope of ours gets a token for someone else's API.

        Args:
            person: Whose token.
            client_id: Who asked for it.
            for_api: Whether it is for our API.
            confidential: Whether the client proved itself, as a service does.
        """
        audience = WEB_CLIENT_ID if for_api else GRAPH
        claims = {
            **self._common(audience, person.oid, client_id),
            **_people_claims(person),
            "azp": client_id,
            "azpacr": "1" if confidential else "0",
            "idtyp": "user",
            "scp": SCOPE if for_api else "openid profile",
            "uti": secrets.token_urlsafe(16),
        }
        if not for_api:
            del claims["roles"]
        return self._sign(claims)

    def application_token(self) -> str:
        """Return what the demo application may call our API with by itself."""
        return self._sign(
            {
                **self._common(WEB_CLIENT_ID, DAEMON.oid, DAEMON.client_id),
                "azp": DAEMON.client_id,
                "azpacr": "1",
                "idtyp": "app",
                "roles": list(DAEMON.roles),
                "uti": secrets.token_urlsafe(16),
            }
        )

    def _common(self, audience: str, oid: str, client_id: str) -> dict[str, Any]:
        now = int(time.time())
        # `sub` is pairwise: another client sees another one, so nobody can key people by it.
        subject = hashlib.sha256(f"{oid}/{client_id}".encode()).hexdigest()[:43]
        return {
            "iss": self._issuer,
            "aud": audience,
            "exp": now + TOKEN_SECONDS,
            "nbf": now,
            "iat": now,
            "tid": TENANT_ID,
            "oid": oid,
            "sub": subject,
            "ver": "2.0",
        }

    def _sign(self, claims: dict[str, Any]) -> str:
        key = self._keys.current
        header = {"alg": "RS256", "typ": "JWT", "kid": key.kid}
        return jwt.encode(header, claims, key, algorithms=["RS256"])


def _people_claims(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "preferred_username": person.username,
        "roles": list(person.roles),
    }
