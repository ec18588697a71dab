"""Prove a client by a managed identity's assertion instead of a secret (RFC 7523, 2.2 and 3).

It stands in for Entra's federated identity credential, so that sign-in without a secret can be
shown without Azure. Entra takes an assertion until it expires; this one takes it once, so that one
which was kept, or overheard, is noticed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from secure_openai.local.identity_provider.grants import GrantError

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LARGEST_SEEN = 10_000


@dataclass
class FederatedCredential:
    """Whose assertions prove the web application.

    Attributes:
        key: What they are signed with.
        issuer: Their `iss`.
        subject: Their `sub`: the managed identity.
        audience: Their `aud`.
        now: Seconds since the epoch.
    """

    key: RSAKey
    issuer: str
    subject: str
    audience: str
    now: Callable[[], float] = time.time
    _seen: dict[str, float] = field(default_factory=dict)

    def check(self, form: Mapping[str, str]) -> None:
        """Return if a request proves its client.

        Raises:
            GrantError: It carries no assertion, or one that does not hold.
        """
        if form.get("client_assertion_type") != TYPE or not form.get("client_assertion"):
            raise GrantError("invalid_client", "The client does not prove itself.")
        try:
            token = jwt.decode(form["client_assertion"], self.key, algorithms=["RS256"])
        except (JoseError, ValueError, TypeError):
            raise GrantError("invalid_client", "The assertion is not the identity's.") from None
        claims = token.claims
        expected = {"iss": self.issuer, "sub": self.subject, "aud": self.audience}
        for name, value in expected.items():
            if claims.get(name) != value:
                raise GrantError("invalid_client", f"The assertion's {name} is another one.")
        expires, begins = claims.get("exp"), claims.get("nbf", 0)
        if not isinstance(expires, (int, float)) or not begins <= self.now() < expires:
            raise GrantError("invalid_client", "The assertion does not hold now.")
        self._use(str(claims.get("jti", "")), float(expires))

    def _use(self, identifier: str, expires: float) -> None:
        now = self.now()
        self._seen = {one: until for one, until in self._seen.items() if until > now}
        if not identifier or identifier in self._seen or len(self._seen) >= LARGEST_SEEN:
            raise GrantError("invalid_client", "The assertion was used before.")
        self._seen[identifier] = expires
