"""Signed tokens, opened (RFC 7515, compact serialization; RFC 7518, 3.3: RS256 and nothing else).

A token is taken apart once: its header names the key that it is checked with.
"""

from __future__ import annotations

import json
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from secure_openai.errors import Unauthenticated

ALGORITHM: Final = "RS256"
LARGEST_TOKEN: Final = 16_384
"""Characters; Entra's tokens stay far below."""

UNREADABLE: Final = (
    "The token is not a JSON Web Token: send an access token of Microsoft Entra ID. "
    "Keys are not taken."
)

_REGISTRY: Final = jws.JWSRegistry(algorithms=[ALGORITHM])


class SignedToken:
    """A token that was taken apart, and nothing of it believed.

    Attributes:
        key_id: `kid`: which key it says it is signed with.

    Raises:
        Unauthenticated: It has another form, or its header is not one that we accept.
    """

    __slots__ = ("_token", "key_id")

    def __init__(self, text: str) -> None:
        if len(text) > LARGEST_TOKEN:
            raise Unauthenticated("The token is too large.")
        try:
            self._token = jws.extract_compact(text.encode("ascii"), registry=_REGISTRY)
            header = self._token.headers()
        except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
            raise Unauthenticated(UNREADABLE) from None
        self.key_id = _key_id(header)

    def claims(self, key: RSAKey) -> dict[str, Any]:
        """Return what the token says, if `key` has signed it.

        Raises:
            Unauthenticated: The key has not, or it signed no claims.
        """
        try:
            holds = jws.validate_compact(self._token, key, registry=_REGISTRY)
            claims = json.loads(self._token.payload.decode()) if holds else None
        except (JoseError, ValueError, RecursionError):
            holds = False
        if not holds:
            raise Unauthenticated("The token's signature does not hold.")
        if not isinstance(claims, dict):
            raise Unauthenticated(UNREADABLE)
        return claims


def _key_id(header: dict[str, Any]) -> str:
    """Return the `kid` of a header that we accept.

    `typ` says nothing, and what else a header may hold is not to be believed: a key in it
    (`jwk`, `jku`, `x5c`) is not looked at (RFC 8725, 3.10).
    """
    if header.get("alg") != ALGORITHM:
        raise Unauthenticated("The token is signed by an algorithm that is not accepted.")
    if "crit" in header:
        raise Unauthenticated("The token asks for an extension that is not known.")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise Unauthenticated("The token does not name its key.")
    return kid
