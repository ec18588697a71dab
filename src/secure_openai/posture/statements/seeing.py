"""Seeing: that nothing happens without a log, and somebody is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from secure_openai.posture.estate import UNKNOWN, Resource, Values, fold
from secure_openai.posture.private_link import SITES
from secure_openai.posture.statements.statement import (
    LEAST_LOG_DAYS,
    Doubt,
    Finding,
    Outcome,
    Seen,
    Severity,
    Statement,
    held,
    kept,
)
from secure_openai.posture.topology import Topology

OBSERVED: Final = (
    "azurerm_application_gateway",
    "azurerm_bastion_host",
    "azurerm_cognitive_account",
    "azurerm_container_registry",
    "azurerm_cosmosdb_account",
    "azurerm_key_vault",
    "azurerm_network_security_group",
    "azurerm_public_ip",
    "azurerm_search_service",
    "azurerm_virtual_network",
    *SITES,
)
"""What must send its logs to the workspace."""

LEAST_GIGABYTES: Final = 1
"""How much a workspace must keep a day, if it is cut off at all."""

_GROUP_PARTS: Final = 5
"""Of how many parts, cut at `/`, the id of a resource group is."""

_NARROWING: Final = (
    "caller",
    "level",
    "levels",
    "resource_group",
    "resource_groups",
    "resource_id",
    "resource_ids",
    "sub_status",
    "sub_statuses",
)
ALERTS: Final = {
    "Microsoft.Authorization/roleAssignments/write": "a role is assigned",
    "Microsoft.Authorization/locks/delete": "a lock is removed",
    "Microsoft.CognitiveServices/accounts/write": "a model account's firewall changes",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments/write": "a Cosmos data role is assigned",
    "Microsoft.DocumentDB/databaseAccounts/write": "Cosmos DB's firewall changes",
    "Microsoft.KeyVault/vaults/write": "the vault's firewall changes",
    "Microsoft.Network/networkSecurityGroups/securityRules/write": "a security rule changes",
    "Microsoft.Storage/storageAccounts/write": "a storage account's firewall changes",
    "Microsoft.Web/sites/write": "an application's public door opens",
}


def _diagnostics(topology: Topology) -> Iterator[Outcome]:
    estate = topology.estate
    by_target: dict[str, list[Resource]] = {}
    for one in estate.every("azurerm_monitor_diagnostic_setting"):
        by_target.setdefault(one.refers("target_resource_id"), []).append(one)
    workspaces: dict[str, int] = {}
    for found in by_target.values():
        for one in found:
            workspace = one.refers("log_analytics_workspace_id")
            if workspace:
                workspaces[workspace] = workspaces.get(workspace, 0) + 1
    common = max(workspaces, key=lambda key: workspaces[key]) if workspaces else ""
    mend = 'resource "azurerm_monitor_diagnostic_setting" "this" {\n  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id\n  enabled_log {\n    category_group = "allLogs"\n  }\n}'
    for one in estate.every(*OBSERVED):
        found = by_target.get(fold(one.id), [])
        if not found:
            yield Finding(one.address, "", "it sends no logs to a workspace", mend)
        else:
            names = ", ".join(sorted(setting.name for setting in found))
            yield Seen(one.address, f"it sends its logs by {names}")
        for setting in found:
            if not setting.blocks("enabled_log"):
                yield Finding(setting.address, "enabled_log", "it sends no category of logs", mend)
    logged = {
        target.partition("/blobservices/")[0] for target in by_target if "/blobservices/" in target
    }
    for account in estate.every("azurerm_storage_account"):
        if fold(account.id) not in logged:
            yield Finding(account.address, "", "reading and writing its blobs leaves no log", mend)
    for found in by_target.values():
        for setting in found:
            workspace = setting.refers("log_analytics_workspace_id")
            for name in ("eventhub_authorization_rule_id", "storage_account_id"):
                other = setting.values.get(name)
                if other and estate.known(other) is None:
                    says = f"{name} sends its logs outside the estate as well"
                    yield Doubt(setting.address, says)
            if not workspace:
                says = "it sends its logs to no workspace"
                yield Finding(setting.address, "log_analytics_workspace_id", says, mend)
            elif workspace != common:
                yield Finding(
                    setting.address,
                    "log_analytics_workspace_id",
                    "it sends its logs elsewhere than the others",
                    mend,
                    Severity.MEDIUM,
                )
            else:
                yield Seen(setting.address, "it sends to the workspace of all the others")


def _alerts(topology: Topology) -> Iterator[Outcome]:
    alerts = topology.estate.every("azurerm_monitor_activity_log_alert")
    watched = [*topology.apps, *topology.estate.every("azurerm_cognitive_account")]
    if not alerts and not watched:
        return
    groups = {
        fold(one.id)
        for one in topology.estate.every("azurerm_monitor_action_group")
        if one.get("enabled") is not False
    }
    scopes: dict[str, set[str]] = {}
    for one in alerts:
        for block in one.blocks("criteria"):
            named = {fold(action.get("action_group_id")) for action in one.blocks("action")}
            if one.get("enabled") is not False and named & groups and not _narrowed(block):
                scopes.setdefault(str(block.get("operation_name")).casefold(), set()).update(
                    fold(scope) for scope in one.values.get("scopes") or ()
                )
    groups_of_resources = [
        *topology.estate.every("azurerm_resource_group"),
        *(one for one in watched if one.id.count("/") > _GROUP_PARTS),
    ]
    resources = {"/".join(fold(one.id).split("/")[:_GROUP_PARTS]) for one in groups_of_resources}
    anchor = alerts[0].address if alerts else watched[0].address
    for operation, when in ALERTS.items():
        covered = scopes.get(operation.casefold(), set())
        if not covered:
            yield Finding(
                anchor,
                "criteria.0.operation_name",
                f"nobody is told when {when}",
                f'criteria {{\n  operation_name = "{operation}"\n}}',
            )
        elif not all(
            {group, group.partition("/resourcegroups/")[0]} & covered for group in resources
        ):
            yield Finding(
                anchor,
                "scopes",
                f"nobody is told when {when} in some of the resource groups",
                "scopes = [for group in azurerm_resource_group.this : group.id]",
            )
        else:
            yield Seen("", f"somebody is told when {when}")
    if not groups:
        yield Finding(
            anchor,
            "action",
            "alerts reach nobody",
            'resource "azurerm_monitor_action_group" "this" {}',
        )
    for one in topology.estate.every("azurerm_monitor_action_group"):
        if not any(one.values.get(name) for name in one.values if name.endswith("_receiver")):
            yield Finding(
                one.address,
                "email_receiver",
                "alerts reach nobody",
                'email_receiver {\n  email_address = "security@example.com"\n}',
            )


def _narrowed(criteria: Values) -> bool:
    """Return whether an alert is about less than every success of its operation."""
    done = criteria.get("status") in (None, "", "Succeeded") and not criteria.get("statuses")
    return (
        not done
        or criteria.get("category") != "Administrative"
        or any(criteria.get(name) for name in _NARROWING)
    )


def _logs(topology: Topology) -> Iterator[Outcome]:
    estate = topology.estate
    kinds = ("azurerm_log_analytics_workspace", "azurerm_application_insights")
    watched = [*topology.apps, *estate.every("azurerm_cognitive_account")]
    elsewhere = any(
        one.values.get("log_analytics_workspace_id")
        for one in estate.every("azurerm_monitor_diagnostic_setting")
    )
    if watched and not estate.every(kinds[0]) and not elsewhere:
        mend = 'resource "azurerm_log_analytics_workspace" "this" {\n  retention_in_days = 90\n}'
        yield Finding(watched[0].address, "", "no workspace keeps what happens", mend)
    for one in estate.every(*kinds):
        for name in ("daily_quota_gb", "daily_data_cap_in_gb"):
            quota = one.get(name)
            if quota is UNKNOWN:
                yield Doubt(one.address, f"{name} is not known yet")
            elif quota is not None and 0 <= quota < LEAST_GIGABYTES:
                says = f"after {quota} GB a day nothing more is kept"
                yield Finding(one.address, name, says, f"{name} = {LEAST_GIGABYTES}")
        yield from kept(
            one, "retention_in_days", LEAST_LOG_DAYS, "retention_in_days = 90", default=0
        )
    for one in estate.every("azurerm_application_insights"):
        if estate.known(one.values.get("workspace_id")) is None:
            yield Finding(
                one.address,
                "workspace_id",
                "it keeps its data outside the estate's workspace",
                "workspace_id = azurerm_log_analytics_workspace.this.id",
            )
        yield from held(one, "ip_masking_enabled", (True,), True)
    scoped = {
        one.refers("linked_resource_id")
        for one in estate.every("azurerm_monitor_private_link_scoped_service")
    }
    for one in estate.every(*kinds):
        private = (
            one.get("internet_ingestion_access_type") == "Disabled"
            or one.get("internet_ingestion_enabled") is False
        )
        if private and fold(one.id) not in scoped:
            yield Finding(
                one.address,
                "",
                "it is closed to the Internet and in no monitor scope: nothing reaches it",
                'resource "azurerm_monitor_private_link_scoped_service" "this" {}',
            )


STATEMENTS: Final = (
    Statement(
        "SEE-01",
        "Everything sends its logs to one workspace",
        Severity.MEDIUM,
        "What leaves no log did not happen, as far as anybody can show.",
        ("MCSB LT-3", "Azure Policy 1b4d1c4e-934c-4703-944c-27c82c06bebb", "Azure Policy cf820ca0-f99e-4f3e-84fb-66e913812d21", "Azure Policy 91a78b24-f231-4a8a-8da9-02c35b2b6510"),
        _diagnostics,
        ("azurerm_monitor_diagnostic_setting", *OBSERVED),
        relations=True,
        everything=True,
    ),
    Statement(
        "SEE-02",
        "Somebody is told when a lock, a role or a firewall changes",
        Severity.MEDIUM,
        "Such changes open what this proof shows closed.",
        ("MCSB LT-1", "MCSB LT-3"),
        _alerts,
        ("azurerm_monitor_activity_log_alert", "azurerm_monitor_action_group"),
        relations=True,
    ),
    Statement(
        "SEE-03",
        "Logs are kept long enough, in the private scope",
        Severity.MEDIUM,
        "Break-ins are noticed after weeks.",
        ("MCSB LT-6", "MCSB NS-2", "Azure Policy 0fc55270-f8bf-4feb-b7b8-5e7e7eacc6a6"),
        _logs,
        ("azurerm_log_analytics_workspace", "azurerm_application_insights", "azurerm_monitor_private_link_scoped_service"),
        relations=True,
    ),
)  # fmt: skip
