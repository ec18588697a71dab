"""Every name at which an estate could answer, from its state, its outputs or its settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from secure_openai.accounts import read_accounts
from secure_openai.clouds import CLOUDS
from secure_openai.environment import OTHERS_VARIABLES
from secure_openai.errors import StartError
from secure_openai.posture.estate import Estate, Resource, fold, leaves
from secure_openai.posture.reading import LARGEST_BYTES, read
from secure_openai.probes.asks import (
    BLOB_VERSION,
    COSMOS_VERSION,
    STORAGE_SCOPE,
    VAULT_VERSION,
    Scheme,
)
from secure_openai.settings import ingestion_of
from secure_openai.tables import table

STORAGE_HOSTS: Final = ("blob", "dfs", "file", "queue", "table", "web")
"""What a storage account may answer at; most of it has no endpoint, and must be as closed."""

TELEMETRY: Final = OTHERS_VARIABLES["telemetry_connection_string"]

OUTPUTS: Final = frozenset({"names", "settings", "public_urls"})


@dataclass(frozen=True, slots=True)
class Place:
    """A name and what is asked there.

    Attributes:
        service: What it is, for people.
        url: What is asked: something that nobody may read without a credential.
        scope: What a token for it is asked for; `""` where none is.
        scheme: How the token goes along.
        headers: What else does.
        zone: The private DNS zone in which the name resolves; `""` for none.
        key: How a key would go along: `storage`, `cosmos`, `model` or `""`.
        entered: Whether somebody is to come in here from inside; the rest is only to be closed.
        shared: Whether it is everybody's: it answers outside too, whatever the estate does.
    """

    service: str
    url: str
    scope: str = ""
    scheme: Scheme = Scheme.BEARER
    headers: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    key: str = ""
    entered: bool = True
    shared: bool = False

    @property
    def host(self) -> str:
        """Return the name."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class Named:
    """What a file names.

    Attributes:
        places: Every place.
        groups: Ids of the estate's resource groups; outputs name none.
        ids: Every id of Azure's, as ids are compared; outputs name none.
    """

    places: tuple[Place, ...]
    groups: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


def from_file(path: Path, cloud: str) -> Named:
    """Return what a state or Terraform's outputs name.

    Args:
        path: Of `terraform show -json` or of `terraform output -json`.
        cloud: Which cloud it stands in.

    Raises:
        ProofError: It is a state that cannot be read.
        StartError: It is neither.
    """
    document = _document(path)
    if "format_version" in document:
        estate = read(path).estate
        try:
            groups = tuple(one.id for one in estate.every("azurerm_resource_group"))
            ids = tuple(sorted(set(_ids(estate))))
            return Named(tuple(_once(_of_state(estate, cloud), cloud)), groups, ids)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise StartError(f"{path} is no whole state of an estate that stands.") from None
    if not document.keys() >= OUTPUTS:
        raise StartError(
            f"{path} is neither a state of `terraform show -json` nor what `terraform output "
            "-json` prints."
        )
    try:
        values = {name: one["value"] for name, one in document.items()}
        return Named(tuple(_once(_of_outputs(values, cloud), cloud)))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise StartError(f"{path} holds no outputs of this estate.") from None


def _ids(estate: Estate) -> Iterator[str]:
    for one in estate.resources:
        for _, value in leaves(one.values):
            if isinstance(value, str) and value.startswith("/subscriptions/"):
                # A role's id may have its scope behind it.
                yield fold(value.partition("|")[0])


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise StartError(f"{path} is larger than {LARGEST_BYTES // 2**20} MiB.")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise StartError(f"{path} is not JSON.") from None
    if not isinstance(document, dict):
        raise StartError(f"{path} is no JSON object.")
    return document


def from_settings(settings: Mapping[str, str], cloud: str) -> list[Place]:
    """Return the places that an application's settings name, by their variables' names."""
    return list(_once(_of_settings(settings, cloud), cloud))


def _once(places: Iterable[Place], cloud: str) -> Iterator[Place]:
    seen: set[str] = set()
    for one in places:
        if one.host and one.host not in seen:
            seen.add(one.host)
            # Whatever a file says: a token goes to Azure's own names and nowhere else.
            yield one if ours(one.url, cloud) else replace(one, scope="", key="")


def ours(url: str, cloud: str) -> bool:
    """Return whether an address is of the cloud's own services, and may get a token for them."""
    facts = CLOUDS[cloud]
    domains = (
        facts.blob_domain.removeprefix("blob."),
        facts.cosmos_domain,
        facts.vault_domain,
        *facts.model_domains,
    )
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "https" and any(host.endswith(f".{one}") for one in domains)


def _zone(cloud: str, service: str, host: str) -> str:
    zones: list[str] = table("clouds")[cloud]["zones"].get(service, [])
    return next((one for one in zones if host.endswith(one.removeprefix("privatelink."))), "")


def application(service: str, host: str, cloud: str) -> Iterator[Place]:
    """Yield an application and the site that deploys it (Kudu), which has a name of its own."""
    zone = _zone(cloud, "sites", host)
    yield Place(service, f"https://{host}/", zone=zone, entered=service.startswith("application"))
    first, _, rest = host.partition(".")
    yield Place(f"{service}, its deployment site", f"https://{first}.scm.{rest}/", zone=zone,
                entered=False)  # fmt: skip


def storage(service: str, host: str, cloud: str, *, entered: bool) -> Place:
    """Return a storage account's endpoint of one kind."""
    kind = host.split(".")[1] if host.count(".") else ""
    return Place(
        service,
        f"https://{host}/?comp=list",
        scope=STORAGE_SCOPE,
        headers={"x-ms-version": BLOB_VERSION},
        zone=_zone(cloud, kind, host),
        key="storage",
        entered=entered,
    )


