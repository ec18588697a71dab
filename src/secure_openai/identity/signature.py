"""Signed tokens, opened (RFC 7515, compact serialization; RFC 7518, 3.3: RS256 and nothing else).

What a general library does for every algorithm and each of its options costs more than the
signature itself, so the one form that is accepted is read here, and RSA is left to `cryptography`.
"""

from __future__ import annotations

import binascii
import json
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from secure_openai.errors import Unauthenticated

ALGORITHM = "RS256"
LARGEST_TOKEN = 16_384
"""Characters; Entra's tokens stay far below."""

LARGEST_HEADER = 1_024
"""Characters: it is read before anything is known of whoever wrote it."""

NOT_A_TOKEN = "The token is not a JSON Web Token."  # noqa: S105 - a sentence
PARTS = 3

_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
"""From base64url to base64. What only base64 has becomes what neither has."""

_ENDINGS = {0: b"", 2: b"AQgw", 3: b"AEIMQUYcgkosw048"}
"""How the last group of characters may end, by its length: no bit is left over (RFC 4648, 3.5)."""

_PADDING, _HASH = PKCS1v15(), SHA256()


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
            parts = text.encode("ascii").split(b".")
        except UnicodeEncodeError:
            raise Unauthenticated(NOT_A_TOKEN) from None
        if len(parts) != PARTS:
            raise Unauthenticated(NOT_A_TOKEN)
        header, self._payload, self._signature = parts
        self.key_id = _key_id(header)
        self._signed = header + b"." + self._payload

    def claims(self, key: RSAPublicKey) -> dict[str, Any]:
        """Return what the token says, if `key` has signed it.

        Raises:
            Unauthenticated: The key has not, or it signed no claims.
        """
        try:
            key.verify(_decoded(self._signature), self._signed, _PADDING, _HASH)
            claims = json.loads(_decoded(self._payload).decode())
        except (InvalidSignature, ValueError, RecursionError):
            raise Unauthenticated("The token's signature does not hold.") from None
        if not isinstance(claims, dict):
            raise Unauthenticated(NOT_A_TOKEN)
        return claims


@lru_cache(maxsize=64)
def _key_id(segment: bytes) -> str:
    """Return the `kid` of a header that we accept: all tokens of a key share one header.

    `typ` says nothing, and what else a header may hold is not to be believed: a key in it
    (`jwk`, `jku`, `x5c`) is not looked at (RFC 8725, 3.10).
    """
    try:
        if len(segment) > LARGEST_HEADER:
            raise Unauthenticated(NOT_A_TOKEN)
        header = json.loads(_decoded(segment).decode())
    except (ValueError, RecursionError):
        raise Unauthenticated(NOT_A_TOKEN) from None
    if not isinstance(header, dict) or "alg" not in header:
        raise Unauthenticated(NOT_A_TOKEN)
    if header["alg"] != ALGORITHM:
        raise Unauthenticated("The token is signed by an algorithm that is not accepted.")
    if "crit" in header:
        raise Unauthenticated("The token asks for an extension that is not known.")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise Unauthenticated("The token does not name its key.")
    return kid


def _decoded(segment: bytes) -> bytes:
    """Return the bytes of a base64url text without padding, in its only spelling.

    Raises:
        ValueError: It is none.
    """
    last = len(segment) % 4
    if last and segment[-1] not in _ENDINGS.get(last, b""):
        raise binascii.Error("a text that base64url does not write")
    padded = segment.translate(_STANDARD) + b"=" * (-len(segment) % 4)
    return binascii.a2b_base64(padded, strict_mode=True)
