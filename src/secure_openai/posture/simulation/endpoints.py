"""The addresses that services answer on, by resource type.

Source: Azure, "Private endpoint DNS zone values" for the public host of each service, and the
"Attributes Reference" of each azurerm resource.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from secure_openai.posture.simulation.cloud import Cloud

Object = Mapping[str, Any]
Rule = Callable[[Cloud, Object], str | None]

INVALID: Final = "simulated.invalid"
"""Where invented hosts live that no table knows; `.invalid` never resolves (RFC 6761, 6.4)."""

STORAGE_SERVICES: Final = ("blob", "dfs", "file", "queue", "table", "web")


def address(cloud: Cloud, kind: str, attribute: str, state: Object) -> str | None:
    """Return what a computed attribute of a known service says.

    None means that it is not known here, and empty that the resource has no such address.
    """
    rule = _RULES.get(kind, {}).get(attribute)
    if rule:
        try:
            return rule(cloud, state)
        except KeyError:
            # A data source of the same name need not have what the resource has.
            return None
    if kind == "azurerm_storage_account":
        return _storage(cloud, attribute, state)
    return None


def site(cloud: Cloud, state: Object) -> str:
    """Return the host of an application, or of its slot: `APPLICATION-SLOT` there."""
    parent = state.get("app_service_id") or state.get("function_app_id")
    name = f"{parent.rpartition('/')[2]}-{state['name']}" if parent else state["name"]
    return f"{name}.{cloud.host('sites')}"


def _storage(cloud: Cloud, attribute: str, state: Object) -> str | None:
    place, _, rest = attribute.partition("_")
    service, _, what = rest.partition("_")
    if service not in STORAGE_SERVICES or not what.endswith(("endpoint", "host")):
        return None
    second = str(state.get("account_replication_type", "")).startswith("RA")
    # A second place has an address where it may be read; routed ones are published on request.
    if what not in {"endpoint", "host"} or (place == "secondary" and not second):
        return ""
    suffix = "-secondary" if place == "secondary" else ""
    host = f"{state['name']}{suffix}.{service}.{cloud.host('storage')}"
    return host if what == "host" else f"https://{host}/"


def _openai(cloud: Cloud, state: Object) -> str:
    suffix = cloud.host("openai" if state.get("kind") == "OpenAI" else "cognitive")
    subdomain = state.get("custom_subdomain_name")
    if not subdomain:
        # Without a subdomain of its own an account shares its region's address.
        region = str(state.get("location", "")).lower().replace(" ", "")
        shared = cloud.host("cognitive").replace("cognitiveservices", "api.cognitive")
        return f"https://{region}.{shared}/"
    return f"https://{subdomain}.{suffix}/"


def _vault(cloud: Cloud, state: Object) -> str:
    return f"https://{state['name']}.{cloud.host('vault')}/"


def _vault_object(_: Cloud, state: Object) -> str:
    return str(state["id"]).rpartition("/")[0]


def _vault_version(_: Cloud, state: Object) -> str:
    return str(state["id"]).rpartition("/")[2]


def _vault_resource(_: Cloud, state: Object) -> str:
    collection, name, version = str(state["id"]).split("/")[-3:]
    return f"{state['key_vault_id']}/{collection}/{name}/versions/{version}"


def _vault_versionless(cloud: Cloud, state: Object) -> str:
    return _vault_resource(cloud, state).partition("/versions/")[0]


def _insights(cloud: Cloud, state: Object) -> str:
    region = str(state.get("location", "")).lower().replace(" ", "")
    key = state.get("instrumentation_key")
    return (
        f"InstrumentationKey={key};"
        f"IngestionEndpoint=https://{region}-0.{cloud.host('insights')}/;"
        f"ApplicationId={state.get('app_id')}"
    )


def _container_url(cloud: Cloud, state: Object) -> str:
    account = str(state["storage_account_id"]).rpartition("/")[2]
    return f"https://{account}.blob.{cloud.host('storage')}/{state['name']}"


def _same(name: str) -> Rule:
    def rule(_: Cloud, state: Object) -> str | None:
        return state.get(name)

    return rule


_SITE: Final[Mapping[str, Rule]] = {"default_hostname": site}
_VAULT_OBJECT: Final[Mapping[str, Rule]] = {
    "resource_id": _vault_resource,
    "resource_versionless_id": _vault_versionless,
    "version": _vault_version,
    "versionless_id": _vault_object,
}

_RULES: Final[Mapping[str, Mapping[str, Rule]]] = {
    "azurerm_app_configuration": {
        "endpoint": lambda _, state: f"https://{state['name']}.azconfig.io",
    },
    "azurerm_application_insights": {"connection_string": _insights},
    "azurerm_cognitive_account": {"endpoint": _openai},
    "azurerm_container_registry": {
        "login_server": lambda _, state: f"{state['name']}.azurecr.io".lower(),
    },
    "azurerm_cosmosdb_account": {
        "endpoint": lambda cloud, state: f"https://{state['name']}.{cloud.host('documents')}:443/",
    },
    "azurerm_function_app_flex_consumption": _SITE,
    "azurerm_key_vault": {"vault_uri": _vault},
    "azurerm_key_vault_certificate": {
        "secret_id": lambda _, state: str(state["id"]).replace("/certificates/", "/secrets/"),
        "version": _vault_version,
        "versionless_id": _vault_object,
    },
    "azurerm_key_vault_key": _VAULT_OBJECT,
    "azurerm_key_vault_secret": _VAULT_OBJECT,
    "azurerm_linux_function_app": _SITE,
    "azurerm_linux_function_app_slot": _SITE,
    "azurerm_linux_web_app": _SITE,
    "azurerm_linux_web_app_slot": _SITE,
    "azurerm_private_dns_a_record": {
        "fqdn": lambda _, state: (
            f"{state['name']}.{str(state['private_dns_zone_id']).rpartition('/')[2]}."
        ),
    },
    "azurerm_public_ip": {
        "fqdn": lambda _, state: (
            f"{state['domain_name_label']}.{state['location']}.cloudapp.{INVALID}"
            if state.get("domain_name_label")
            else ""
        ),
    },
    "azurerm_role_definition": {
        "role_definition_resource_id": lambda _, state: str(state["id"]).partition("|")[0],
    },
    "azurerm_search_service": {
        "endpoint": lambda cloud, state: f"https://{state['name']}.{cloud.host('search')}",
    },
    "azurerm_storage_container": {"url": _container_url},
    "azurerm_storage_queue": {
        "resource_manager_id": _same("id"),
    },
    "azurerm_storage_share": {"resource_manager_id": _same("id")},
    "azurerm_storage_table": {"resource_manager_id": _same("id")},
    "azurerm_windows_function_app": _SITE,
    "azurerm_windows_function_app_slot": _SITE,
    "azurerm_windows_web_app": _SITE,
    "azurerm_windows_web_app_slot": _SITE,
}
