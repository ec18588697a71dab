"""Whole: that nothing of the estate is passed over in silence."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Final

from secure_openai.posture.estate import Resource
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Outcome,
    Seen,
    Severity,
    Statement,
)
from secure_openai.posture.topology import Topology

WHOLE: Final = "WHOLE-01"

CARRIES_NOTHING: Final = {
    "azuread_application_identifier_uri": "the name of an Entra application",
    "azurerm_application_insights_workbook": "a page of questions, asked with the reader's own rights",
    "azurerm_cosmosdb_sql_container": "declared in the table of containers, held to it by tests",
    "azurerm_cosmosdb_sql_database": "a name; who may read it is a role",
    "azurerm_dev_test_global_vm_shutdown_schedule": "switches a machine off",
    "azurerm_disk_encryption_set": "a key for disks, which no one enters by",
    "azurerm_key_vault_key": "a key that never leaves the vault",
    "azurerm_monitor_scheduled_query_rules_alert_v2": "a question asked of the logs on a clock",
    "azurerm_nat_gateway": "a way out only",
    "azurerm_nat_gateway_public_ip_association": "a way out only",
    "azurerm_policy_definition": "Azure denies with it; whether it does is shown after deployment",
    "azurerm_private_dns_resolver": "answers names",
    "azurerm_private_dns_resolver_inbound_endpoint": "answers names",
    "azurerm_resource_group": "a folder",
    "azurerm_resource_group_policy_assignment": "Azure denies with it; shown after deployment",
    "azurerm_resource_provider_registration": "switches a service on",
    "azurerm_security_center_contact": "who is written to",
    "azurerm_security_center_subscription_pricing": "a watch, no door",
    "azurerm_service_plan": "machines of applications, with no door of their own",
    "azurerm_subnet_nat_gateway_association": "a way out only",
    "random_id": "a name",
    "random_password": "judged where it is used",
    "random_string": "a name",
    "terraform_data": "nothing in Azure",
}
"""Types that need no statement, each with the reason."""

CHANGERS: Final = ("azapi_update_resource", "azapi_resource_action", "azapi_data_plane_resource")
"""Types that change another resource behind its back."""

_AZAPI: Final = "azapi_resource"
_AZAPI_KNOWN: Final = (
    "github.network/networksettings",
    "microsoft.keyvault/vaults/keys",
    "microsoft.resources/resourcegroups",
)
_LOOK: Final = "# look at it yourself, and accept it in a baseline with the reason"
# Arguments that azurerm has renamed: a state that still has one was written by an older provider.
_OLDER: Final = (
    "disable_ip_masking",
    "enable_https_traffic_only",
    "enable_rbac_authorization",
    "enforce_private_link_endpoint_network_policies",
    "local_authentication_disabled",
    "private_dns_zone_name",
)


def kind_of(one: Resource) -> str:
    """Return what a resource is: its type, or what Azure calls it where azapi builds it."""
    return str(one.values.get("type") or _AZAPI) if one.type == _AZAPI else one.type


def unseen(topology: Topology, covered: Set[str]) -> dict[str, list[Resource]]:
    """Return the resources that no statement looks at, by what they are.

    What changes another resource is left out where that resource is one of the estate: it leaves the
    statements about that one in doubt, and no others (`changed`).
    """
    found: dict[str, list[Resource]] = {}
    for kind in sorted(topology.estate.types - covered - CARRIES_NOTHING.keys()):
        for one in topology.estate.every(kind):
            name = kind_of(one)
            if kind == _AZAPI and name.partition("@")[0].casefold() in _AZAPI_KNOWN:
                continue
            if kind not in CHANGERS or _changes(topology, one) is None:
                found.setdefault(name, []).append(one)
    return found


def changed(topology: Topology) -> dict[str, list[Resource]]:
    """Return the resources that something changes behind their back, by their type."""
    found: dict[str, list[Resource]] = {}
    for one in topology.estate.every(*CHANGERS):
        target = _changes(topology, one)
        if target is not None:
            found.setdefault(target.type, []).append(target)
    return found


def _changes(topology: Topology, one: Resource) -> Resource | None:
    identifier = one.values.get("resource_id") or one.values.get("parent_id")
    if one.type == "azapi_update_resource" and not one.values.get("resource_id"):
        identifier = one.id
    return topology.estate.known(identifier)


def whole(covered: Set[str]) -> Statement:
    """Return the statement that every type is covered by one of the others."""

    def check(topology: Topology) -> Iterator[Outcome]:
        for kind, found in unseen(topology, covered).items():
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            yield Finding(found[0].address, "", f"no statement looks at {kind}{more}", _LOOK)
        for kind in sorted(topology.estate.types & CARRIES_NOTHING.keys()):
            yield Seen("", f"{kind} carries nothing: {CARRIES_NOTHING[kind]}")
        if covers := topology.estate.types & covered:
            yield Seen("", f"{len(covers)} types of resource are looked at by a statement")
        for one in topology.estate.every(*CHANGERS):
            if _changes(topology, one) is not None:
                says = (
                    "it changes another resource behind its back, and what it changes is not read"
                )
                yield Finding(one.address, "body", says, _LOOK)
        for one in topology.estate.resources:
            for name in one.unread:
                yield Finding(one.address, f"body.{name}", f"no statement looks at {name}", _LOOK)
            for name in _OLDER:
                if one.values.get(name) is not None:
                    says = f"{name} is an argument of an older provider: write the state with azurerm 5"
                    yield Doubt(one.address, says)
        for address, says in topology.estate.left_out:
            yield Doubt(address, says)
        for hanging in topology.estate.decided:
            if hanging.type not in covered and hanging.type not in CARRIES_NOTHING:
                yield Doubt(hanging.address, hanging.says)

    return Statement(
        WHOLE,
        "Every resource is looked at by a statement, or is known to carry nothing",
        Severity.MEDIUM,
        "What a proof passes over in silence is what an attacker looks for.",
        (),
        check,
    )
