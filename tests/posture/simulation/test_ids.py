"""The shapes of ids."""

from __future__ import annotations

from typing import Any

import pytest

from secure_openai.posture.simulation.azapi import parts_of, resource_id
from secure_openai.posture.simulation.cloud import Cloud
from secure_openai.posture.simulation.ids import fits, identify
from secure_openai.posture.simulation.schema import load

CLOUD = Cloud(subscription_id="s")
GROUP = "/subscriptions/s/resourceGroups/g"
GUID = "11111111-1111-1111-1111-111111111111"
WEB = f"{GROUP}/providers/Microsoft.Web/sites/web"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
STORE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/store"
COSMOS = f"{GROUP}/providers/Microsoft.DocumentDB/databaseAccounts/c"
ZONE = f"{GROUP}/providers/Microsoft.Network/privateDnsZones/z"
NAMED = {"name": "x", "resource_group_name": "g"}
APPLICATION = f"/applications/{GUID}"

SHAPES: list[tuple[str, dict[str, Any], str]] = [
    ("azurerm_resource_group", {"name": "g"}, GROUP),
    (
        "azurerm_subnet",
        {**NAMED, "virtual_network_name": "v"},
        f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/x",
    ),
    ("azurerm_linux_web_app_slot", {"name": "x", "app_service_id": WEB}, f"{WEB}/slots/x"),
    (
        "azurerm_federated_identity_credential",
        {"name": "x", "user_assigned_identity_id": IDENTITY},
        f"{IDENTITY}/federatedIdentityCredentials/x",
    ),
    (
        "azurerm_private_dns_zone_virtual_network_link",
        {"name": "x", "private_dns_zone_id": ZONE, "virtual_network_id": "/subscriptions/s"},
        f"{ZONE}/virtualNetworkLinks/x",
    ),
    ("azurerm_private_dns_a_record", {"name": "x", "private_dns_zone_id": ZONE}, f"{ZONE}/A/x"),
    (
        "azurerm_cosmosdb_sql_container",
        {**NAMED, "account_name": "c", "database_name": "d"},
        f"{COSMOS}/sqlDatabases/d/containers/x",
    ),
    (
        "azurerm_cosmosdb_sql_role_assignment",
        {**NAMED, "account_name": "c", "name": GUID},
        f"{COSMOS}/sqlRoleAssignments/{GUID}",
    ),
    (
        "azurerm_role_assignment",
        {"name": GUID, "scope": WEB},
        f"{WEB}/providers/Microsoft.Authorization/roleAssignments/{GUID}",
    ),
    (
        "azurerm_role_definition",
        {"name": "x", "role_definition_id": GUID, "scope": GROUP},
        f"{GROUP}/providers/Microsoft.Authorization/roleDefinitions/{GUID}|{GROUP}",
    ),
    (
        "azurerm_management_lock",
        {"name": "x", "scope": WEB},
        f"{WEB}/providers/Microsoft.Authorization/locks/x",
    ),
    ("azurerm_monitor_diagnostic_setting", {"name": "x", "target_resource_id": WEB}, f"{WEB}|x"),
    (
        "azurerm_storage_container",
        {"name": "x", "storage_account_id": STORE},
        f"{STORE}/blobServices/default/containers/x",
    ),
    (
        "azurerm_storage_blob",
        {
            "name": "b",
            "storage_container_id": f"{STORE}/blobServices/default/containers/x",
        },
        "https://store.blob.core.windows.net/x/b",
    ),
    (
        "azurerm_monitor_private_link_scoped_service",
        {**NAMED, "scope_name": "y", "linked_resource_id": WEB},
        f"{GROUP}/providers/Microsoft.Insights/privateLinkScopes/y/scopedResources/x",
    ),
    (
        "azurerm_network_interface_security_group_association",
        {"network_interface_id": "/a", "network_security_group_id": "/b"},
        "/a|/b",
    ),
    (
        "azurerm_policy_definition",
        {"name": "x"},
        "/subscriptions/s/providers/Microsoft.Authorization/policyDefinitions/x",
    ),
    (
        "azurerm_management_group",
        {"name": "x"},
        "/providers/Microsoft.Management/managementGroups/x",
    ),
    (
        "azurerm_virtual_machine_data_disk_attachment",
        {"virtual_machine_id": "/vm", "name": "d"},
        "/vm/dataDisks/d",
    ),
    (
        "azurerm_virtual_network_dns_servers",
        {"virtual_network_id": "/v"},
        "/v/dnsServers/default",
    ),
    (
        "azurerm_maintenance_assignment_virtual_machine",
        {"virtual_machine_id": "/vm", "name": "x"},
        "/vm/maintenance_assignment_virtual_machine/x",
    ),
    (
        "azurerm_bot_connection",
        {"name": "x", "resource_group_name": "g"},
        f"{GROUP}/providers/Simulated/bot_connection/x",
    ),
    (
        "azuread_application_redirect_uris",
        {"application_id": APPLICATION},
        f"{APPLICATION}/redirectUris/Web",
    ),
    (
        "azuread_application_fallback_public_client",
        {"application_id": APPLICATION},
        f"{APPLICATION}/fallbackPublicClient",
    ),
]


