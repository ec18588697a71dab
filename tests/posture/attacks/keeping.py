"""What is not kept, filtered or written down."""

from __future__ import annotations

from tests.posture.attacks.changes import (
    FUNCTION,
    GROUP,
    POLICY,
    RECORDS,
    SOMEBODY,
    VAULT,
    every,
    narrowed,
)
from tests.posture.mutants import Change, added, put

KEEPING: dict[str, tuple[str, Change]] = {
    "days as text": ("KEEP-01", put(VAULT, "soft_delete_retention_days", "1")),
    "days that are no number": ("KEEP-02", put(RECORDS, "blob_properties/0/delete_retention_policy/0/days", float("nan"))),
    "logs that are cut off": ("SEE-03", every("azurerm_log_analytics_workspace", daily_quota_gb=0.03)),
    "alerts about what failed": (
        "SEE-02",
        every("azurerm_monitor_activity_log_alert", criteria=[{"category": "Administrative", "operation_name": "x", "status": "Failed"}]),
    ),
    "alerts about something else": ("SEE-02", narrowed(category="ServiceHealth")),
    "traces that are cut off": ("SEE-03", every("azurerm_application_insights", daily_data_cap_in_gb=0)),
    "blobs that are deleted for good": (
        "KEEP-02",
        put(RECORDS, "blob_properties/0/delete_retention_policy/0/permanent_delete_enabled", True),
    ),
    "alerts about one caller": ("SEE-02", narrowed(caller="somebody")),
    "alerts about another subscription": (
        "SEE-02",
        every("azurerm_monitor_activity_log_alert", scopes=[f"/subscriptions/{SOMEBODY}"]),
    ),
    "seals that are kept with what is deleted": (
        "KEEP-03",
        put(FUNCTION, "app_settings/SECURE_OPENAI_SEALS_CONTAINER", "exports-production"),
    ),
    "seals that are kept elsewhere": (
        "KEEP-03",
        put(FUNCTION, "app_settings/SECURE_OPENAI_SEALS_CONTAINER", "somewhere"),
    ),
    "alerts about failures only": ("SEE-02", narrowed(status="Failed")),
    "alerts about one resource": ("SEE-02", narrowed(resource_id="/x")),
    "blobs that are deleted at once": (
        "KEEP-02",
        added("azurerm_storage_management_policy", storage_account_id="/s", rule=[{"name": "all", "enabled": True, "filters": [{"prefix_match": []}], "actions": [{"base_blob": [{"delete_after_days_since_creation_greater_than": 1}]}]}]),
    ),
    "a filter that runs behind": ("SEE-04", put(POLICY, "mode", "Asynchronous_filter")),
    "a filter for the worst only": ("SEE-04", put(POLICY, "content_filter/0/severity_threshold", "High")),
    "a storage account as a website": ("KEEP-02", added("azurerm_storage_account_static_website", storage_account_id="/x")),
    "logs to a stranger as well": ("SEE-01", every("azurerm_monitor_diagnostic_setting", eventhub_authorization_rule_id="/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups/g/providers/Microsoft.EventHub/namespaces/evil/authorizationRules/x")),
    "logs to a file only": ("SEE-01", every("azurerm_monitor_diagnostic_setting", log_analytics_workspace_id=None)),
    "a deployment through azapi": (
        "SEE-04",
        added("azapi_resource", id="/d", name="d", parent_id=f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/oai-chat-main-qdf84", type="Microsoft.CognitiveServices/accounts/deployments@2025-06-01", body={"properties": {}}),
    ),
    "a state of an older provider": ("WHOLE-01", put(RECORDS, "enable_https_traffic_only", False)),
}  # fmt: skip
