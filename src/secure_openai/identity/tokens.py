"""One validator for every token (RFC 7519; RFC 8725, "JSON Web Token Best Current Practices").

Entra's v2.0 ID tokens and access tokens for one's own API share issuer and audience, and both say
`typ: JWT`; what tells them apart is `scp` or `idtyp`, which an ID token never has. Source:
Microsoft identity platform, "Access token claims reference" and "ID token claims reference".
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple

from secure_openai.errors import Unauthenticated
from secure_openai.identity.keys import KeySource
from secure_openai.identity.signature import SignedToken
from secure_openai.types import (
    APPLICATION_ROLES,
    ON_BEHALF_ROLES,
    PEOPLE_ROLES,
    Principal,
    PrincipalId,
    PrincipalKind,
)

VERSION = "2.0"
SKEW_SECONDS = 60
CACHE_ENTRIES = 100_000
"""As many principals as one process serves in `CACHE_SECONDS`; each takes about 0.6 kB while it is
there, and only tokens that hold are."""

CACHE_SECONDS = 300.0

TEXT_CLAIMS = ("iss", "aud", "tid", "oid", "sub", "ver")
TIME_CLAIMS = ("exp", "nbf", "iat")
"""The claims that every token must carry."""

NUMBERS = (int, float)
"""The classes of a time in seconds; `bool`, which is an `int` too, is none of them."""

PUBLIC_CLIENT = "0"
CONFIDENTIAL_CLIENTS = frozenset({"1", "2"})
"""What `azpacr` says of the client that got a person's token: whether it proved itself, and how."""

ROLES = {
    PrincipalKind.PERSON: PEOPLE_ROLES,
    PrincipalKind.APPLICATION: APPLICATION_ROLES,
    PrincipalKind.ON_BEHALF: ON_BEHALF_ROLES,
}
"""Which of the granted roles count."""


class _Cached(NamedTuple):
    principal: Principal
    kid: str
    until: float


