"""Keeping: that nothing is lost, nothing unfiltered is said, and the state is guarded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from secure_openai.posture.applications import settings_of
from secure_openai.posture.estate import UNKNOWN, Resource, Values, fold, leaves
from secure_openai.posture.hcl import argument
from secure_openai.posture.statements.statement import (
    LEAST_DAYS,
    LEAST_LOG_DAYS,
    Doubt,
    Finding,
    Note,
    Outcome,
    Seen,
    Severity,
    Statement,
    held,
    kept,
)
from secure_openai.posture.topology import Topology

_WEBSITE: Final = "azurerm_storage_account_static_website"
_FILTERS: Final = ("Hate", "Selfharm", "Sexual", "Violence", "Jailbreak")


def _vaults(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azurerm_key_vault"):
        yield from held(one, "purge_protection_enabled", (True,), False)
        mend = "soft_delete_retention_days = 90"
        yield from kept(one, "soft_delete_retention_days", LEAST_DAYS, mend, default=90)
    for one in topology.estate.every("azurerm_cosmosdb_account"):
        yield from held(one, "backup.0.type", ("Continuous",), "Periodic")


def _storage(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azurerm_storage_account"):
        yield from held(one, "blob_properties.0.versioning_enabled", (True,), False)
        for name in ("delete_retention_policy", "container_delete_retention_policy"):
            if name == "delete_retention_policy":
                path = f"blob_properties.0.{name}.0.permanent_delete_enabled"
                yield from held(one, path, (False,), False)
            path = f"blob_properties.0.{name}.0.days"
            yield from kept(one, path, LEAST_DAYS, argument(path, 30), default=0)
        for path, accepted, default in (
            ("allow_nested_items_to_be_public", (False,), False),
            ("cross_tenant_replication_enabled", (False,), False),
        ):
            yield from held(one, path, accepted, default)
    for one in topology.estate.every("azurerm_storage_container"):
        yield from held(one, "container_access_type", ("private",), "private")
    for one in topology.estate.every("azurerm_storage_management_policy"):
        for rule in one.blocks("rule"):
            limited = any(part.get("prefix_match") for part in rule.get("filters") or ())
            if rule.get("enabled") is not False and not limited:
                yield from _short(one, rule)
    for one in topology.estate.every(_WEBSITE):
        says = "it makes a storage account a website that asks nobody"
        yield Finding(one.address, "", says, "# serve it from an application that signs people in")


def _short(policy: Resource, rule: Values) -> Iterator[Outcome]:
    """Yield where a rule about all blobs deletes them before anybody misses them."""
    for steps, days in leaves(rule.get("actions")):
        name = str(steps[-1])
        if name.startswith("delete_after") and isinstance(days, int) and 0 <= days < LEAST_LOG_DAYS:
            says = f"rule {rule.get('name')} deletes every blob after {days} days"
            yield Finding(policy.address, "rule", says, "# name the prefix that is short-lived")


def _seals(topology: Topology) -> Iterator[Outcome]:
    policies = {
        one.refers("storage_container_resource_manager_id"): one
        for one in topology.estate.every("azurerm_storage_container_immutability_policy")
    }
    containers = topology.estate.every("azurerm_storage_container")
    written = {
        app.address: str(name)
        for app in topology.apps
        if (name := settings_of(app).get("SECURE_OPENAI_SEALS_CONTAINER"))
    }
    for address, name in written.items():
        if name not in {one.name for one in containers}:
            yield Doubt(address, f"it keeps seals in {name}, which lies outside the estate")
    for one in containers:
        if one.name.startswith("seals") or one.name in written.values():
            policy = policies.get(fold(one.id))
            if policy is None:
                says = "seals of the audit can be replaced: no immutability policy keeps them"
                yield Finding(
                    one.address,
                    "",
                    says,
                    'resource "azurerm_storage_container_immutability_policy" "seals" {\n  immutability_period_in_days = 365\n}',
                )
            else:
                path = "immutability_period_in_days"
                yield from kept(policy, path, LEAST_LOG_DAYS, f"{path} = 365", default=0)


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
                    b.get("filter_enabled") is True
                    and b.get("block_enabled") is True
                    and b.get("severity_threshold") in (None, "Low", "Medium")
                    for b in found
                ):
                    side = "prompts" if found is prompts else "answers"
                    yield Finding(
                        one.address,
                        "content_filter",
                        f"{name} is not blocked in {side}, or the worst of it only",
                        f'content_filter {{\n  name               = "{name}"\n  filter_enabled     = true\n  block_enabled      = true\n  severity_threshold = "Medium"\n}}',
                    )
        yield from held(one, "mode", ("Default", "Blocking"), "Default")
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
        if str(one.get("sku.0.name")).startswith("Global"):
            yield Note(one.address, "its prompts may be answered in any region of the world")
        if one.get("version_upgrade_option") is UNKNOWN:
            yield Doubt(one.address, "version_upgrade_option is not known yet")
        elif one.get("version_upgrade_option") != "NoAutoUpgrade":
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
        if holds_state and fold(one.id) in locked:
            yield Seen(one.address, "a lock holds the state in it")
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
        else:
            yield Seen(one.address, "it tells somebody")


STATEMENTS: Final = (
    Statement(
        "KEEP-01",
        "What is deleted can be brought back: vaults and databases",
        Severity.HIGH,
        "Whoever wants to hide something deletes it; whoever errs wants it back.",
        ("MCSB BR-1", "MCSB DP-8", "Azure Policy 0b60c0b2-2dc2-4e1c-b5c9-abbed971de53", "checkov CKV_AZURE_110", "checkov CKV_AZURE_42"),
        _vaults,
        ("azurerm_key_vault", "azurerm_cosmosdb_account"),
    ),
    Statement(
        "KEEP-02",
        "Blobs are versioned, kept after deletion and never public",
        Severity.HIGH,
        "An anonymous container is a website of everything in it.",
        ("MCSB NS-2", "Azure Policy 4fa4b6c0-31ca-4c0d-b10d-24b96f62a751", "checkov CKV_AZURE_190", "checkov CKV2_AZURE_38", "checkov CKV2_AZURE_47"),
        _storage,
        ("azurerm_storage_account", "azurerm_storage_container", "azurerm_storage_management_policy", _WEBSITE),
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
        "SEE-04",
        "Every deployment filters prompts and answers, and shields against injected instructions",
        Severity.HIGH,
        "A deployment without a filter of its own takes whatever the default is that day.",
        ("Azure Policy f3a9c2e0-7b4d-4d8f-9c3a-2e1f6b9a8d4e", "Azure Policy af253d37-136a-42f8-a1fc-30010c083d41"),
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
