"""Keeping and seeing: that nothing is lost, and nothing happens unseen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from secure_openai.posture.applications import is_ours
from secure_openai.posture.estate import Resource, fold
from secure_openai.posture.private_link import APPS, SLOTS
from secure_openai.posture.statements.statement import (
    Finding,
    Outcome,
    Severity,
    Statement,
    hcl,
    held,
)
from secure_openai.posture.topology import Topology

_LEAST_DAYS: Final = 7
_LEAST_LOG_DAYS: Final = 30

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
    *APPS,
    *SLOTS,
)
"""What must send its logs to the workspace."""

ALERTS: Final = {
    "Microsoft.Authorization/roleAssignments/write": "a role is assigned",
    "Microsoft.Authorization/locks/delete": "a lock is removed",
    "Microsoft.CognitiveServices/accounts/write": "a model account's firewall changes",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments/write": "a Cosmos data role is assigned",
    "Microsoft.DocumentDB/databaseAccounts/write": "Cosmos DB's firewall changes",
    "Microsoft.KeyVault/vaults/write": "the vault's firewall changes",
    "Microsoft.Network/networkSecurityGroups/securityRules/write": "a security rule changes",
    "Microsoft.Storage/storageAccounts/write": "a storage account's firewall changes",
}
_FILTERS: Final = ("Hate", "Selfharm", "Sexual", "Violence", "Jailbreak")


def _vaults(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azurerm_key_vault"):
        yield from held(one, "purge_protection_enabled", (True,), False)
        days = one.get("soft_delete_retention_days")
        if isinstance(days, int) and days < _LEAST_DAYS:
            yield Finding(
                one.address,
                "soft_delete_retention_days",
                f"what is deleted is gone after {days} days",
                "soft_delete_retention_days = 90",
            )
    for one in topology.estate.every("azurerm_cosmosdb_account"):
        if one.get("backup.0.type") != "Continuous":
            yield Finding(
                one.address,
                "backup.0.type",
                "it can be restored to few points in time only",
                hcl("backup.0.type", "Continuous"),
            )


def _storage(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azurerm_storage_account"):
        yield from held(one, "blob_properties.0.versioning_enabled", (True,), False)
        for name in ("delete_retention_policy", "container_delete_retention_policy"):
            days = one.get(f"blob_properties.0.{name}.0.days")
            if not isinstance(days, int) or days < _LEAST_DAYS:
                says = f"{name} keeps what is deleted for {days or 'no'} days"
                yield Finding(
                    one.address,
                    f"blob_properties.0.{name}",
                    says,
                    hcl(f"blob_properties.0.{name}.0.days", 30),
                )
        for path, accepted, default in (
            ("allow_nested_items_to_be_public", (False,), True),
            ("cross_tenant_replication_enabled", (False,), False),
        ):
            yield from held(one, path, accepted, default)
    for one in topology.estate.every("azurerm_storage_container"):
        yield from held(one, "container_access_type", ("private",), "private")


def _seals(topology: Topology) -> Iterator[Outcome]:
    kept = {
        one.refers("storage_container_resource_manager_id"): one
        for one in topology.estate.every("azurerm_storage_container_immutability_policy")
    }
    for one in topology.estate.every("azurerm_storage_container"):
        if one.name.startswith("seals"):
            policy = kept.get(fold(one.id))
            if policy is None:
                says = "seals of the audit can be replaced: no immutability policy keeps them"
                yield Finding(
                    one.address,
                    "",
                    says,
                    'resource "azurerm_storage_container_immutability_policy" "seals" {\n  immutability_period_in_days = 365\n}',
                )
            elif (
                not isinstance(days := policy.get("immutability_period_in_days"), int)
                or days < _LEAST_LOG_DAYS
            ):
                yield Finding(
                    policy.address,
                    "immutability_period_in_days",
                    "seals can be replaced too soon",
                    "immutability_period_in_days = 365",
                )


def _diagnostics(topology: Topology) -> Iterator[Outcome]:
    estate = topology.estate
    by_target: dict[str, list[Resource]] = {}
    for one in estate.every("azurerm_monitor_diagnostic_setting"):
        by_target.setdefault(one.refers("target_resource_id"), []).append(one)
    workspaces: dict[str, int] = {}
    for found in by_target.values():
        for one in found:
            workspace = one.refers("log_analytics_workspace_id")
            workspaces[workspace] = workspaces.get(workspace, 0) + 1
    common = max(workspaces, key=lambda key: workspaces[key]) if workspaces else ""
    mend = 'resource "azurerm_monitor_diagnostic_setting" "this" {\n  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id\n  enabled_log {\n    category_group = "allLogs"\n  }\n}'
    for one in estate.every(*OBSERVED):
        targets = [fold(one.id)]
        found = by_target.get(targets[0], [])
        if not found:
            yield Finding(one.address, "", "it sends no logs to a workspace", mend)
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
            if workspace != common:
                yield Finding(
                    setting.address,
                    "log_analytics_workspace_id",
                    "it sends its logs elsewhere than the others",
                    mend,
                    Severity.MEDIUM,
                )


def _alerts(topology: Topology) -> Iterator[Outcome]:
    alerts = topology.estate.every("azurerm_monitor_activity_log_alert")
    applications = [one for one in topology.apps if is_ours(one)]
    if not alerts and not applications:
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
            if one.get("enabled") is not False and named & groups:
                scopes.setdefault(str(block.get("operation_name")).casefold(), set()).update(
                    fold(scope) for scope in one.values.get("scopes") or ()
                )
    resources = {fold(one.id) for one in topology.estate.every("azurerm_resource_group")}
    anchor = alerts[0].address if alerts else applications[0].address
    for operation, when in ALERTS.items():
        covered = scopes.get(operation.casefold(), set())
        if not covered:
            yield Finding(
                anchor,
                "criteria.0.operation_name",
                f"nobody is told when {when}",
                f'criteria {{\n  operation_name = "{operation}"\n}}',
            )
        elif resources - covered and not any(scope.count("/") == 2 for scope in covered):
            yield Finding(
                anchor,
                "scopes",
                f"nobody is told when {when} in some of the resource groups",
                "scopes = [for group in azurerm_resource_group.this : group.id]",
            )
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


def _logs(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every(
        "azurerm_log_analytics_workspace", "azurerm_application_insights"
    ):
        days = one.get("retention_in_days")
        if not isinstance(days, int) or days < _LEAST_LOG_DAYS:
            yield Finding(
                one.address,
                "retention_in_days",
                "what happened is forgotten too soon",
                "retention_in_days = 90",
            )
    for one in topology.estate.every("azurerm_application_insights"):
        if (
            topology.estate.known(one.values.get("workspace_id")) is None
            and topology.estate.relations
        ):
            yield Finding(
                one.address,
                "workspace_id",
                "it keeps its data outside the estate's workspace",
                "workspace_id = azurerm_log_analytics_workspace.this.id",
            )
        yield from held(one, "ip_masking_enabled", (True,), True)
    scoped = {
        one.refers("linked_resource_id")
        for one in topology.estate.every("azurerm_monitor_private_link_scoped_service")
    }
    for one in topology.estate.every(
        "azurerm_log_analytics_workspace", "azurerm_application_insights"
    ):
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


def _filters(topology: Topology) -> Iterator[Outcome]:
    policies: dict[tuple[str, str], Resource] = {}
    for one in topology.estate.every("azurerm_cognitive_account_rai_policy"):
        policies[one.refers("cognitive_account_id"), one.name] = one
        blocks = one.blocks("content_filter")
        for name in _FILTERS:
            prompts = [
                b
                for b in blocks
                if str(b.get("name")).casefold() == name.casefold() and b.get("source") == "Prompt"
            ]
            answers = [
                b
                for b in blocks
                if str(b.get("name")).casefold() == name.casefold()
                and b.get("source") == "Completion"
            ]
            for found in (prompts, answers) if name != "Jailbreak" else (prompts,):
                if not any(
                    b.get("filter_enabled") is True and b.get("block_enabled") is True
                    for b in found
                ):
                    side = "prompts" if found is prompts else "answers"
                    yield Finding(
                        one.address,
                        "content_filter",
                        f"{name} is not blocked in {side}",
                        f'content_filter {{\n  name           = "{name}"\n  filter_enabled = true\n  block_enabled  = true\n}}',
                    )
    for one in topology.estate.every("azurerm_cognitive_deployment"):
        policy = str(one.values.get("rai_policy_name") or "")
        if (
            one.refers("cognitive_account_id"),
            policy,
        ) not in policies and topology.estate.relations:
            yield Finding(
                one.address,
                "rai_policy_name",
                "its content filter is none of the estate's",
                "rai_policy_name = azurerm_cognitive_account_rai_policy.this.name",
            )
        if one.get("version_upgrade_option") != "NoAutoUpgrade":
            yield Finding(
                one.address,
                "version_upgrade_option",
                "its model changes without anybody deciding it",
                'version_upgrade_option = "NoAutoUpgrade"',
                Severity.LOW,
            )


def _guards(topology: Topology) -> Iterator[Outcome]:
    deployers = topology.estate.every("azurerm_federated_identity_credential")
    if not deployers:
        return
    locked = {
        one.refers("scope")
        for one in topology.estate.every("azurerm_management_lock")
        if one.get("lock_level") in ("CanNotDelete", "ReadOnly")
    }
    for one in topology.estate.every("azurerm_storage_account"):
        containers = topology.estate.naming(
            "azurerm_storage_container", "storage_account_id", one.id
        )
        holds_state = any("state" in container.name for container in containers)
        if holds_state and fold(one.id) not in locked:
            yield Finding(
                one.address,
                "",
                "Terraform's state can be deleted: no lock holds it",
                'resource "azurerm_management_lock" "state" {\n  lock_level = "CanNotDelete"\n}',
            )
    if not topology.estate.every(
        "azurerm_consumption_budget_subscription", "azurerm_consumption_budget_resource_group"
    ):
        yield Finding(
            deployers[0].address,
            "",
            "nobody is told when money runs out: there is no budget",
            'resource "azurerm_consumption_budget_subscription" "this" {}',
            Severity.MEDIUM,
        )
    for one in topology.estate.every("azurerm_consumption_budget_subscription"):
        if not any(
            block.get("enabled") is not False
            and (block.get("contact_emails") or block.get("contact_groups"))
            for block in one.blocks("notification")
        ):
            yield Finding(
                one.address,
                "notification",
                "the budget tells nobody",
                'notification {\n  contact_emails = ["security@example.com"]\n}',
                Severity.MEDIUM,
            )


STATEMENTS: Final = (
    Statement(
        "KEEP-01",
        "What is deleted can be brought back: vaults and databases",
        Severity.HIGH,
        "Whoever wants to hide something deletes it; whoever errs wants it back.",
        ("MCSB BR-1", "MCSB DP-8", "Azure Policy 0b60c0b2", "checkov CKV_AZURE_110", "checkov CKV_AZURE_42"),
        _vaults,
        ("azurerm_key_vault", "azurerm_cosmosdb_account"),
    ),
    Statement(
        "KEEP-02",
        "Blobs are versioned, kept after deletion and never public",
        Severity.HIGH,
        "An anonymous container is a website of everything in it.",
        ("MCSB NS-2", "Azure Policy 4fa4b6c0", "checkov CKV_AZURE_190", "checkov CKV2_AZURE_38", "checkov CKV2_AZURE_47"),
        _storage,
        ("azurerm_storage_account", "azurerm_storage_container", "azurerm_storage_management_policy"),
    ),
    Statement(
        "KEEP-03",
        "Seals of the audit cannot be replaced",
        Severity.HIGH,
        "A seal that its writer can rewrite proves nothing.",
        ("MCSB LT-6",),
        _seals,
        ("azurerm_storage_container", "azurerm_storage_container_immutability_policy"),
        relations=True,
    ),
    Statement(
        "SEE-01",
        "Everything sends its logs to one workspace",
        Severity.MEDIUM,
        "What leaves no log did not happen, as far as anybody can show.",
        ("MCSB LT-3", "Azure Policy 1b4d1c4e", "Azure Policy cf820ca0", "Azure Policy 91a78b24"),
        _diagnostics,
        ("azurerm_monitor_diagnostic_setting", *OBSERVED),
        relations=True,
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
        ("MCSB LT-6", "Azure Policy 0fc55270"),
        _logs,
        ("azurerm_log_analytics_workspace", "azurerm_application_insights", "azurerm_monitor_private_link_scoped_service"),
        relations=True,
    ),
    Statement(
        "SEE-04",
        "Every deployment filters prompts and answers, and shields against injected instructions",
        Severity.HIGH,
        "A deployment without a filter of its own takes whatever the default is that day.",
        ("Azure Policy f3a9c2e0", "Azure Policy af253d37"),
        _filters,
        ("azurerm_cognitive_account_rai_policy", "azurerm_cognitive_deployment"),
        relations=True,
    ),
    Statement(
        "SEE-05",
        "The state is locked, and a budget warns",
        Severity.HIGH,
        "Without state nobody can close anything again.",
        ("MCSB BR-2",),
        _guards,
        ("azurerm_management_lock", "azurerm_consumption_budget_subscription"),
        relations=True,
    ),
)  # fmt: skip
