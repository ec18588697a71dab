"""Faults put into the private estate's state, each with the statement that must see it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Entry = dict[str, Any]
Change = Callable[[list[Entry]], None]


@dataclass(frozen=True)
class Mutant:
    """A fault: its name, the statements of which one must see it, and what it does to the resources."""

    name: str
    statement: str
    change: Change


def resources(state: dict[str, Any]) -> list[Entry]:
    """Return every managed resource of a state, as one list of its own entries."""

    def walk(module: dict[str, Any]) -> Iterator[Entry]:
        yield from (one for one in module.get("resources", ()) if one["mode"] == "managed")
        for child in module.get("child_modules", ()):
            yield from walk(child)

    return list(walk(state["values"]["root_module"]))


def changed(state: dict[str, Any], mutant: Mutant) -> list[Entry]:
    """Return the managed resources of a state with one fault, as entries of their own."""
    before = resources(state)
    found: list[Entry] = json.loads(json.dumps(before))
    mutant.change(found)
    assert found != before, f"{mutant.name} changes nothing"
    return found


def mutated(state: dict[str, Any], mutant: Mutant) -> dict[str, Any]:
    """Return a state with one fault, flattened into the root module."""
    return {
        "format_version": "1.0",
        "values": {"root_module": {"resources": changed(state, mutant)}},
    }


def put(address: str, path: str, value: Any) -> Change:
    """Set one attribute."""

    def change(found: list[Entry]) -> None:
        target: Any = next(one for one in found if one["address"] == address)["values"]
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        for step in steps:
            target = target[step]
        target[last] = value

    return change


def gone(address: str) -> Change:
    """Remove one resource."""

    def change(found: list[Entry]) -> None:
        found[:] = [one for one in found if one["address"] != address]

    return change


def added(kind: str, **values: Any) -> Change:
    """Add one resource."""

    def change(found: list[Entry]) -> None:
        found.append(
            {
                "address": f"{kind}.mutant",
                "mode": "managed",
                "type": kind,
                "name": "mutant",
                "values": values,
            }
        )

    return change


# Type, path, insecure value, statement: put into every resource of the type.
SETTINGS: tuple[tuple[str, str, Any, str], ...] = (
    ("azurerm_storage_account", "public_network_access_enabled", True, "REACH-01"),
    ("azurerm_storage_account", "network_rules/0/default_action", "Allow", "REACH-02"),
    ("azurerm_storage_account", "shared_access_key_enabled", True, "KEYS-01"),
    ("azurerm_storage_account", "shared_access_key_enabled", None, "KEYS-01"),
    ("azurerm_storage_account", "local_user_enabled", True, "KEYS-01"),
    ("azurerm_storage_account", "sftp_enabled", True, "KEYS-01"),
    ("azurerm_storage_account", "https_traffic_only_enabled", False, "SIGNIN-06"),
    ("azurerm_storage_account", "min_tls_version", "TLS1_0", "SIGNIN-06"),
    ("azurerm_storage_account", "allow_nested_items_to_be_public", True, "KEEP-02"),
    ("azurerm_storage_account", "cross_tenant_replication_enabled", True, "KEEP-02"),
    ("azurerm_storage_account", "blob_properties/0/versioning_enabled", False, "KEEP-02"),
    ("azurerm_storage_account", "blob_properties/0/delete_retention_policy", [], "KEEP-02"),
    ("azurerm_storage_container", "container_access_type", "blob", "KEEP-02"),
    ("azurerm_storage_container_immutability_policy", "immutability_period_in_days", 1, "KEEP-03"),
    ("azurerm_cosmosdb_account", "public_network_access_enabled", True, "REACH-01"),
    ("azurerm_cosmosdb_account", "public_network_access_enabled", None, "REACH-01"),
    ("azurerm_cosmosdb_account", "ip_range_filter", ["0.0.0.0"], "REACH-02"),
    ("azurerm_cosmosdb_account", "local_authentication_enabled", True, "KEYS-02"),
    ("azurerm_cosmosdb_account", "access_key_metadata_writes_enabled", True, "KEYS-02"),
    ("azurerm_cosmosdb_account", "minimal_tls_version", "Tls", "SIGNIN-06"),
    ("azurerm_cosmosdb_account", "backup/0/type", "Periodic", "KEEP-01"),
    ("azurerm_key_vault", "public_network_access_enabled", True, "REACH-01"),
    ("azurerm_key_vault", "network_acls/0/default_action", "Allow", "REACH-02"),
    ("azurerm_key_vault", "network_acls/0/ip_rules", ["0.0.0.0/0"], "REACH-02"),
    ("azurerm_key_vault", "rbac_authorization_enabled", False, "KEYS-11"),
    ("azurerm_key_vault", "access_policy", [{"object_id": "x"}], "KEYS-11"),
    ("azurerm_key_vault", "purge_protection_enabled", False, "KEEP-01"),
    ("azurerm_key_vault", "purge_protection_enabled", None, "KEEP-01"),
    ("azurerm_cognitive_account", "public_network_access_enabled", True, "REACH-01"),
    ("azurerm_cognitive_account", "network_acls/0/default_action", "Allow", "REACH-02"),
    ("azurerm_cognitive_account", "local_auth_enabled", True, "KEYS-03"),
    ("azurerm_cognitive_account", "local_auth_enabled", None, "KEYS-03"),
    ("azurerm_cognitive_account", "outbound_network_access_restricted", False, "REACH-09"),
    ("azurerm_cognitive_account", "custom_subdomain_name", None, "NAMES-04"),
    ("azurerm_cognitive_deployment", "rai_policy_name", "Microsoft.Default", "SEE-04"),
    ("azurerm_cognitive_deployment", "version_upgrade_option", "OnceNewDefaultVersionAvailable", "SEE-04"),
    ("azurerm_cognitive_account_rai_policy", "content_filter", [], "SEE-04"),
    ("azurerm_cognitive_account_rai_policy", "content_filter/0/block_enabled", False, "SEE-04"),
    ("azurerm_application_insights", "local_authentication_enabled", True, "KEYS-04"),
    ("azurerm_application_insights", "internet_query_enabled", True, "REACH-10"),
    ("azurerm_application_insights", "internet_ingestion_enabled", True, "REACH-10"),
    ("azurerm_application_insights", "retention_in_days", 7, "SEE-03"),
    ("azurerm_log_analytics_workspace", "local_authentication_enabled", True, "KEYS-04"),
    ("azurerm_log_analytics_workspace", "internet_query_access_type", "Enabled", "REACH-10"),
    ("azurerm_log_analytics_workspace", "retention_in_days", 7, "SEE-03"),
    ("azurerm_monitor_private_link_scope", "query_access_mode", "Open", "REACH-01"),
    ("azurerm_monitor_private_link_scope", "ingestion_access_mode", "Open", "REACH-01"),
    ("azurerm_monitor_action_group", "email_receiver", [], "SEE-02"),
    ("azurerm_monitor_action_group", "enabled", False, "SEE-02"),
    ("azurerm_subnet", "default_outbound_access_enabled", True, "REACH-09"),
    ("azuread_application_federated_identity_credential", "audiences", ["api://AzureADTokenExchangeUSGov"], "ROLES-05"),
    ("azuread_application_federated_identity_credential", "issuer", "https://login.microsoftonline.us/x/v2.0", "ROLES-05"),
    ("azuread_application_federated_identity_credential", "subject", "someone", "ROLES-05"),
    ("azuread_application", "sign_in_audience", "AzureADMultipleOrgs", "SIGNIN-03"),
    ("azuread_application", "password", [{"display_name": "secret"}], "KEYS-08"),
    ("azurerm_private_endpoint", "private_dns_zone_group", [], "NAMES-01"),
    ("azurerm_private_endpoint", "private_service_connection/0/is_manual_connection", True, "REACH-03 REACH-04"),
    ("azurerm_cosmosdb_sql_role_assignment", "scope", "/subscriptions/0/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/c", "ROLES-03"),
)  # fmt: skip

SITES: tuple[tuple[str, Any, str], ...] = (
    ("public_network_access_enabled", True, "REACH-01"),
    ("https_only", False, "SIGNIN-06"),
    ("ftp_publish_basic_authentication_enabled", True, "KEYS-05"),
    ("webdeploy_publish_basic_authentication_enabled", True, "KEYS-05"),
    ("webdeploy_publish_basic_authentication_enabled", None, "KEYS-05"),
    ("site_config/0/ftps_state", "AllAllowed", "KEYS-05"),
    ("site_config/0/remote_debugging_enabled", True, "KEYS-05"),
    ("site_config/0/minimum_tls_version", "1.0", "SIGNIN-06"),
    ("site_config/0/scm_minimum_tls_version", "1.1", "SIGNIN-06"),
    ("site_config/0/scm_ip_restriction_default_action", "Allow", "REACH-02"),
    ("site_config/0/vnet_route_all_enabled", False, "REACH-06"),
    ("virtual_network_subnet_id", None, "REACH-03"),
    ("identity", [], "ROLES-04"),
    ("app_settings/OPENAI_API_KEY", "0123456789abcdef0123456789abcdef", "KEYS-07"),
    ("app_settings/SECURE_OPENAI_COSMOS_URL", "https://another.documents.azure.com:443/", "NAMES-05"),
    ("app_settings/AZURE_CLIENT_ID", "99999999-9999-9999-9999-999999999999", "ROLES-04"),
    ("app_settings/SECURE_OPENAI_MODEL_ACCOUNTS", '{"main": {"url": "https://another.openai.azure.com/"}}', "SIGNIN-07"),
)  # fmt: skip
SITE_TYPES = (
    "azurerm_linux_web_app",
    "azurerm_linux_web_app_slot",
    "azurerm_linux_function_app",
    "azurerm_linux_function_app_slot",
)
WEB: tuple[tuple[str, Any, str], ...] = (
    ("app_settings/SECURE_OPENAI_AUTHORITY", "https://login.microsoftonline.com/common/v2.0", "SIGNIN-01"),
    ("app_settings/SECURE_OPENAI_ALLOWED_HOSTS", "*", "SIGNIN-01"),
    ("app_settings/SECURE_OPENAI_PUBLIC_URL", "http://localhost:8000", "SIGNIN-01"),
    ("site_config/0/app_command_line", "python -m http.server", "SIGNIN-04"),
)  # fmt: skip
FUNCTIONS: tuple[tuple[str, Any, str], ...] = (
    ("auth_settings_v2", [], "SIGNIN-02"),
    ("auth_settings_v2/0/auth_enabled", False, "SIGNIN-02"),
    ("auth_settings_v2/0/require_authentication", False, "SIGNIN-02"),
    ("auth_settings_v2/0/unauthenticated_action", "AllowAnonymous", "SIGNIN-02"),
    ("auth_settings_v2/0/excluded_paths", ["/api"], "SIGNIN-02"),
    ("storage_uses_managed_identity", False, "KEYS-06"),
    ("storage_account_access_key", "simulated", "KEYS-06"),
)

# What is removed, each resource of the type by itself.
REMOVED: tuple[tuple[str, str], ...] = (
    ("azurerm_private_endpoint", "REACH-03 REACH-04"),
    ("azurerm_private_dns_zone_virtual_network_link", "NAMES-03"),
    ("azurerm_subnet_network_security_group_association", "REACH-07"),
    ("azurerm_role_assignment", "ROLES-01"),
    ("azurerm_cosmosdb_sql_role_assignment", "ROLES-01"),
    ("azuread_application_federated_identity_credential", "SIGNIN-01"),
    ("azurerm_storage_container_immutability_policy", "KEEP-03"),
    ("azurerm_monitor_private_link_scoped_service", "SEE-03"),
)


def mutants(state: dict[str, Any]) -> list[Mutant]:
    """Return every mutant of a private estate's state."""
    found = resources(state)
    every: list[Mutant] = []

    def setting(kinds: tuple[str, ...], rows: tuple[tuple[str, Any, str], ...]) -> None:
        for one in found:
            if one["type"] in kinds:
                for path, value, statement in rows:
                    name = f"{one['address']} {path} = {value!r}"[:150]
                    every.append(Mutant(name, statement, put(one["address"], path, value)))

    for kind, path, value, statement in SETTINGS:
        setting((kind,), ((path, value, statement),))
    setting(SITE_TYPES, SITES)
    setting(SITE_TYPES[:2], WEB)
    setting(SITE_TYPES[2:], FUNCTIONS)
    for kind, statement in REMOVED:
        every.extend(
            Mutant(f"without {one['address']}", statement, gone(one["address"]))
            for one in found
            if one["type"] == kind
        )
    every.extend(_relations(found))
    return every


