"""What an application of an estate says about itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from secure_openai.posture.estate import Resource, Values, fold
from secure_openai.posture.zones import DOMAINS

_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+){2,}")
_URL_HOST: Final = re.compile(
    r"\b[a-z][a-z0-9+.-]*://(?:[^/@\s]*@)?([^/:?#\s\"',;]+)", re.IGNORECASE
)
_REFERENCE: Final = re.compile(r"\s*@Microsoft\.KeyVault\s*\((.*)\)\s*", re.IGNORECASE | re.DOTALL)
_SECRET_URI: Final = re.compile(
    r"SecretUri=https://([a-z0-9-]+(?:\.[a-z0-9-]+)+)/secrets/[A-Za-z0-9-]+(?:/[0-9a-fA-F]*)?/?",
    re.IGNORECASE,
)
_NAMED_SECRET: Final = re.compile(
    r"(?=(?:.*;)?VaultName=([A-Za-z0-9-]+)(?:;|$))(?=(?:.*;)?SecretName=[A-Za-z0-9-]+(?:;|$))"
    r"(?:(?:VaultName|SecretName|SecretVersion)=[A-Za-z0-9-]+(?:;|$))+",
    re.IGNORECASE,
)
# What telemetry is sent to is named by an id, not by a host (`telemetry_of`).
_TELEMETRY: Final = ("APPLICATIONINSIGHTS_CONNECTION_STRING", "APPINSIGHTS_INSTRUMENTATIONKEY")


@dataclass(frozen=True, slots=True)
class Reference:
    """A setting's reference into a vault: the vault's name or hostname."""

    vault: str


def settings_of(app: Resource) -> Values:
    """Return the settings of an application or slot by name."""
    found: Any = app.values.get("app_settings")
    return found or {}


def is_ours(app: Resource) -> bool:
    """Return whether an application is this framework's, which signs its users in itself."""
    return "SECURE_OPENAI_AUTHORITY" in settings_of(app)


def identities_of(holder: Resource) -> list[str]:
    """Return the ids of the user-assigned identities of an application or machine."""
    return [
        fold(one) for block in holder.blocks("identity") for one in block.get("identity_ids") or ()
    ]


def names_itself(holder: Resource) -> bool:
    """Return whether an application has the identity that Azure gives it by itself."""
    return any("SystemAssigned" in str(one.get("type")) for one in holder.blocks("identity"))


def refers_to_vault(value: Any) -> bool:
    """Return whether a setting looks like a reference into a vault, well written or not."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def reference(value: Any) -> Reference | None:
    """Return where a reference into a vault leads; None where App Service would not follow it.

    Source: https://learn.microsoft.com/azure/app-service/app-service-key-vault-references
    """
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    inner = found.group(1).strip()
    matched = _SECRET_URI.fullmatch(inner) or _NAMED_SECRET.fullmatch(inner)
    return Reference(matched.group(1).casefold()) if matched else None


def named_hosts(app: Resource, cloud: str) -> Iterator[str]:
    """Yield the hostnames that an application's settings name, in any form."""
    for name, value in settings_of(app).items():
        if name in _TELEMETRY or not isinstance(value, str):
            continue
        known = reference(value)
        if known:
            yield (
                known.vault if "." in known.vault else f"{known.vault}.{DOMAINS[cloud]['vault'][0]}"
            )
        else:
            yield from hosts_in(value)


def hosts_in(value: Any) -> set[str]:
    """Return the hostnames that a setting's text names."""
    return set(_HOST.findall(value.casefold())) if isinstance(value, str) else set()


def url_hosts(value: Any) -> set[str]:
    """Return the hostnames of the addresses with a scheme that a setting's text names."""
    return {one.casefold() for one in _URL_HOST.findall(value)} if isinstance(value, str) else set()
