"""Bodies of Azure's own API, read as the arguments of azurerm that mean the same.

`azapi_resource` builds what azurerm builds, in other words. What is read here is judged like any other
resource; a property that no argument stands for is told, and a type that is not read stays what it is.
Names of properties are compared without regard to case, as Azure does.

Source: https://learn.microsoft.com/azure/templates
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

Values = Mapping[str, Any]
Steps = tuple[str | int, ...]
Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """A resource in azurerm's words.

    Attributes:
        type: The type that azurerm has for it.
        values: Its arguments, beside those that it came with.
        unknown: Paths that are not known, or that were made up.
        unread: Properties that no argument stands for.
    """

    type: str
    values: Values
    unknown: Set[Steps]
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One argument of azurerm: its name, where it stands in the body, and how it is read.

    Attributes:
        absent: What Azure does where it is absent, if azurerm's default is another.
    """

    name: str
    path: str
    read: Read = lambda value: value
    absent: Any = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What a type of Azure is called by azurerm, and how its body is read.

    Attributes:
        parent: The argument that holds the id of the resource that it stands below.
        harmless: Properties that open nothing, in lower case.
    """

    type: str
    parts: tuple[Part, ...]
    parent: str = ""
    harmless: tuple[str, ...] = ()


def _enabled(value: Any) -> Any:
    return value.casefold() != "disabled" if isinstance(value, str) else value


def _negated(value: Any) -> Any:
    return not value if isinstance(value, bool) else value


def _listed(name: str) -> Read:
    """Return how a list of objects is read as a list of one of their properties."""
    return lambda value: [_at(one, name) for one in value] if isinstance(value, list) else value


def _renamed(**names: str | Read) -> Read:
    """Return how a list of objects is read as blocks, by the argument's name."""

    def block(one: Any) -> Values:
        return {
            name: (_at(one, path) if isinstance(path, str) else path(one))
            for name, path in names.items()
        }

    return lambda value: [block(one) for one in value] if isinstance(value, list) else value


def _rules(subnets: str) -> Read:
    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return []
        bypass = str(_at(value, "bypass") or "")
        return [
            {
                "default_action": _at(value, "defaultAction"),
                "bypass": [one.strip() for one in bypass.split(",") if one.strip()],
                "ip_rules": [_at(one, "value") for one in _at(value, "ipRules") or ()],
                "private_link_access": [
                    {"endpoint_resource_id": _at(one, "resourceId")}
                    for one in _at(value, "resourceAccessRules") or ()
                ],
                subnets: [_at(one, "id") for one in _at(value, "virtualNetworkRules") or ()],
            }
        ]

    return read


def _connections(value: Any, *, manual: bool) -> list[Values]:
    return [
        {
            "is_manual_connection": manual,
            "private_connection_resource_id": _at(one, "properties.privateLinkServiceId"),
            "subresource_names": _at(one, "properties.groupIds") or [],
        }
        for one in value or ()
    ]


def _connected(properties: Any) -> list[Values]:
    return [
        *_connections(_at(properties, "privateLinkServiceConnections"), manual=False),
        *_connections(_at(properties, "manualPrivateLinkServiceConnections"), manual=True),
    ]


_PREFIXES: Final = {
    f"{side}_{what}": f"properties.{side}{arm}"
    for side in ("source", "destination")
    for what, arm in (
        ("address_prefix", "AddressPrefix"),
        ("address_prefixes", "AddressPrefixes"),
        ("port_range", "PortRange"),
        ("port_ranges", "PortRanges"),
    )
}
_SECURITY_RULES: Final = _renamed(
    name="name",
    access="properties.access",
    direction="properties.direction",
    priority="properties.priority",
    protocol="properties.protocol",
    **_PREFIXES,
)


def _prefixes(one: Any) -> list[Any]:
    single = _at(one, "properties.addressPrefix")
    return [single] if single else list(_at(one, "properties.addressPrefixes") or ())


