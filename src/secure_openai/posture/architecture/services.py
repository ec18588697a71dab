"""Each service of an estate with all that a reviewer asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from secure_openai.posture.applications import identities_of
from secure_openai.posture.estate import Estate, Resource

KINDS: Final = {
    "azurerm_linux_web_app": "Web application",
    "azurerm_linux_function_app": "Function app",
    "azurerm_cognitive_account": "Azure OpenAI",
    "azurerm_cosmosdb_account": "Cosmos DB",
    "azurerm_storage_account": "Storage",
    "azurerm_key_vault": "Key Vault",
    "azurerm_search_service": "AI Search",
    "azurerm_container_registry": "Container registry",
    "azurerm_log_analytics_workspace": "Log Analytics",
    "azurerm_application_insights": "Application Insights",
    "azurerm_monitor_private_link_scope": "Monitor private link scope",
}
"""The services that hold or move what people write, in the order in which a request meets them."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service.

    Attributes:
        resource: What it is in the estate.
        title: Its kind and its role here, for people.
        endpoints: Subresource and zones of each private endpoint.
        identities: What it acts as, in every slot.
        accepts: Who may call it, by role: pairs of role and identity.
        diagnostics: What it sends to the workspace.
    """

    resource: Resource
    title: str
    endpoints: tuple[tuple[str, tuple[str, ...]], ...]
    identities: tuple[str, ...]
    accepts: tuple[tuple[str, str], ...]
    diagnostics: str


def services(estate: Estate) -> list[Service]:
    """Return the services of an estate, in the order of `KINDS`."""
    return [
        Service(
            resource=one,
            title=title_of(one),
            endpoints=_endpoints(estate, one),
            identities=_identities(estate, one),
            accepts=_accepts(estate, one),
            diagnostics=_diagnostics(estate, one),
        )
        for kind in KINDS
        for one in estate.every(kind)
    ]


def label(resource: Resource) -> str:
    """Return what an instance is called in the configuration: `host`, `main`; empty for `this`."""
    last = resource.address.rpartition(".")[2]
    name, _, key = last.partition("[")
    # `here` says where a thing was made, not which one it is.
    key = "" if key.strip('"]') == "here" else key
    return key.strip('"]') if key and not key[0].isdigit() else ("" if name == "this" else name)


def title_of(resource: Resource) -> str:
    """Return the kind of a service and its role here, for people."""
    role = label(resource)
    return f"{KINDS[resource.type]} ({role})" if role else KINDS[resource.type]


def _endpoints(estate: Estate, resource: Resource) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    for endpoint in estate.every("azurerm_private_endpoint"):
        connection = endpoint.values["private_service_connection"][0]
        if connection["private_connection_resource_id"] != resource.id:
            continue
        groups = endpoint.values["private_dns_zone_group"]
        zones = groups[0]["private_dns_zone_ids"] if groups else ()
        names = tuple(zone.rpartition("/")[2] for zone in zones)
        found.append((connection["subresource_names"][0], names))
    return tuple(found)


def _identities(estate: Estate, resource: Resource) -> tuple[str, ...]:
    """Return the identities of an application and its slots, or a service's own."""
    slots = estate.every(f"{resource.type}_slot")
    ids = [identifier for one in (resource, *slots) for identifier in identities_of(one)]
    found = [label(one) for identifier in ids if (one := estate.known(identifier))]
    if any("SystemAssigned" in str(block.get("type")) for block in resource.blocks("identity")):
        found.append("its own")
    return tuple(found)


def _accepts(estate: Estate, resource: Resource) -> tuple[tuple[str, str], ...]:
    identities = {
        one.values["principal_id"]: label(one)
        for one in estate.every("azurerm_user_assigned_identity")
    }
    found = set()
    for one in estate.every("azurerm_role_assignment", "azurerm_cosmosdb_sql_role_assignment"):
        scope = one.values["scope"]
        if scope != resource.id and not scope.startswith(f"{resource.id}/"):
            continue
        role = str(one.values.get("role_definition_name") or "Cosmos DB Built-in Data Contributor")
        if "/keys/" in scope:
            # Who signs with which key is the point; a key is called by its purpose and its slot.
            role += f" on `{scope.rpartition('/')[2].rpartition('-')[0]}`"
        found.add((role, identities.get(one.values["principal_id"], "someone else")))
    return tuple(sorted(found))


def _diagnostics(estate: Estate, resource: Resource) -> str:
    for one in estate.every("azurerm_monitor_diagnostic_setting"):
        target = one.values["target_resource_id"]
        if target == resource.id or target.startswith(f"{resource.id}/"):
            logs = sorted(
                log["category_group"] or log["category"] for log in one.values["enabled_log"]
            )
            metrics = sorted(metric["category"] for metric in one.values["enabled_metric"])
            return ", ".join([*logs, *metrics])
    if resource.type in ("azurerm_application_insights", "azurerm_monitor_private_link_scope"):
        return "is where they go"
    return "none"
