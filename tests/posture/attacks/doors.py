"""What is open to the Internet, and does not look like it."""

from __future__ import annotations

from tests.posture.attacks.changes import (
    COSMOS,
    GROUP,
    RECORDS,
    VAULT,
    WEB,
    absent,
    both,
    principal,
    resource,
)
from tests.posture.mutants import Change, added, put

DOORS: dict[str, tuple[str, Change]] = {
    "a tag on storage in which people's records lie": (
        "REACH-01",
        both(
            put(RECORDS, "tags", {"public-door": "a trial"}),
            put(RECORDS, "public_network_access_enabled", True),
        ),
    ),
    "a tag on storage in which local users live": (
        "REACH-01",
        added("azurerm_storage_account", id="/s", name="s", tags={"public-door": "x"}, shared_access_key_enabled=False, local_user_enabled=True),
    ),
    "a tag on storage with a website": (
        "REACH-01",
        both(
            resource("azurerm_storage_account", "a", id="/s", name="s", tags={"public-door": "x"}, shared_access_key_enabled=False, local_user_enabled=False, allow_nested_items_to_be_public=False),
            resource("azurerm_storage_account_static_website", "a", storage_account_id="/s"),
        ),
    ),
    "a tag on storage that an application may write to": (
        "REACH-01",
        lambda found: both(
            resource("azurerm_storage_account", "a", id=f"{GROUP}/providers/Microsoft.Storage/storageAccounts/s", name="s", tags={"public-door": "x"}, shared_access_key_enabled=False, local_user_enabled=False, allow_nested_items_to_be_public=False),
            resource("azurerm_role_assignment", "a", scope=f"{GROUP}/providers/Microsoft.Storage/storageAccounts/s/blobServices/default/containers/c", role_definition_name="Storage Blob Data Contributor", principal_id=principal(found, "web-production")),
        )(found),
    ),
    "a blank reason for a door": (
        "REACH-01",
        added("azurerm_storage_account", id="/s", name="s", tags={"public-door": " "}, shared_access_key_enabled=False, local_user_enabled=False, allow_nested_items_to_be_public=False),
    ),
    "an argument left out": ("REACH-01", absent(COSMOS, "public_network_access_enabled")),
    "an argument left out behind a firewall": ("REACH-01", absent(RECORDS, "public_network_access_enabled")),
    "false as text": ("REACH-01", put(COSMOS, "public_network_access_enabled", "false")),
    "rules beside the account": (
        "REACH-02",
        added("azurerm_storage_account_network_rules", storage_account_id=f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stchatrecqdf84".upper(), default_action="Allow"),
    ),
    "half the Internet twice": ("REACH-02", put(VAULT, "network_acls/0/ip_rules", ["0.0.0.0/1", "128.0.0.0/1"])),
    "the Internet in sixteenths": ("REACH-02", put(COSMOS, "ip_range_filter", [f"{n * 16}.0.0.0/4" for n in range(16)])),
    "every customer of Azure": (
        "REACH-02",
        put(WEB, "site_config/0/ip_restriction", [{"action": "Allow", "service_tag": "AzureCloud.westeurope"}]),
    ),
    "a rule without an action": (
        "REACH-02",
        put(WEB, "site_config/0/scm_ip_restriction", [{"action": None, "ip_address": "0.0.0.0/0"}]),
    ),
    "a deployment site behind the main site's rules": (
        "REACH-02",
        both(
            put(WEB, "site_config/0/scm_use_main_ip_restriction", True),
            put(WEB, "site_config/0/ip_restriction", [{"action": "Allow", "ip_address": "203.0.113.7/32"}]),
        ),
    ),
    "another Front Door": (
        "REACH-02",
        put(WEB, "site_config/0/ip_restriction", [{"action": "Allow", "service_tag": "AzureFrontDoor.Backend"}]),
    ),
    "a stranger's resource past the firewall": (
        "REACH-02",
        added("azurerm_storage_account_network_rules", storage_account_id=f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stchatrecqdf84", default_action="Deny", private_link_access=[{"endpoint_resource_id": "/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/g/providers/Microsoft.Search/searchServices/evil", "endpoint_tenant_id": "99999999-9999-9999-9999-999999999999"}]),
    ),
    "a stranger's resource past a database's firewall": (
        "REACH-02",
        put(COSMOS, "network_acl_bypass_ids", ["/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/g/providers/Microsoft.Synapse/workspaces/evil"]),
    ),
    "a Windows application": (
        "REACH-01",
        added("azurerm_windows_web_app", id="/w", name="w", app_settings={}, site_config=[{}]),
    ),
    "a cache": ("REACH-01", added("azurerm_redis_cache", id="/r", name="r", public_network_access_enabled=True)),
    "a type that says it in words": ("REACH-01", added("azurerm_app_configuration", id="/r", name="r", public_network_access=None)),
    "a cluster": ("REACH-01", added("azurerm_kubernetes_cluster", id="/k", name="k")),
    "a template": ("REACH-01", added("azurerm_resource_group_template_deployment", id="/k", name="k")),
    "a template through azapi": ("WHOLE-01", added("azapi_resource", id="/k", name="k", type="Microsoft.Resources/deployments@2024-03-01", body={})),
    "a script through azapi": ("WHOLE-01", added("azapi_resource", id="/k", name="k", type="Microsoft.Resources/deploymentScripts@2023-08-01", body={})),
    "an update through azapi": (
        "REACH-01",
        added("azapi_update_resource", resource_id=f"{GROUP}/providers/Microsoft.DocumentDB/databaseAccounts/cosmos-chat-qdf84", body={}),
    ),
    "an action through azapi": (
        "KEYS-01",
        added("azapi_resource_action", resource_id=f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stchatrecqdf84", action="x"),
    ),
    "an account through azapi": (
        "REACH-01",
        added("azapi_resource", id="/a", name="a", type="microsoft.cognitiveservices/ACCOUNTS@2025-06-01", body={"properties": {"PUBLICNETWORKACCESS": "Enabled"}}),
    ),
    "an account through azapi, as text": (
        "REACH-01",
        added("azapi_resource", id="/a", name="a", type="Microsoft.CognitiveServices/accounts@2025-06-01", body='{"properties": {"publicNetworkAccess": "Enabled"}}'),
    ),
    "a body that is not shown": (
        "WHOLE-01",
        added("azapi_resource", id="/a", name="a", type="Microsoft.KeyVault/vaults@2023-07-01", body={}, sensitive_body_version={"properties.x": "1"}),
    ),
}  # fmt: skip