_ACCESS: Final = Part("public_network_access_enabled", "properties.publicNetworkAccess", _enabled)
_ENTRA_ONLY: Final = "properties.disableLocalAuth"
_COMMON: Final = ("encryption", "provisioningstate", "sku")

SHAPES: Final[Mapping[str, Shape]] = {
    "microsoft.cognitiveservices/accounts": Shape(
        "azurerm_cognitive_account",
        (
            _ACCESS,
            Part("custom_subdomain_name", "properties.customSubDomainName"),
            Part("kind", "kind"),
            Part("local_auth_enabled", _ENTRA_ONLY, _negated),
            Part("network_acls", "properties.networkAcls", _rules("virtual_network_subnet_ids")),
            Part("outbound_network_access_restricted", "properties.restrictOutboundNetworkAccess"),
        ),
        harmless=("allowedfqdnlist", "allowprojectmanagement", "dynamicthrottlingenabled", "restore", *_COMMON),
    ),
    "microsoft.cognitiveservices/accounts/deployments": Shape(
        "azurerm_cognitive_deployment",
        (
            Part("rai_policy_name", "properties.raiPolicyName"),
            Part("version_upgrade_option", "properties.versionUpgradeOption", absent="OnceNewDefaultVersionAvailable"),
        ),
        parent="cognitive_account_id",
        harmless=("model", "scalesettings", *_COMMON),
    ),
    "microsoft.cognitiveservices/accounts/raipolicies": Shape(
        "azurerm_cognitive_account_rai_policy",
        (
            Part("base_policy_name", "properties.basePolicyName"),
            Part("content_filter", "properties.contentFilters", _renamed(name="name", block_enabled="blocking", filter_enabled="enabled", severity_threshold="severityThreshold", source="source")),
            Part("mode", "properties.mode"),
        ),
        parent="cognitive_account_id",
        harmless=("customblocklists", "type"),
    ),
    "microsoft.storage/storageaccounts": Shape(
        "azurerm_storage_account",
        (
            _ACCESS,
            Part("allow_nested_items_to_be_public", "properties.allowBlobPublicAccess"),
            Part("cross_tenant_replication_enabled", "properties.allowCrossTenantReplication"),
            Part("https_traffic_only_enabled", "properties.supportsHttpsTrafficOnly"),
            Part("local_user_enabled", "properties.isLocalUserEnabled"),
            Part("min_tls_version", "properties.minimumTlsVersion", absent="TLS1_0"),
            Part("network_rules", "properties.networkAcls", _rules("virtual_network_subnet_ids")),
            Part("nfsv3_enabled", "properties.isNfsV3Enabled"),
            Part("sftp_enabled", "properties.isSftpEnabled"),
            Part("shared_access_key_enabled", "properties.allowSharedKeyAccess"),
        ),
        harmless=("accesstier", "defaulttooauthauthentication", "ishnsenabled", "largefilesharesstate", *_COMMON),
    ),
    "microsoft.keyvault/vaults": Shape(
        "azurerm_key_vault",
        (
            _ACCESS,
            Part("access_policy", "properties.accessPolicies"),
            Part("network_acls", "properties.networkAcls", _rules("virtual_network_subnet_ids")),
            Part("purge_protection_enabled", "properties.enablePurgeProtection"),
            Part("rbac_authorization_enabled", "properties.enableRbacAuthorization"),
            Part("soft_delete_retention_days", "properties.softDeleteRetentionInDays", absent=90),
        ),
        harmless=("createmode", "enablesoftdelete", "tenantid", *_COMMON),
    ),
    "microsoft.documentdb/databaseaccounts": Shape(
        "azurerm_cosmosdb_account",
        (
            _ACCESS,
            Part("access_key_metadata_writes_enabled", "properties.disableKeyBasedMetadataWriteAccess", _negated),
            Part("backup", "properties.backupPolicy.type", lambda value: [{"type": value}] if value else []),
            Part("geo_location", "properties.locations", _renamed(location="locationName")),
            Part("ip_range_filter", "properties.ipRules", _listed("ipAddressOrRange")),
            Part("is_virtual_network_filter_enabled", "properties.isVirtualNetworkFilterEnabled"),
            Part("kind", "kind", absent="GlobalDocumentDB"),
            Part("local_authentication_enabled", _ENTRA_ONLY, _negated),
            Part("minimal_tls_version", "properties.minimalTlsVersion", absent="Tls"),
            Part("network_acl_bypass_for_azure_services", "properties.networkAclBypass", lambda value: value == "AzureServices"),
            Part("virtual_network_rule", "properties.virtualNetworkRules", _renamed(id="id")),
        ),
        harmless=("capabilities", "consistencypolicy", "databaseaccountoffertype", "enableautomaticfailover", "enablefreetier", *_COMMON),
    ),
    "microsoft.search/searchservices": Shape(
        "azurerm_search_service",
        (_ACCESS, Part("local_authentication_enabled", _ENTRA_ONLY, _negated)),
        harmless=("hostingmode", "partitioncount", "replicacount", "semanticsearch", *_COMMON),
    ),
    "microsoft.insights/components": Shape(
        "azurerm_application_insights",
        (
            Part("internet_ingestion_enabled", "properties.publicNetworkAccessForIngestion", _enabled),
            Part("internet_query_enabled", "properties.publicNetworkAccessForQuery", _enabled),
            Part("ip_masking_enabled", "properties.DisableIpMasking", _negated),
            Part("local_authentication_enabled", _ENTRA_ONLY, _negated),
            Part("retention_in_days", "properties.RetentionInDays", absent=90),
            Part("workspace_id", "properties.WorkspaceResourceId"),
        ),
        harmless=("application_type", "flow_type", "ingestionmode", "request_source", *_COMMON),
    ),
    "microsoft.operationalinsights/workspaces": Shape(
        "azurerm_log_analytics_workspace",
        (
            Part("internet_ingestion_access_type", "properties.publicNetworkAccessForIngestion"),
            Part("internet_query_access_type", "properties.publicNetworkAccessForQuery"),
            Part("local_authentication_enabled", "properties.features.disableLocalAuth", _negated),
            Part("retention_in_days", "properties.retentionInDays", absent=30),
        ),
        harmless=("features", "workspacecapping", *_COMMON),
    ),
    "microsoft.insights/diagnosticsettings": Shape(
        "azurerm_monitor_diagnostic_setting",
        (
            Part("enabled_log", "properties.logs", lambda value: [one for one in value or () if _at(one, "enabled")]),
            Part("log_analytics_workspace_id", "properties.workspaceId"),
        ),
        parent="target_resource_id",
        harmless=("eventhubauthorizationruleid", "eventhubname", "loganalyticsdestinationtype", "metrics", "storageaccountid"),
    ),
    "microsoft.network/privateendpoints": Shape(
        "azurerm_private_endpoint",
        (
            Part("private_service_connection", "properties", _connected),
            Part("subnet_id", "properties.subnet.id"),
        ),
        harmless=("custominterfacename", "customnetworkinterfacename", "privatelinkserviceconnections", "manualprivatelinkserviceconnections"),
    ),
    "microsoft.network/privateendpoints/privatednszonegroups": Shape(
        "azurerm_private_dns_zone_group",
        (Part("private_dns_zone_ids", "properties.privateDnsZoneConfigs", _listed("properties.privateDnsZoneId")),),
        parent="private_endpoint_id",
    ),
    "microsoft.network/privatednszones": Shape("azurerm_private_dns_zone", ()),
    "microsoft.network/privatednszones/virtualnetworklinks": Shape(
        "azurerm_private_dns_zone_virtual_network_link",
        (
            Part("registration_enabled", "properties.registrationEnabled"),
            Part("virtual_network_id", "properties.virtualNetwork.id"),
        ),
        parent="private_dns_zone_id",
        harmless=("resolutionpolicy",),
    ),
    "microsoft.network/virtualnetworks": Shape(
        "azurerm_virtual_network",
        (
            Part("address_space", "properties.addressSpace.addressPrefixes"),
            Part("dns_servers", "properties.dhcpOptions.dnsServers"),
            Part("subnet", "properties.subnets", _renamed(name="name", address_prefixes=_prefixes, default_outbound_access_enabled="properties.defaultOutboundAccess", private_endpoint_network_policies="properties.privateEndpointNetworkPolicies", security_group="properties.networkSecurityGroup.id", route_table_id="properties.routeTable.id")),
        ),
        harmless=("enableddosprotection", "encryption", "flowtimeoutinminutes"),
    ),
    "microsoft.network/virtualnetworks/subnets": Shape(
        "azurerm_subnet",
        (
            Part("address_prefixes", "", _prefixes),
            Part("default_outbound_access_enabled", "properties.defaultOutboundAccess"),
            Part("network_security_group_id", "properties.networkSecurityGroup.id"),
            Part("private_endpoint_network_policies", "properties.privateEndpointNetworkPolicies"),
            Part("route_table_id", "properties.routeTable.id"),
        ),
        harmless=("addressprefix", "addressprefixes", "delegations", "natgateway", "serviceendpoints"),
    ),
    "microsoft.network/networksecuritygroups": Shape(
        "azurerm_network_security_group",
        (Part("security_rule", "properties.securityRules", _SECURITY_RULES),),
    ),
    "microsoft.authorization/roleassignments": Shape(
        "azurerm_role_assignment",
        (
            Part("condition", "properties.condition"),
            Part("principal_id", "properties.principalId"),
            Part("role_definition_id", "properties.roleDefinitionId"),
        ),
        parent="scope",
        harmless=("conditionversion", "description", "principaltype"),
    ),
}  # fmt: skip
"""How bodies are read, by the type of Azure in lower case."""


