"""Where each service answers: its subresources, its hostnames and its private zones, by cloud.

Source: https://learn.microsoft.com/azure/private-link/private-endpoint-dns
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.estate import Estate, Resource, fold

PUBLIC: Final = "public"
GOVERNMENT: Final = "usgovernment"

_PUBLIC: Final = {
    "account": ("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
    "azuremonitor": (
        "monitor.azure.com",
        "oms.opinsights.azure.com",
        "ods.opinsights.azure.com",
        "agentsvc.azure-automation.net",
        "blob.core.windows.net",
    ),
    "blob": ("blob.core.windows.net",),
    "dfs": ("dfs.core.windows.net",),
    "file": ("file.core.windows.net",),
    "queue": ("queue.core.windows.net",),
    "registry": ("azurecr.io",),
    "searchService": ("search.windows.net",),
    "sites": ("azurewebsites.net",),
    "sql": ("documents.azure.com",),
    "table": ("table.core.windows.net",),
    "vault": ("vault.azure.net",),
}
_GOVERNMENT: Final = {
    "account": ("openai.azure.us", "cognitiveservices.azure.us"),
    "azuremonitor": (
        "monitor.azure.us",
        "oms.opinsights.azure.us",
        "ods.opinsights.azure.us",
        "agentsvc.azure-automation.us",
        "blob.core.usgovcloudapi.net",
        "adx.monitor.azure.us",
    ),
    "blob": ("blob.core.usgovcloudapi.net",),
    "dfs": ("dfs.core.usgovcloudapi.net",),
    "file": ("file.core.usgovcloudapi.net",),
    "queue": ("queue.core.usgovcloudapi.net",),
    "registry": ("azurecr.us",),
    "searchService": ("search.azure.us",),
    "sites": ("azurewebsites.us",),
    "sql": ("documents.azure.us",),
    "table": ("table.core.usgovcloudapi.net",),
    "vault": ("vault.usgovcloudapi.net",),
}
DOMAINS: Final = {PUBLIC: _PUBLIC, GOVERNMENT: _GOVERNMENT}
"""The domains in which a subresource answers, by cloud."""

LOGIN: Final = {PUBLIC: "login.microsoftonline.com", GOVERNMENT: "login.microsoftonline.us"}
"""The host of Entra ID."""

FEDERATION: Final = {
    PUBLIC: "api://AzureADTokenExchange",
    GOVERNMENT: "api://AzureADTokenExchangeUSGov",
}
"""The audience of a federated credential."""

_VAULT_ZONES: Final = {
    "vault.azure.net": "privatelink.vaultcore.azure.net",
    "vault.usgovcloudapi.net": "privatelink.vaultcore.usgovcloudapi.net",
}

SUBRESOURCES: Final = {
    "azurerm_cognitive_account": ("account",),
    "azurerm_container_registry": ("registry",),
    "azurerm_cosmosdb_account": ("sql",),
    "azurerm_key_vault": ("vault",),
    "azurerm_linux_function_app": ("sites",),
    "azurerm_linux_function_app_slot": ("sites",),
    "azurerm_linux_web_app": ("sites",),
    "azurerm_linux_web_app_slot": ("sites",),
    "azurerm_monitor_private_link_scope": ("azuremonitor",),
    "azurerm_search_service": ("searchService",),
    "azurerm_storage_account": ("blob", "dfs", "file", "queue", "table"),
}
"""What of a service a private endpoint may stand for."""

APPS: Final = ("azurerm_linux_web_app", "azurerm_linux_function_app")
SLOTS: Final = ("azurerm_linux_web_app_slot", "azurerm_linux_function_app_slot")
WEB: Final = ("azurerm_linux_web_app", "azurerm_linux_web_app_slot")
FUNCTIONS: Final = ("azurerm_linux_function_app", "azurerm_linux_function_app_slot")
SERVICES: Final = tuple(SUBRESOURCES)


@dataclass(frozen=True, slots=True)
class Door:
    """One way into a service.

    Attributes:
        service: The service.
        target: The resource that a private endpoint of it names; a slot's is its application.
        subresource: What the endpoint stands for: `blob`, `sites`, `sites-staging`.
        hosts: The names under which callers know it, before any private zone.
        zones: The private zones that must answer for it.
    """

    service: Resource
    target: str
    subresource: str
    hosts: tuple[str, ...]
    zones: tuple[str, ...]


def zone(domain: str) -> str:
    """Return the private zone that answers for a domain."""
    return _VAULT_ZONES.get(domain, f"privatelink.{domain}")


def cloud_of_zone(name: str) -> str | None:
    """Return the cloud that a private zone belongs to, or None where it is not one of Azure's."""
    for cloud, domains in DOMAINS.items():
        if any(name == zone(domain) for found in domains.values() for domain in found):
            return cloud
    return None


def infer_cloud(estate: Estate) -> str:
    """Return the cloud that an estate's locations belong to."""
    for one in estate.resources:
        location = str(one.values.get("location") or "").replace(" ", "").casefold()
        if location.startswith(("usgov", "usdod")):
            return GOVERNMENT
    return PUBLIC


def doors(service: Resource, cloud: str) -> Iterator[Door]:
    """Yield every door of a service, whether or not anybody uses it."""
    for subresource in SUBRESOURCES.get(service.type, ()):
        domains = DOMAINS[cloud][subresource]
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
        )


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
        if service.type in (*APPS, *SLOTS):
            yield f"{name}.scm.{domain}".casefold()
        if service.type == "azurerm_cosmosdb_account":
            for place in service.blocks("geo_location"):
                region = str(place.get("location") or "").replace(" ", "").casefold()
                yield f"{name}-{region}.{domain}".casefold()


def service_domain(host: str) -> bool:
    """Return whether a name lies in a domain of one of these services, of any cloud."""
    return any(
        host.endswith(f".{domain}")
        for domains in DOMAINS.values()
        for found in domains.values()
        for domain in found
    )