def cosmos(service: str, host: str, account: str, cloud: str) -> Place:
    """Return a database account's endpoint, its own or that of a region."""
    now = format_datetime(datetime.now(UTC), usegmt=True)
    return Place(
        service,
        f"https://{host}/",
        scope=f"https://{account}/.default",
        scheme=Scheme.COSMOS,
        headers={"x-ms-version": COSMOS_VERSION, "x-ms-date": now},
        zone=_zone(cloud, "cosmos", host),
        key="cosmos",
    )


def vault(service: str, url: str, cloud: str) -> Place:
    """Return a vault, asked for a key or for the list of them."""
    return Place(
        service,
        f"{url}?api-version={VAULT_VERSION}",
        scope=f"https://{CLOUDS[cloud].vault_domain}/.default",
        zone=table("clouds")[cloud]["zones"]["vault"][0],
    )


def model(service: str, host: str, cloud: str, *, entered: bool = True) -> Place:
    """Return a model account's endpoint."""
    return Place(
        service,
        f"https://{host}/openai/v1/models",
        scope=CLOUDS[cloud].model_scope,
        zone=_zone(cloud, "model", host),
        key="model",
        entered=entered,
    )


def telemetry(connection: str, cloud: str) -> Place:
    """Return where a connection string sends telemetry: a name that others use, too."""
    zone = table("clouds")[cloud]["zones"]["monitor"][0]
    return Place("telemetry", ingestion_of(connection), zone=zone, shared=True)


def _of_settings(settings: Mapping[str, str], cloud: str) -> Iterator[Place]:
    prefix = "SECURE_OPENAI_"
    if url := settings.get(f"{prefix}COSMOS_URL", ""):
        host = urlsplit(url).hostname or ""
        yield cosmos("database account", host, host, cloud)
    if url := settings.get(f"{prefix}BLOB_URL", ""):
        yield storage("storage of the records", urlsplit(url).hostname or "", cloud, entered=True)
    for name in ("SEAL_KEY_URL", "EVIDENCE_KEY_URL"):
        if url := settings.get(f"{prefix}{name}", ""):
            yield vault("key vault", url, cloud)
    if written := settings.get(f"{prefix}MODEL_ACCOUNTS", ""):
        for account in read_accounts(written):
            yield model(f"models of {account.name}", urlsplit(account.url).hostname or "", cloud)
    yield telemetry(settings.get(TELEMETRY, ""), cloud)


def _of_outputs(values: Mapping[str, Any], cloud: str) -> Iterator[Place]:
    domain = table("clouds")[cloud]["app_service_domain"]
    for kind, name in (("application", "web"), ("functions", "functions")):
        site = values["names"][name]
        yield from application(f"{kind}, production", f"{site}.{domain}", cloud)
        yield from application(f"{kind}, staging", f"{site}-staging.{domain}", cloud)
    for slots in values["settings"].values():
        for settings in slots.values():
            yield from _of_settings(settings, cloud)


def _of_state(estate: Estate, cloud: str) -> Iterator[Place]:
    """Yield what a state names, most of what should be entered first."""
    sites = {
        "azurerm_linux_web_app": "application, production",
        "azurerm_linux_web_app_slot": "application, staging",
        "azurerm_linux_function_app": "functions, production",
        "azurerm_linux_function_app_slot": "functions, staging",
    }
    for one in estate.every(*sites):
        yield from application(sites[one.type], str(one.values["default_hostname"]), cloud)
    for one in estate.every("azurerm_application_insights"):
        yield telemetry(str(one.values.get("connection_string") or ""), cloud)
    for one in estate.every("azurerm_cosmosdb_account"):
        yield from _database(one, cloud)
    for one in estate.every("azurerm_key_vault"):
        keys = str(one.values["vault_uri"]).rstrip("/") + "/keys"
        yield vault(f"key vault {one.name}", keys, cloud)
    for one in estate.every("azurerm_storage_account"):
        for kind in STORAGE_HOSTS:
            host = str(one.values.get(f"primary_{kind}_host") or "")
            entered = bool(_endpoint(estate, one, kind))
            yield storage(f"storage {one.name}, {kind}", host, cloud, entered=entered)
    for one in estate.every("azurerm_cognitive_account"):
        name = str(one.values.get("custom_subdomain_name") or one.name)
        for at, domain in enumerate(CLOUDS[cloud].model_domains):
            yield model(f"models of {one.name}", f"{name}.{domain}", cloud, entered=at == 0)


def _database(one: Resource, cloud: str) -> Iterator[Place]:
    host = urlsplit(str(one.values["endpoint"])).hostname or ""
    yield cosmos(f"database account {one.name}", host, host, cloud)
    name, _, domain = host.partition(".")
    for place in one.blocks("geo_location"):
        region = str(place.get("location") or "").replace(" ", "").lower()
        yield cosmos(f"database account {one.name} in {region}", f"{name}-{region}.{domain}", host,
                     cloud)  # fmt: skip


def _endpoint(estate: Estate, account: Resource, kind: str) -> bool:
    """Return whether a private endpoint of the estate leads to a kind of a storage account."""
    return any(
        kind in (connection.get("subresource_names") or ())
        and str(connection.get("private_connection_resource_id")).lower() == account.id.lower()
        for one in estate.every("azurerm_private_endpoint")
        for connection in one.blocks("private_service_connection")
    )
