"""Signed tokens, opened (RFC 7515, compact serialization; RFC 7518, 3.3: RS256 and nothing else).

A token is taken apart once: its header names the key that it is checked with. All tokens of a key
begin with the same header, which is read once too.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.util import urlsafe_b64decode
from pydantic_core import from_json

from secure_openai.errors import Unauthenticated

ALGORITHM: Final = "RS256"
LARGEST_TOKEN: Final = 16_384
"""Characters; Entra's tokens stay far below."""

HEADERS: Final = 64
"""How many headers are remembered: those of a few keys, and whatever strangers invent."""

UNREADABLE: Final = (
    "The token is not a JSON Web Token: send an access token of Microsoft Entra ID. "
    "Keys are not taken."
)

_REGISTRY: Final = jws.JWSRegistry(algorithms=[ALGORITHM])
_PADDING: Final = PKCS1v15()
_HASH: Final = SHA256()


class SignedToken:
    """A token that was taken apart, and nothing of it believed.

    Attributes:
        key_id: `kid`: which key it says it is signed with.

    Raises:
        Unauthenticated: It has another form, or its header is not one that we accept.
    """

    __slots__ = ("_payload", "_signature", "_signed", "key_id")

    def __init__(self, text: str) -> None:
        if len(text) > LARGEST_TOKEN:
            raise Unauthenticated("The token is too large.")
        try:
            self._signed, _, self._signature = text.encode("ascii").rpartition(b".")
            header, payload = self._signed.split(b".")
            self._payload = urlsafe_b64decode(payload)
        except ValueError:
            raise Unauthenticated(UNREADABLE) from None
        self.key_id = _key_id(header)

    def claims(self, key: RSAKey) -> dict[str, Any]:
        """Return what the token says, if `key` has signed it.

        Raises:
            Unauthenticated: The key has not, or it signed no claims.
        """
        try:
            signature = urlsafe_b64decode(self._signature)
            key.public_key.verify(signature, self._signed, _PADDING, _HASH)
            claims = from_json(self._payload, allow_inf_nan=False, cache_strings="keys")
        except (InvalidSignature, ValueError):
            raise Unauthenticated("The token's signature does not hold.") from None
        if not isinstance(claims, dict):
            raise Unauthenticated(UNREADABLE)
        return claims


@lru_cache(maxsize=HEADERS)
def _key_id(segment: bytes) -> str:
    """Return the `kid` of a header that we accept.

    `typ` says nothing, and what else a header may hold is not to be believed: a key in it
    (`jwk`, `jku`, `x5c`) is not looked at (RFC 8725, 3.10).
    """
    try:
        # The library reads a header as part of a token only: of one without anything else.
        header = jws.extract_compact(segment + b"..", registry=_REGISTRY).headers()
        algorithm, kid = header.get("alg"), header.get("kid")
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
        raise Unauthenticated(UNREADABLE) from None
    if algorithm != ALGORITHM:
        raise Unauthenticated("The token is signed by an algorithm that is not accepted.")
    if "crit" in header:
        raise Unauthenticated("The token asks for an extension that is not known.")
    if not isinstance(kid, str) or not kid:
        raise Unauthenticated("The token does not name its key.")
    try:
        _REGISTRY.check_header(header)
    except (JoseError, ValueError):
        raise Unauthenticated("The token's header holds what is not known.") from None
    return kid