@pytest.mark.parametrize(("kind", "state", "expected"), SHAPES, ids=[s[0] for s in SHAPES])
def test_shape(kind: str, state: dict[str, Any], expected: str) -> None:
    """A resource's id is the one that Azure would give it."""
    template = load(kind.partition("_")[0]).type(kind).id_template

    assert identify(CLOUD, kind, template, state, "seed") == expected


@pytest.mark.parametrize(
    ("kind", "state", "beginning"),
    [
        ("azuread_application", {}, "/applications/"),
        (
            "azuread_application_federated_identity_credential",
            {"application_id": APPLICATION},
            f"{GUID}/federatedIdentityCredential/",
        ),
        (
            "azuread_application_password",
            {"application_id": APPLICATION},
            f"{GUID}/password/",
        ),
        (
            "azurerm_key_vault_secret",
            {"name": "x", "key_vault_id": "/a/kv"},
            "https://kv.vault.azure.net/secrets/x/",
        ),
        ("azurerm_lighthouse_definition", {"scope": "/x"}, "/x/providers/Simulated/"),
        ("azuread_access_package", {}, ""),
    ],
)
def test_invented_end(kind: str, state: dict[str, Any], beginning: str) -> None:
    """What Azure numbers itself ends in something that only the seed decides."""
    template = load(kind.partition("_")[0]).type(kind).id_template
    one = identify(CLOUD, kind, template, state, "one")

    assert one.startswith(beginning)
    assert one == identify(CLOUD, kind, template, state, "one")
    assert one != identify(CLOUD, kind, template, state, "other")


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        (f"{GROUP}/providers/Microsoft.Network/privateDnsZones/any.name", True),
        (f"{GROUP}/providers/Microsoft.Network/dnsZones/any.name", False),
        (f"{GROUP}/providers/Microsoft.Network/privateDnsZones/x/A/y", False),
        (f"{GROUP}/providers/Microsoft.Network/privateDnsZones/", False),
        (f"{GROUP}/providers/Microsoft.Web/privateDnsZones/x", False),
        (f"{GROUP.lower()}/providers/Microsoft.Network/privateDnsZones/x", False),
        ("privateDnsZones/x", False),
        ("", False),
    ],
)
def test_fit(identifier: str, expected: bool) -> None:
    """Only an id of the same shape fits a template."""
    template = load("azurerm").type("azurerm_private_dns_zone").id_template

    assert fits(template, identifier) is expected


@pytest.mark.parametrize(
    ("parent", "kind", "name", "expected"),
    [
        (GROUP, "Microsoft.Web/sites@2024-04-01", "x", f"{GROUP}/providers/Microsoft.Web/sites/x"),
        (WEB, "Microsoft.Web/sites/slots@2024-04-01", "x", f"{WEB}/slots/x"),
        (WEB, "Microsoft.Insights/locks@1", "x", f"{WEB}/providers/Microsoft.Insights/locks/x"),
        ("/subscriptions/s", "Microsoft.Resources/resourceGroups@1", "g", GROUP),
        ("/", "Microsoft.Resources/subscriptions@1", "s", "/subscriptions/s"),
        ("/", "Microsoft.Management/managementGroups@1", "m",
         "/providers/Microsoft.Management/managementGroups/m"),
    ],
)  # fmt: skip
def test_azapi_id(parent: str, kind: str, name: str, expected: str) -> None:
    """An id is built from a resource type as azapi builds it, and taken apart again."""
    identifier = resource_id(parent, kind, name)

    assert identifier == expected
    assert parts_of(identifier)[1] == name