def as_azurerm(entry: Values, unknown: Set[Steps]) -> Reading | None:
    """Return what an `azapi_resource` is in azurerm's words; None where its type is not read."""
    values = entry["values"]
    shape = SHAPES.get(str(values.get("type") or "").partition("@")[0].casefold())
    body = values.get("body")
    if isinstance(body, str):
        # Until azapi 2 a body was text.
        try:
            body = json.loads(body)
        except ValueError:
            return None
    if shape is None or not isinstance(body, Mapping | None):
        return None
    body = body or {}
    unsure = {_folded(path[1:]) for path in unknown if path and path[0] == "body"}
    found = {**values}
    marks = set(unknown)
    for part in shape.parts:
        steps = _folded(part.path.split(".")) if part.path else ()
        if any(steps[: len(one)] == one or one[: len(steps)] == steps for one in unsure):
            marks.add((part.name,))
        value = part.read(_at(body, part.path))
        found[part.name] = part.absent if value is None else value
    if shape.parent:
        found[shape.parent] = values.get("parent_id")
    return Reading(shape.type, found, marks, tuple(_unread(shape, body, values)))


def _unread(shape: Shape, body: Values, values: Values) -> Iterator[str]:
    read = {part.path.split(".")[1].casefold() for part in shape.parts if "." in part.path}
    properties = _at(body, "properties")
    for name in properties if isinstance(properties, Mapping) else ():
        if name.casefold() not in read and name.casefold() not in shape.harmless:
            yield f"properties.{name}"
    if values.get("sensitive_body") or values.get("sensitive_body_version"):
        yield "sensitive_body"


def _at(value: Any, path: str) -> Any:
    for step in path.split(".") if path else ():
        if not isinstance(value, Mapping):
            return None
        folded = step.casefold()
        value = next((part for name, part in value.items() if name.casefold() == folded), None)
    return value


def _folded(steps: Any) -> Steps:
    return tuple(one.casefold() if isinstance(one, str) else one for one in steps)