# What may be changed without harm, by type: path and value.
SIZES: dict[str, tuple[str, Any]] = {
    "azurerm_application_insights": ("sampling_percentage", 50),
    "azurerm_cognitive_deployment": ("sku/0/capacity", 7),
    "azurerm_cosmosdb_account": ("burst_capacity_enabled", True),
    "azurerm_linux_web_app": ("site_config/0/health_check_path", "/readyz"),
    "azurerm_log_analytics_workspace": ("retention_in_days", 365),
    "azurerm_monitor_action_group": ("short_name", "other"),
    "azurerm_service_plan": ("worker_count", 3),
    "azurerm_storage_account": ("account_replication_type", "RAGZRS"),
    "azurerm_storage_container_immutability_policy": ("locked", True),
}


def harmless(state: dict[str, Any]) -> list[Mutant]:
    """Return changes that make an estate no less secure."""
    found = resources(state)
    changes = [
        Mutant(f"{one['address']} tagged", "", put(one["address"], "tags", {"owner": "someone"}))
        for one in found
        if one["values"].get("tags")
    ]
    changes += [
        Mutant(f"{one['address']} {path}", "", put(one["address"], path, value))
        for one in found
        if one["type"] in SIZES
        for path, value in (SIZES[one["type"]],)
    ]
    return changes


