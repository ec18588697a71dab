"""Reach inside the network: what rules let in and out, and who stands in the open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from secure_openai.posture.paths import enter
from secure_openai.posture.security_rules import INTERNET, VIRTUAL_NETWORK, Flow, Share, evaluate
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Note,
    Outcome,
    Seen,
    Setting,
    Severity,
    Statement,
    hcl,
    settings,
)
from secure_openai.posture.topology import Subnet, Topology

TAGS_THAT_KEEP_DATA: Final = (
    "AzureCloud",
    "AzureCosmosDB",
    "AzureKeyVault",
    "AzureMonitor",
    "CognitiveServicesManagement",
    "EventHub",
    "ServiceBus",
    "Sql",
    "Storage",
)

_HELD_BY_A_MACHINE: Final = ("azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine")


def _others(topology: Topology) -> Iterator[Outcome]:
    places = {one.subnet for found in topology.endpoints.values() for one in found}
    for identifier in sorted(places):
        target = topology.subnet(identifier)
        if target is None or target.resource is None:
            if target and not topology.assumed.hold("filtered", target.id):
                yield Doubt(
                    identifier, f"subnet {target.label} lies outside: its rules cannot be read"
                )
            continue
        space = topology.space(target.network)
        rules = topology.rules_of(target)
        if rules is None or not target.filters_endpoints:
            continue
        for prefix in target.prefixes:
            for source in (VIRTUAL_NETWORK, INTERNET):
                answer = evaluate(rules, Flow(source, prefix, 443, inbound=True), space)
                if answer.share is Share.ALL:
                    says = f"rule {answer.rule} lets {source} in to the endpoints"
                    yield Finding(
                        target.group.address if target.group else target.resource.address,
                        "security_rule",
                        says,
                        _DENY,
                    )
                else:
                    much = "only some of" if answer.share is Share.SOME else "nothing of"
                    yield Seen(target.resource.address, f"its rules let in {much} {source}")
        for other in topology.subnets_of[target.network]:
            if (
                other.id != target.id
                and not _calls(topology, other)
                and enter(topology, other, target)[0]
            ):
                says = f"subnet {other.label} may reach the endpoints, and nothing in it calls them"
                yield Finding(
                    target.group.address if target.group else target.resource.address,
                    "security_rule",
                    says,
                    _DENY,
                )


_DENY: Final = """security_rule {
  name                       = "deny-the-rest"
  access                     = "Deny"
  direction                  = "Inbound"
  priority                   = 4000
  protocol                   = "*"
  source_address_prefix      = "*"
  source_port_range          = "*"
  destination_address_prefix = "*"
  destination_port_range     = "*"
}"""


def _calls(topology: Topology, subnet: Subnet) -> bool:
    if subnet.id in topology.occupied:
        return True
    delegations = subnet.resource.blocks("delegation") if subnet.resource else []
    return any(
        service.get("name") == "GitHub.Network/networkSettings"
        for one in delegations
        for service in one.get("service_delegation") or ()
    )


def _leaving(topology: Topology) -> Iterator[Outcome]:
    for app in topology.apps:
        if not app.values.get("virtual_network_subnet_id"):
            continue
        routed = app.get("site_config.0.vnet_route_all_enabled")
        if routed is not True:
            says = "what it sends to public addresses does not pass its network"
            yield Finding(
                app.address,
                "site_config.0.vnet_route_all_enabled",
                says,
                hcl("site_config.0.vnet_route_all_enabled", True),
            )
    ids = {app.refers("virtual_network_subnet_id") for app in topology.apps} - {""}
    for identifier in sorted(ids):
        subnet = topology.subnets.get(identifier)
        if subnet is None or subnet.resource is None:
            continue
        rules = topology.rules_of(subnet)
        if rules is None:
            continue
        space = topology.space(subnet.network)
        for prefix in subnet.prefixes:
            for place in (INTERNET, *TAGS_THAT_KEEP_DATA):
                answer = evaluate(rules, Flow(prefix, place, 443, inbound=False), space)
                if answer.share is Share.ALL:
                    says = f"rule {answer.rule} lets the applications go to {place}"
                    yield Finding(
                        subnet.group.address if subnet.group else "",
                        "security_rule",
                        says,
                        _DENY.replace("Inbound", "Outbound"),
                    )
                else:
                    much = "some, not all," if answer.share is Share.SOME else "nothing"
                    yield Seen(subnet.resource.address, f"its rules let out {much} to {place}")


def _groups(topology: Topology) -> Iterator[Outcome]:
    exempt = ("azurebastionsubnet", "gatewaysubnet", "azurefirewallsubnet")
    holding = {one.subnet for found in topology.endpoints.values() for one in found}
    for subnet in topology.subnets.values():
        if subnet.resource is None or subnet.id.rpartition("/")[2] in exempt[1:]:
            continue
        if subnet.group is None:
            mend = 'resource "azurerm_subnet_network_security_group_association" "this" {}'
            yield Finding(subnet.resource.address, "", "no security group is attached to it", mend)
        if subnet.id in holding and not subnet.filters_endpoints:
            path = "private_endpoint_network_policies"
            says = f"{path} is off: no rule counts for the endpoints in it"
            yield Finding(subnet.resource.address, path, says, hcl(path, "Enabled"))
    attached = {one.group.address for one in topology.subnets.values() if one.group}
    attached |= {
        found.address
        for one in topology.estate.every("azurerm_network_interface_security_group_association")
        if (found := topology.estate.known(one.values.get("network_security_group_id")))
    }
    for group in topology.estate.every("azurerm_network_security_group"):
        if group.address not in attached:
            mend = 'resource "azurerm_subnet_network_security_group_association" "this" {}'
            yield Finding(group.address, "", "it is attached to nothing", mend)


def _machines(topology: Topology) -> Iterator[Outcome]:
    for card in topology.estate.every("azurerm_network_interface"):
        for block in card.blocks("ip_configuration"):
            if block.get("public_ip_address_id"):
                says = "the machine has a public address"
                yield Finding(
                    card.address,
                    "ip_configuration.0.public_ip_address_id",
                    says,
                    "ip_configuration {\n  public_ip_address_id = null\n}",
                )
    for kind in ("azurerm_bastion_host", "azurerm_application_gateway"):
        for one in topology.estate.every(kind):
            yield Note(one.address, "a door by its nature: people come in by it")


STATEMENTS: Final = (
    Statement(
        "REACH-05",
        "Only subnets that call the endpoints may reach them",
        Severity.HIGH,
        "The rule that Azure adds admits every peered network.",
        ("MCSB NS-1", "checkov CKV2_AZURE_31"),
        _others,
        ("azurerm_network_security_group", "azurerm_network_security_rule"),
        relations=True,
    ),
    Statement(
        "REACH-06",
        "From the applications, nothing leaves but to the endpoints, Entra ID and Resource Manager",
        Severity.HIGH,
        "What can leave to anywhere can carry prompts and answers there.",
        ("MCSB NS-1", "MCSB NS-3"),
        _leaving,
        ("azurerm_network_security_group", "azurerm_network_security_rule"),
        relations=True,
    ),
    Statement(
        "REACH-07",
        "Every subnet has a security group, and it counts for the endpoints in it",
        Severity.HIGH,
        "A group that is attached to nothing, or that endpoints ignore, is a drawing of a wall.",
        ("MCSB NS-1", "checkov CKV2_AZURE_31"),
        _groups,
        ("azurerm_subnet", "azurerm_network_security_group", "azurerm_subnet_network_security_group_association"),
        relations=True,
    ),
    Statement(
        "REACH-08",
        "No machine has a public address",
        Severity.CRITICAL,
        "An open SSH or RDP port is found within minutes.",
        ("MCSB NS-1", "checkov CKV_AZURE_119", "checkov CKV2_AZURE_39"),
        _machines,
        ("azurerm_network_interface", "azurerm_public_ip", *_HELD_BY_A_MACHINE, "azurerm_bastion_host", "azurerm_application_gateway"),
    ),
    Statement(
        "REACH-09",
        "Subnets have no default way out, and model accounts call nobody",
        Severity.MEDIUM,
        "Azure's default outbound access bypasses NAT and rules that people rely on.",
        ("MCSB NS-2", "checkov CKV_AZURE_247"),
        settings(
            Setting(("azurerm_subnet",), "default_outbound_access_enabled", (False,), True),
            Setting(("azurerm_cognitive_account",), "outbound_network_access_restricted", (True,), False),
        ),
        ("azurerm_subnet", "azurerm_cognitive_account"),
    ),
)  # fmt: skip
