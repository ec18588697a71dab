"""Where each service answers: its subresources, its hostnames and its private zones.

Source: https://learn.microsoft.com/azure/private-link/private-endpoint-dns
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.estate import Estate, Resource, fold
from secure_openai.posture.zones import DOMAINS, GOVERNMENT, PUBLIC, zone

LOGIN: Final = {PUBLIC: "login.microsoftonline.com", GOVERNMENT: "login.microsoftonline.us"}
"""The host of Entra ID."""

FEDERATION: Final = {
    PUBLIC: "api://AzureADTokenExchange",
    GOVERNMENT: "api://AzureADTokenExchangeUSGov",
}
"""The audience of a federated credential."""

WEB: Final = (
    "azurerm_linux_web_app",
    "azurerm_linux_web_app_slot",
    "azurerm_windows_web_app",
    "azurerm_windows_web_app_slot",
)
FUNCTIONS: Final = (
    "azurerm_linux_function_app",
    "azurerm_linux_function_app_slot",
    "azurerm_windows_function_app",
    "azurerm_windows_function_app_slot",
)
SLOTS: Final = tuple(one for one in (*WEB, *FUNCTIONS) if one.endswith("_slot"))
APPS: Final = tuple(one for one in (*WEB, *FUNCTIONS) if one not in SLOTS)
SITES: Final = (*APPS, *SLOTS)
"""Applications and their slots."""

MACHINES: Final = ("azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine")

SUBRESOURCES: Final = {
    "azurerm_cognitive_account": ("account",),
    "azurerm_container_registry": ("registry",),
    "azurerm_cosmosdb_account": ("sql",),
    "azurerm_key_vault": ("vault",),
    "azurerm_monitor_private_link_scope": ("azuremonitor",),
    "azurerm_search_service": ("searchService",),
    "azurerm_storage_account": ("blob", "dfs", "file", "queue", "table"),
    **dict.fromkeys(SITES, ("sites",)),
}
"""What of a service a private endpoint may stand for."""

SERVICES: Final = tuple(SUBRESOURCES)

# Other kinds of account answer under the second domain only.
_MODELS: Final = ("openai", "aiservices")
_ACCOUNTS: Final = "cognitiveservices."


@dataclass(frozen=True, slots=True)
class Door:
    """One way into a service.

    Attributes:
        service: The service.
        target: The resource that a private endpoint of it names; a slot's is its application.
        subresource: What the endpoint stands for: `blob`, `sites`, `sites-staging`.
        hosts: The names under which callers know it, before any private zone.
        zones: The private zones that must answer for it.
        beside: Rules of its firewall that stand in resources of their own.
    """

    service: Resource
    target: str
    subresource: str
    hosts: tuple[str, ...]
    zones: tuple[str, ...]
    beside: tuple[Resource, ...] = ()


def infer_cloud(estate: Estate) -> str:
    """Return the cloud that an estate's locations belong to."""
    for one in estate.resources:
        location = str(one.values.get("location") or "").replace(" ", "").casefold()
        if location.startswith(("usgov", "usdod")):
            return GOVERNMENT
    return PUBLIC


def doors(service: Resource, cloud: str, beside: tuple[Resource, ...] = ()) -> Iterator[Door]:
    """Yield every door of a service, whether or not anybody uses it."""
    for subresource in _subresources(service):
        domains = _domains(service, DOMAINS[cloud][subresource])
        target, name, group = service.id, service.name, subresource
        if service.type in SLOTS:
            parent = service.values.get("app_service_id") or service.values.get("function_app_id")
            target = str(parent or "")
            name = f"{target.rpartition('/')[2]}-{service.name}"
            group = f"sites-{service.name}"
        yield Door(
            service,
            fold(target),
            group,
            tuple(_hosts(service, name, domains)),
            tuple(zone(domain) for domain in domains),
            beside,
        )


def _subresources(service: Resource) -> tuple[str, ...]:
    if service.type == "azurerm_cosmosdb_account" and service.values.get("kind") == "MongoDB":
        return ("mongodb",)
    return SUBRESOURCES.get(service.type, ())


def _domains(service: Resource, domains: tuple[str, ...]) -> tuple[str, ...]:
    kind = str(service.values.get("kind") or "OpenAI").casefold()
    if service.type == "azurerm_cognitive_account" and kind not in _MODELS:
        return tuple(one for one in domains if one.startswith(_ACCOUNTS))
    return domains


def _hosts(service: Resource, name: str, domains: tuple[str, ...]) -> Iterator[str]:
    if service.type == "azurerm_monitor_private_link_scope":
        return
    if service.type == "azurerm_cognitive_account":
        # Without a subdomain of its own an account answers at its region's shared name.
        name = str(service.values.get("custom_subdomain_name") or "")
        if not name:
            return
    for domain in domains:
        yield f"{name}.{domain}".casefold()
        if service.type in SITES:
            yield f"{name}.scm.{domain}".casefold()
        if service.type == "azurerm_cosmosdb_account":
            for place in service.blocks("geo_location"):
                region = str(place.get("location") or "").replace(" ", "").casefold()
                yield f"{name}-{region}.{domain}".casefold()
