"""Credentials that are not ours to use here: each must be refused, by everyone.

Source: Azure Storage REST API, "Authorize with Shared Key"; Azure Cosmos DB REST API, "Access
control"; Azure OpenAI, "Authentication"; RFC 7519, 6 (unsecured JWTs).
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from secure_openai.delivery.verification.places import Place
from secure_openai.probes.asks import Scheme

FORGED: Final = {
    "X-MS-CLIENT-PRINCIPAL-ID": "00000000-0000-0000-0000-000000000001",
    "X-MS-CLIENT-PRINCIPAL-NAME": "admin@contoso.com",
    "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
    "X-MS-CLIENT-PRINCIPAL": base64.b64encode(
        json.dumps(
            {
                "auth_typ": "aad",
                "role_typ": "roles",
                "claims": [{"typ": "roles", "val": "admin"}],
            }
        ).encode()
    ).decode(),
    "X-Forwarded-User": "admin",
    "X-Remote-User": "admin",
}
"""What a proxy or Easy Auth would say of who comes (Azure App Service, "Access user claims")."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who must not come in.

    Attributes:
        name: Who, for people.
        headers: What they carry.
    """

    name: str
    headers: Mapping[str, str]


def carried(place: Place, bearer: str) -> dict[str, str]:
    """Return how a token goes along to a place.

    Args:
        place: Where.
        bearer: `Bearer` and the token.
    """
    if place.scheme is Scheme.COSMOS:
        token = bearer.removeprefix("Bearer ")
        return {"Authorization": quote(f"type=aad&ver=1.0&sig={token}", safe="")}
    return {"Authorization": bearer}


def strangers_of(place: Place, foreign: str) -> Iterator[Stranger]:
    """Yield who must not come in at a service.

    Args:
        place: Where.
        foreign: Our own token for another audience, with `Bearer`; `""` where none was had.
    """
    yield Stranger("nobody", {})
    yield Stranger("a token that is none", carried(place, f"Bearer {secrets.token_urlsafe(48)}"))
    yield Stranger("an unsigned token", carried(place, f"Bearer {unsigned(place.scope)}"))
    if foreign:
        yield Stranger("a token for another audience", carried(place, foreign))
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    match place.key:
        case "storage":
            account = place.host.partition(".")[0]
            yield Stranger("a key", {"Authorization": f"SharedKey {account}:{key}"})
        case "cosmos":
            signed = quote(f"type=master&ver=1.0&sig={key}", safe="")
            yield Stranger("a key", {"Authorization": signed})
        case "model":
            yield Stranger("a key", {"api-key": secrets.token_hex(16)})


def strangers_at_doors(foreign: str) -> Iterator[Stranger]:
    """Yield who must not come in at a route of the application."""
    yield Stranger("nobody", {})
    yield Stranger("forged identity headers", FORGED)
    yield Stranger("a token that is none", {"Authorization": f"Bearer {secrets.token_urlsafe(48)}"})
    yield Stranger("an unsigned token", {"Authorization": f"Bearer {unsigned()}"})
    if foreign:
        yield Stranger("a token for another audience", {"Authorization": foreign})


def unsigned(scope: str = "") -> str:
    """Return a token without a signature, which claims to be an administrator's.

    Args:
        scope: What it claims to be for.
    """
    claims = {
        "aud": scope.removesuffix("/.default"),
        "exp": 2**33,
        "nbf": 0,
        "roles": ["admin"],
        "scp": "access_as_user",
    }
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts
    ) + "."  # fmt: skip
