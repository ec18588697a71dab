"""What each service is asked, and with which role it would answer.

Every question leaves things as they are: it reads, or deletes what does not exist. Source of the
shapes: Azure Cosmos DB REST API, "Access control", "Get a collection", "Delete a document"; Azure
Storage, "List Blobs", "Delete Blob"; Azure Key Vault REST API, "Get Key", "Verify"; Azure OpenAI
v1 API, "List models".
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from functools import partial
from urllib.parse import quote, urlsplit

from secure_openai.settings import ModelSource, Settings
from secure_openai.tables import table

NOT_ASKED = frozenset(
    {
        *("fetch_package", "host_blobs", "host_queues", "host_tables"),
        *("manage_deployments", "observe"),
    }
)
"""Needs that nothing is asked for: those of the host before our program runs; a role that is handed
over or not, as somebody decides; and that of a service which takes nothing but telemetry."""

COMPLETE = "complete"

SERVING = frozenset({COMPLETE, "keep"})
"""Needs without which no question is answered; people chat on without the rest."""

SIGN_IN = "sign-in"

COSMOS_VERSION = "2020-07-15"
BLOB_VERSION = "2023-11-03"
VAULT_VERSION = "7.4"

STORAGE_SCOPE = "https://storage.azure.com/.default"
"""Of every cloud (Microsoft Entra ID, "Authorize access to blobs")."""


class Identity(StrEnum):
    """Whose roles are asked for."""

    WEB = "web"
    FUNCTIONS = "functions"


class Scheme(StrEnum):
    """How a token goes along."""

    NONE = "none"
    BEARER = "bearer"
    COSMOS = "cosmos"


@dataclass(frozen=True, slots=True)
class Ask:
    """One question.

    Attributes:
        service: What it is asked of, for people.
        url: Where.
        need: The row of `tables/roles.json` without which the answer is a refusal; empty for none.
        scope: What a token is asked for; empty sends none.
        scheme: How the token goes along.
        method: HTTP method.
        headers: What goes along.
        body: Likewise.
        good: Statuses that mean yes.
        zone: The private DNS zone in which the name resolves; empty for what is always public.
        missing: What a 404 that is not `good` means.
        tells_regions: Whether the answer names the account's endpoints by region.
    """

    service: str
    url: str
    need: str = ""
    scope: str = ""
    scheme: Scheme = Scheme.BEARER
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    good: frozenset[int] = frozenset({200})
    zone: str = ""
    missing: str = "it is not there"
    tells_regions: bool = False

    @property
    def host(self) -> str:
        """Return the name."""
        return urlsplit(self.url).hostname or ""

    @property
    def serves(self) -> bool:
        """Return whether nobody is served without it."""
        return self.need in SERVING or self.service == SIGN_IN

    @property
    def role(self) -> str:
        """Return the role that is needed, or `""`."""
        return str(table("roles")[self.need]["role"]) if self.need else ""

    @property
    def why(self) -> str:
        """Return what the role is needed for, or `""`."""
        return str(table("roles")[self.need]["why"]) if self.need else ""


def asks_of(settings: Settings, identity: Identity) -> list[Ask]:
    """Return what to ask every service that the settings name, for an identity."""
    asks = [
        Ask(
            SIGN_IN,
            f"{settings.authority}/.well-known/openid-configuration",
            scheme=Scheme.NONE,
            missing="the tenant is not there",
        )
    ]
    if settings.kept_in_azure:
        asks += [*_cosmos(settings), *_blobs(settings), *_vault(settings)]
    if settings.model_source is ModelSource.AZURE:
        asks += _models(settings)
    if settings.telemetry_connection_string:
        asks.append(_telemetry(settings))
    rows = table("roles").items()
    needed = {name for name, row in rows if identity in row["identities"]}
    return [ask for ask in asks if not ask.need or ask.need in needed]


def ask_of_region(account: Ask, url: str) -> Ask:
    """Return what to ask a region's endpoint: that is where the application's requests go."""
    return replace(account, service="database account, its region", url=f"{url}/")


def _zone(settings: Settings, service: str, host: str) -> str:
    """Return the private zone of a service in which a name resolves."""
    zones: list[str] = table("clouds")[settings.cloud]["zones"][service]
    ending = (zone for zone in zones if host.endswith(zone.removeprefix("privatelink.")))
    return next(ending, zones[0])


def _cosmos(settings: Settings) -> Iterator[Ask]:
    url = settings.cosmos_url.rstrip("/")
    host = urlsplit(url).hostname or ""
    now = format_datetime(datetime.now(UTC), usegmt=True)
    headers = {"x-ms-version": COSMOS_VERSION, "x-ms-date": now}
    ask = partial(
        Ask,
        need="keep",
        scope=f"https://{host}/.default",
        scheme=Scheme.COSMOS,
        zone=_zone(settings, "cosmos", host),
    )
    yield ask("database account", f"{url}/", headers=headers, tells_regions=True)
    for container in table("containers"):
        at = f"{url}/dbs/{quote(settings.cosmos_database)}/colls/{container}"
        missing = f"there is no container {container} in the database {settings.cosmos_database}"
        yield ask(f"container {container}", at, headers=headers, missing=missing)
        name = f"check-{secrets.token_hex(8)}"
        yield ask(
            f"container {container}, to write",
            f"{at}/docs/{name}",
            method="DELETE",
            headers={**headers, "x-ms-documentdb-partitionkey": json.dumps([name])},
            good=frozenset({404}),
        )


def _blobs(settings: Settings) -> Iterator[Ask]:
    base = settings.blob_url.rstrip("/")
    ask = partial(
        Ask,
        scope=STORAGE_SCOPE,
        headers={"x-ms-version": BLOB_VERSION},
        zone=_zone(settings, "blob", urlsplit(base).hostname or ""),
    )
    for need, what, container in (
        ("verify_seals", "seals", settings.seals_container),
        ("seal", "seals", settings.seals_container),
        ("export", "exports", settings.exports_container),
        ("attach", "attachments", settings.attachments_container),
    ):
        yield ask(
            what,
            f"{base}/{container}?restype=container&comp=list&maxresults=1",
            need=need,
            missing=f"there is no container {container}",
        )
        if need != "verify_seals":
            yield ask(
                f"{what}, to write",
                f"{base}/{container}/check-{secrets.token_hex(8)}",
                need=need,
                method="DELETE",
                good=frozenset({404}),
            )


def _vault(settings: Settings) -> Iterator[Ask]:
    yield from _key(
        settings, "key of the seals", settings.seal_key_url, "verify_seal_key", "seal_key"
    )
    if settings.evidence_key_url:
        yield from _key(settings, "key of evidence", settings.evidence_key_url, "evidence_key")


def _key(settings: Settings, what: str, url: str, *needs: str) -> Iterator[Ask]:
    """Yield what to ask of a key: to be read for each need, and to be used for the last."""
    ask = partial(
        Ask,
        scope=f"https://{settings.cloud_facts.vault_domain}/.default",
        zone=_zone(settings, "vault", ""),
        missing="there is no such key",
    )
    for need in needs:
        yield ask(what, f"{url}?api-version={VAULT_VERSION}", need=need)
    # Without a version in its place it is the current one.
    versioned = urlsplit(url).path.count("/") > len(("keys", "name"))
    body = {"alg": "ES256", "digest": _zeros(32), "value": _zeros(64)}
    yield ask(
        f"{what}, to use",
        need=needs[-1],
        url=f"{url}{'' if versioned else '/'}/verify?api-version={VAULT_VERSION}",
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps(body).encode(),
    )


def _zeros(count: int) -> str:
    return base64.urlsafe_b64encode(bytes(count)).decode().rstrip("=")


def _models(settings: Settings) -> Iterator[Ask]:
    for account in settings.model_accounts:
        host = urlsplit(account.url).hostname or ""
        yield Ask(
            f"models of {account.name}",
            f"{account.url}/openai/v1/models",
            need=COMPLETE,
            scope=settings.cloud_facts.model_scope,
            zone=_zone(settings, "model", host),
        )


def _telemetry(settings: Settings) -> Ask:
    # It would take nothing but telemetry: that it answers at all is what can be asked.
    return Ask(
        "telemetry",
        f"{settings.telemetry_url.rstrip('/')}/",
        scheme=Scheme.NONE,
        good=frozenset({200, 400, 404, 405}),
        zone=_zone(settings, "monitor", ""),
    )