def _relations(found: list[Entry]) -> Iterator[Mutant]:
    def first(kind: str, part: str = "") -> str:
        return next(str(o["address"]) for o in found if o["type"] == kind and part in o["address"])

    def value(address: str, name: str) -> Any:
        return next(o for o in found if o["address"] == address)["values"][name]

    zone = first("azurerm_private_dns_zone", "privatelink.documents")
    yield Mutant(
        "another cloud's zone", "NAMES-02", put(zone, "name", "privatelink.documents.azure.us")
    )
    yield Mutant(
        "a zone that is none", "NAMES-02", put(zone, "name", "privatelink.document.azure.com")
    )
    vnet = first("azurerm_virtual_network")
    yield Mutant("own DNS servers", "NAMES-06", put(vnet, "dns_servers", ["10.9.9.9"]))
    endpoints = first("azurerm_subnet", "endpoints")
    yield Mutant(
        "policies off", "REACH-07", put(endpoints, "private_endpoint_network_policies", "Disabled")
    )
    outside = first("azurerm_network_security_group", "applications")
    inside = first("azurerm_network_security_group", "endpoints")
    rules = value(outside, "security_rule")
    opened = [{**one, "access": "Allow"} for one in rules]
    yield Mutant("applications may leave", "REACH-06", put(outside, "security_rule", opened))
    to_storage = [*rules, {**rules[0], "name": "storage", "priority": 90, "access": "Allow", "direction": "Outbound", "protocol": "Tcp", "destination_address_prefix": "Storage", "destination_port_range": "443"}]  # fmt: skip
    yield Mutant("to all of Storage", "REACH-06", put(outside, "security_rule", to_storage))
    allow = next(o for o in rules if o["name"] == "endpoints-outbound")
    closed = [o for o in rules if o is not allow]
    yield Mutant("applications are shut in", "REACH-03", put(outside, "security_rule", closed))
    inner = value(inside, "security_rule")
    everybody = [
        {**o, "source_address_prefix": "*"} if o["name"].startswith("https") else o for o in inner
    ]
    yield Mutant("everybody to the endpoints", "REACH-05", put(inside, "security_rule", everybody))
    defaults = [o for o in inner if not o["name"].startswith("deny")]
    yield Mutant(
        "the default rule admits peers", "REACH-05", put(inside, "security_rule", defaults)
    )
    port = [
        {**o, "destination_port_range": "80"} if o["name"].startswith("https") else o for o in inner
    ]
    yield Mutant("another port", "REACH-03", put(inside, "security_rule", port))
    web, slot = first("azurerm_linux_web_app"), first("azurerm_linux_web_app_slot")
    yield Mutant(
        "one identity for two slots", "ROLES-04", put(slot, "identity", value(web, "identity"))
    )
    yield Mutant("no sticky settings", "SIGNIN-04", put(web, "sticky_settings", []))
    need = first("azurerm_role_assignment", "complete-web-production-main")
    yield Mutant(
        "contributor for a data role", "ROLES-03", put(need, "role_definition_name", "Contributor")
    )
    yield Mutant(
        "the role that manages",
        "ROLES-02",
        put(need, "role_definition_name", "Cognitive Services OpenAI Contributor"),
    )
    yield Mutant(
        "a role on the whole group",
        "ROLES-02",
        put(need, "scope", "/subscriptions/0/resourceGroups/rg-chat"),
    )
    yield Mutant("a role on the subscription", "ROLES-03", put(need, "scope", "/subscriptions/0"))
    other = first("azurerm_role_assignment", "verify_seals-web-production")
    staging = value(first("azurerm_role_assignment", "verify_seals-web-staging"), "scope")
    yield Mutant("a role on another's scope", "ROLES-02", put(other, "scope", staging))
    app = first("azuread_application", "production")
    yield Mutant(
        "localhost redirect",
        "SIGNIN-03",
        put(app, "web/0/redirect_uris", ["https://localhost/auth/callback"]),
    )
    yield Mutant(
        "another's redirect",
        "SIGNIN-01",
        put(app, "web/0/redirect_uris", ["https://elsewhere.example/auth/callback"]),
    )
    yield Mutant(
        "implicit grant",
        "SIGNIN-03",
        put(app, "web/0/implicit_grant/0/id_token_issuance_enabled", True),
    )
    yield Mutant(
        "tokens of version 1", "SIGNIN-03", put(app, "api/0/requested_access_token_version", 1)
    )
    yield Mutant("no idtyp", "SIGNIN-03", put(app, "optional_claims", []))
    yield Mutant("public client", "SIGNIN-03", put(app, "fallback_public_client_enabled", True))
    everyone = [
        {**o, "allowed_member_types": ["Application", "User"]} for o in value(app, "app_role")
    ]
    yield Mutant("an application may be admin", "SIGNIN-03", put(app, "app_role", everyone))
    principal = first("azuread_service_principal", "production")
    yield Mutant(
        "no assignment required", "SIGNIN-03", put(principal, "app_role_assignment_required", False)
    )
    endpoint = (
        first("azurerm_private_endpoint", "cosmos")
        if any("cosmos" in o["address"] and o["type"] == "azurerm_private_endpoint" for o in found)
        else first("azurerm_private_endpoint", "store")
    )
    yield Mutant(
        "an endpoint of nothing",
        "REACH-04",
        put(
            endpoint,
            "private_service_connection/0/private_connection_resource_id",
            "/subscriptions/0/elsewhere",
        ),
    )
    yield Mutant(
        "an endpoint elsewhere",
        "REACH-03",
        put(
            endpoint,
            "subnet_id",
            "/subscriptions/0/resourceGroups/x/providers/Microsoft.Network/virtualNetworks/other/subnets/a",
        ),
    )
    key = value(first("azurerm_cosmosdb_account"), "primary_key")
    yield Mutant(
        "a key in a vault secret",
        "KEYS-07",
        added("azurerm_key_vault_secret", id="/x/secret", name="cosmos", value=key),
    )
    yield Mutant("a key in a setting", "KEYS-07", put(web, "app_settings/NOTE", f"see {key}"))
    yield Mutant(
        "a connection string",
        "KEYS-07",
        put(web, "connection_string", [{"name": "db", "value": "Server=x;Password=y"}]),
    )
    yield Mutant(
        "an application password", "KEYS-08", added("azuread_application_password", id="p")
    )
    yield Mutant(
        "a machine with a password",
        "KEYS-09",
        added("azurerm_linux_virtual_machine", id="/vm", name="jump", admin_password="x"),
    )
    yield Mutant(
        "a machine in public",
        "REACH-08",
        added(
            "azurerm_network_interface",
            id="/nic",
            name="nic",
            ip_configuration=[{"public_ip_address_id": "/pip"}],
        ),
    )
    yield Mutant(
        "a custom role for everything",
        "ROLES-03",
        added("azurerm_role_definition", id="/role", name="all", permissions=[{"actions": ["*"]}]),
    )
    yield Mutant(
        "a deployer from anywhere",
        "ROLES-05",
        added(
            "azurerm_federated_identity_credential",
            id="/f",
            audience=["api://AzureADTokenExchange"],
            issuer="https://token.actions.githubusercontent.com",
            subject="repo:contoso/app:pull_request",
        ),
    )
    yield Mutant(
        "a type nobody knows", "WHOLE-01", added("azurerm_mssql_server", id="/sql", name="sql")
    )
    yield Mutant(
        "an azapi type nobody knows",
        "WHOLE-01",
        added("azapi_resource", id="/a", name="a", type="Microsoft.Sql/servers@2023-01-01"),
    )
    yield Mutant(
        "a vault by access policy", "KEYS-11", added("azurerm_key_vault_access_policy", id="/p")
    )
    yield Mutant(
        "a group on nothing",
        "REACH-07",
        added("azurerm_network_security_group", id="/nsg", name="nsg"),
    )
    alert = first("azurerm_monitor_activity_log_alert", "role-assigned")
    yield Mutant("an alert switched off", "SEE-02", put(alert, "enabled", False))
    yield Mutant("an alert for nobody", "SEE-02", put(alert, "action", []))
    yield Mutant("no alert", "SEE-02", gone(alert))
    target = "/databaseaccounts/"
    setting = next(o["address"] for o in found if o["type"] == "azurerm_monitor_diagnostic_setting" and target in o["values"]["target_resource_id"].casefold())  # fmt: skip
    yield Mutant("no diagnostics", "SEE-01", gone(setting))
    yield Mutant(
        "diagnostics elsewhere", "SEE-01", put(setting, "log_analytics_workspace_id", "/another")
    )
    yield Mutant("diagnostics of nothing", "SEE-01", put(setting, "enabled_log", []))
    record = {"private_dns_zone_id": value(zone, "id"), "records": ["10.0.0.9"]}
    yield Mutant(
        "a record of nothing",
        "NAMES-07",
        added("azurerm_private_dns_a_record", id="/r", name="cosmos", **record),
    )
