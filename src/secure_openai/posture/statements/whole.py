"""Whole: that nothing of the estate is passed over in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from secure_openai.posture.statements.statement import Finding, Outcome, Seen, Severity, Statement
from secure_openai.posture.topology import Topology

CARRIES_NOTHING: Final = {
    "azuread_application_identifier_uri": "the name of an Entra application",
    "azuread_application_pre_authorized": "consent of one of our applications to another",
    "azurerm_cosmosdb_sql_container": "declared in the table of containers, held to it by tests",
    "azurerm_cosmosdb_sql_database": "a name; who may read it is a role",
    "azurerm_key_vault_key": "a key that never leaves the vault",
    "azurerm_nat_gateway": "a way out only",
    "azurerm_nat_gateway_public_ip_association": "a way out only",
    "azurerm_policy_definition": "Azure denies with it; whether it does is shown after deployment",
    "azurerm_resource_group": "a folder",
    "azurerm_resource_group_policy_assignment": "Azure denies with it; shown after deployment",
    "azurerm_resource_provider_registration": "switches a service on",
    "azurerm_security_center_contact": "who is written to",
    "azurerm_security_center_subscription_pricing": "a watch, no door",
    "azurerm_service_plan": "machines of applications, with no door of their own",
    "azurerm_subnet_nat_gateway_association": "a way out only",
    "azurerm_virtual_network_peering": "read when networks meet",
    "azurerm_web_application_firewall_policy": "part of the application gateway",
    "azurerm_dev_test_global_vm_shutdown_schedule": "switches a machine off",
    "azurerm_private_dns_resolver": "answers names",
    "azurerm_private_dns_resolver_inbound_endpoint": "answers names",
    "azurerm_virtual_machine_extension": "part of its machine",
    "random_id": "a name",
    "random_password": "judged where it is used",
    "random_string": "a name",
    "terraform_data": "nothing in Azure",
}
"""Types that need no statement, each with the reason."""

AZAPI_KNOWN: Final = (
    "GitHub.Network/networkSettings",
    "Microsoft.KeyVault/vaults/keys",
    "Microsoft.Resources/",
)


def whole(covered: Callable[[], frozenset[str]]) -> Statement:
    """Return the statement that every type is covered by one of the others."""

    def check(topology: Topology) -> Iterator[Outcome]:
        known = covered() | CARRIES_NOTHING.keys() | {"azapi_resource"}
        for kind in sorted(topology.estate.types - known):
            found = topology.estate.every(kind)
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            yield Finding(
                found[0].address,
                "",
                f"no statement looks at {kind}{more}",
                "# look at it yourself, and accept it in a baseline with the reason",
            )
        for kind in sorted(topology.estate.types & CARRIES_NOTHING.keys()):
            yield Seen("", f"{kind} carries nothing: {CARRIES_NOTHING[kind]}")
        if covers := topology.estate.types & covered():
            yield Seen("", f"{len(covers)} types of resource are looked at by a statement")
        for one in topology.estate.every("azapi_resource"):
            kind = str(one.values.get("type") or "")
            if not kind.startswith(AZAPI_KNOWN):
                yield Finding(
                    one.address,
                    "type",
                    f"no statement looks at {kind}",
                    "# look at it yourself, and accept it in a baseline with the reason",
                )

    return Statement(
        "WHOLE-01",
        "Every resource is looked at by a statement, or is known to carry nothing",
        Severity.MEDIUM,
        "What a proof passes over in silence is what an attacker looks for.",
        (),
        check,
    )