class TokenValidator:
    """Turns tokens into principals.

    Args:
        issuer: `iss`, exactly.
        tenant_id: `tid`: the only tenant that is accepted.
        client_id: `aud` of ID tokens.
        audience: `aud` of access tokens.
        scope: What a person's access token must hold in `scp`.
        keys: The issuer's keys.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        *,
        issuer: str,
        tenant_id: str,
        client_id: str,
        audience: str,
        scope: str,
        keys: KeySource,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._tenant_id = tenant_id
        self._client_id = client_id
        self._audience = audience
        self._scope = scope
        self._keys = keys
        self._clock = clock
        self._cache: OrderedDict[bytes, _Cached] = OrderedDict()
        keys.on_removed(self._forget)

    def seen(self, token: str) -> Principal | None:
        """Return whose access token this is, if it was seen to hold a short while ago."""
        digest = _digest(token)
        cached = self._cache.get(digest)
        if cached is None:
            return None
        if self._clock() < cached.until:
            self._cache.move_to_end(digest)
            return cached.principal
        del self._cache[digest]
        return None

    async def access_token(self, token: str) -> Principal:
        """Return whose access token this is.

        Raises:
            Unauthenticated: Naming the rule that failed.
            IdentityProviderUnavailable: No key is known yet.
        """
        seen = self.seen(token)
        if seen is not None:
            return seen
        kid, claims = await self._claims(token, self._audience)
        principal = self._access_principal(claims)
        until = min(claims["exp"], self._clock() + CACHE_SECONDS)
        self._cache[_digest(token)] = _Cached(principal, sys.intern(kid), until)
        if len(self._cache) > CACHE_ENTRIES:
            self._cache.popitem(last=False)
        return principal

    async def id_token(self, token: str, *, nonce: str | None) -> Principal:
        """Return whose ID token this is.

        Args:
            token: As the token endpoint gave it.
            nonce: What the sign-in began with; `None` where a refresh gave the token, which may
                leave it out (OpenID Connect Core 1.0, 12.2).

        Raises:
            Unauthenticated: Naming the rule that failed.
            IdentityProviderUnavailable: No key is known yet.
        """
        _, claims = await self._claims(token, self._client_id)
        if "scp" in claims or "idtyp" in claims:
            raise Unauthenticated("This is an access token where an ID token belongs.")
        if nonce is not None and claims.get("nonce") != nonce:
            raise Unauthenticated("The ID token belongs to another sign-in.")
        return self._principal(claims, PrincipalKind.PERSON)

    def _access_principal(self, claims: dict[str, Any]) -> Principal:
        kind = claims.get("idtyp")
        scopes = claims.get("scp")
        if kind == "app":
            if scopes is not None:
                raise Unauthenticated("The token is an application's and a person's at once.")
            principal = self._principal(claims, PrincipalKind.APPLICATION)
            if not principal.roles:
                raise Unauthenticated("The application holds no role here.")
            return principal
        if kind not in {None, "user"} or not isinstance(scopes, str):
            raise Unauthenticated("This is not an access token for this API.")
        if self._scope not in scopes.split(" "):
            raise Unauthenticated(f"The token lacks the scope {self._scope}.")
        return self._principal(claims, _kind_of(claims))

    def _principal(self, claims: dict[str, Any], kind: PrincipalKind) -> Principal:
        granted = claims.get("roles", [])
        if not isinstance(granted, list) or not all(isinstance(role, str) for role in granted):
            raise Unauthenticated("The token's roles are not a list of names.")
        known, client = ROLES[kind], _text(claims, "azp")
        # What many share is kept once.
        return Principal(
            id=PrincipalId(sys.intern(claims["tid"]), claims["oid"]),
            kind=kind,
            roles=_same(known & frozenset(granted)),
            name=_text(claims, "name"),
            username=_text(claims, "preferred_username"),
            client_id=None if client is None else sys.intern(client),
        )

    async def _claims(self, token: str, audience: str) -> tuple[str, dict[str, Any]]:
        """Return the key's id and the claims, after every rule that all tokens share."""
        signed = SignedToken(token)
        key = await self._keys.key(signed.key_id)
        claims = signed.claims(key)
        for name in TEXT_CLAIMS:
            if type(claims.get(name)) is not str or not claims[name]:
                raise Unauthenticated(f"The token lacks the claim {name}.")
        for name in TIME_CLAIMS:
            if type(claims.get(name)) not in NUMBERS:
                raise Unauthenticated(f"The token lacks the claim {name}.")
        if claims["iss"] != self._issuer:
            raise Unauthenticated("The token is from another issuer.")
        if claims["tid"] != self._tenant_id:
            raise Unauthenticated("The token is from another tenant.")
        if claims["aud"] != audience:
            raise Unauthenticated("The token is for another audience.")
        if claims["ver"] != VERSION:
            raise Unauthenticated("The token is not of version 2.0.")
        self._check_times(claims)
        return signed.key_id, claims

    def _check_times(self, claims: dict[str, Any]) -> None:
        now = self._clock()
        if now >= claims["exp"] + SKEW_SECONDS:
            raise Unauthenticated("The token has expired.")
        if now < claims["nbf"] - SKEW_SECONDS:
            raise Unauthenticated("The token is not valid yet.")
        if now < claims["iat"] - SKEW_SECONDS:
            raise Unauthenticated("The token was issued in the future.")

    def _forget(self, kid: str) -> None:
        """Drop every cached verification by a key that is no longer published."""
        for digest in [digest for digest, entry in self._cache.items() if entry.kid == kid]:
            del self._cache[digest]


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _kind_of(claims: dict[str, Any]) -> PrincipalKind:
    """Return whether a person's token was got by the person's own program, or by a service.

    A client that proves itself by a secret or a certificate is a service: with the on-behalf-of
    flow or a sign-in of its own, it asks for the person and not as the person.

    Source: Microsoft identity platform, "Access token claims reference": `azpacr`.
    """
    proof = claims.get("azpacr", PUBLIC_CLIENT)
    if proof == PUBLIC_CLIENT:
        return PrincipalKind.PERSON
    if isinstance(proof, str) and proof in CONFIDENTIAL_CLIENTS:
        return PrincipalKind.ON_BEHALF
    raise Unauthenticated("The token says something unknown of the client that got it.")


_ROLE_SETS: dict[frozenset[str], frozenset[str]] = {}
"""Every set of roles that was seen: as many as there are sets of known roles."""


def _same(roles: frozenset[str]) -> frozenset[str]:
    return _ROLE_SETS.setdefault(roles, roles)


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) else None
