"""Machines: that none stands in the open, and none lets people in by password."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from secure_openai.posture.addresses import PUBLIC_SPACE, range_of, within
from secure_openai.posture.estate import UNKNOWN, Estate, Resource, Steps, fold
from secure_openai.posture.hcl import argument
from secure_openai.posture.printable import many
from secure_openai.posture.private_link import MACHINES
from secure_openai.posture.security_rules import INTERNET, Flow, Rule, evaluate, ports_of
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Note,
    Outcome,
    Seen,
    Severity,
    Statement,
    held,
    witnessed,
)
from secure_openai.posture.topology import Topology

_CARD: Final = "azurerm_network_interface"
_GATEWAYS: Final = ("azurerm_bastion_host", "azurerm_application_gateway")
# A public address here is the resource's purpose; what comes in by it is judged with the resource.
_MEANT_FOR_IT: Final = (
    *_GATEWAYS,
    "azurerm_firewall",
    "azurerm_nat_gateway_public_ip_association",
    "azurerm_virtual_network_gateway",
)
_EXEMPT: Final = ("azurebastionsubnet", "gatewaysubnet", "azurefirewallsubnet")
_PUBLIC: Final = ("public_ip_address_id", "public_ip_address_ids")
_BLOCK: Final = "public_ip_address"
_ANYWHERE: Final = ("10.0.0.0/8",)
_BY_KEY: Final = "# an SSH key, and sign-in with Entra ID"


def _in_the_open(topology: Topology) -> Iterator[Outcome]:
    others = [
        one
        for one in topology.estate.resources
        if one.type not in _MEANT_FOR_IT and one.type != "azurerm_public_ip"
    ]
    addressed = [finding for one in others for finding in _addressed(topology.estate, one)]
    yield from addressed
    count = len(others) - len(addressed)
    yield Seen("", f"{count} of {many(len(others), 'resource')} have no public address")
    if topology.estate.relations:
        for group, prefixes in _guarded(topology):
            closed = Seen(group.address, "no rule of it lets the Internet in")
            yield from witnessed(_let_in(topology, group, prefixes), closed)
    else:
        for group in topology.estate.every("azurerm_network_security_group"):
            if group.get("security_rule") is UNKNOWN:
                yield Doubt(group.address, "its rules are not known yet")
            for finding in _let_in(topology, group, _ANYWHERE):
                yield Doubt(finding.address, f"{finding.says}: what it guards is not known yet")
    for one in topology.estate.every("azurerm_bastion_host"):
        yield from held(one, "shareable_link_enabled", (False,), False)
        yield Note(one.address, "a door by its nature: people come in by it")
    for one in topology.estate.every("azurerm_application_gateway"):
        yield Note(one.address, "a door by its nature: people come in by it")


def _addressed(estate: Estate, one: Resource) -> Iterator[Finding]:
    """Yield where a resource has a public address, in whatever block.

    One that is not known yet is an address all the same.
    """
    machine = one.type == _CARD or one.type in MACHINES
    says = "the machine has a public address" if machine else "it has a public address"
    found = {steps for steps, value in estate.leaves_of(one) if value and _public(steps)}
    found.update(filter(_public, one.unknown))
    address = range_of(str(one.values.get(_BLOCK) or ""))
    if machine and address and within(address, PUBLIC_SPACE) and not one.unsure(_BLOCK):
        found.add((_BLOCK,))
    for steps in sorted(found, key=str)[:1]:
        path = ".".join(map(str, steps))
        yield Finding(one.address, path, says, argument(path, None))


def _public(steps: Steps) -> bool:
    return steps[-1] in _PUBLIC or (_BLOCK in steps and steps[-1] != _BLOCK)


def _guarded(topology: Topology) -> Iterator[tuple[Resource, tuple[str, ...]]]:
    """Yield each security group with the addresses that it guards, but for gateways' subnets."""
    gateways = {
        fold(block.get("subnet_id"))
        for one in topology.estate.every("azurerm_application_gateway")
        for block in one.blocks("gateway_ip_configuration")
    }
    found: dict[str, tuple[Resource, set[str]]] = {}
    for subnet in topology.subnets.values():
        name = subnet.id.rpartition("/")[2]
        if subnet.group and name not in _EXEMPT and subnet.id not in gateways:
            found.setdefault(subnet.group.address, (subnet.group, set()))[1].update(subnet.prefixes)
    for one in topology.estate.every("azurerm_network_interface_security_group_association"):
        group = topology.estate.known(one.values.get("network_security_group_id"))
        card = topology.estate.known(one.values.get("network_interface_id"))
        for block in card.blocks("ip_configuration") if card and group else ():
            place = topology.subnet(block.get("subnet_id"))
            if group:
                near = place.prefixes if place else ()
                found.setdefault(group.address, (group, set()))[1].update(near or _ANYWHERE)
    for group, prefixes in found.values():
        yield group, tuple(sorted(prefixes))


def _let_in(topology: Topology, group: Resource, prefixes: tuple[str, ...]) -> Iterator[Finding]:
    rules = topology.rules_in(group)
    for prefix in prefixes:
        for protocol in ("tcp", "udp"):
            for port in ports_of(rules, inbound=True):
                flow = Flow(INTERNET, prefix, port, inbound=True, protocol=protocol, worst=True)
                answer = evaluate(rules, flow, prefixes)
                if answer.admitted or _customers(rules, answer.allowing):
                    where = f" on port {port}" if port else ""
                    says = f"rule {answer.allowing} lets the Internet in{where}"
                    mend = "# name the subnet that may come in"
                    yield Finding(group.address, "security_rule", says, mend)


def _customers(rules: Sequence[Rule], name: str) -> bool:
    """Return whether a rule lets in addresses that any customer of Azure can send from."""
    return any(
        source.casefold().startswith("azurecloud")
        for rule in rules
        if rule.name == name
        for source in rule.sources
    )


def _passwords(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every(MACHINES[0]):
        for name, secure in (
            ("password_authentication_enabled", False),
            ("disable_password_authentication", True),
        ):
            if one.unsure(name):
                yield Doubt(one.address, f"{name} is not known yet")
            elif isinstance(one.values.get(name), bool) and one.values[name] is not secure:
                says = "it lets people in by password"
                yield Finding(one.address, name, says, _BY_KEY)
        if one.values.get("admin_password") or one.unsure("admin_password"):
            yield Finding(one.address, "admin_password", "it lets people in by password", _BY_KEY)
        else:
            yield Seen(one.address, "its administrator has no password")
    for one in topology.estate.every(MACHINES[1]):
        yield Finding(
            one.address,
            "admin_password",
            "its administrator has a password in the state",
            "# a Linux machine with sign-in by Entra ID",
        )


STATEMENTS: Final = (
    Statement(
        "REACH-08",
        "No machine has a public address, and no rule lets the Internet in to one",
        Severity.CRITICAL,
        "An open SSH or RDP port is found within minutes.",
        ("MCSB NS-1", "checkov CKV_AZURE_119", "checkov CKV2_AZURE_39", "checkov CKV_AZURE_9", "checkov CKV_AZURE_10"),
        _in_the_open,
        (_CARD, "azurerm_public_ip", *MACHINES, *_GATEWAYS),
        everything=True,
    ),
    Statement(
        "KEYS-09",
        "No machine lets people in by password",
        Severity.HIGH,
        "Passwords are guessed and shared.",
        ("MCSB IM-6", "checkov CKV_AZURE_1", "checkov CKV_AZURE_178"),
        _passwords,
        MACHINES,
    ),
)  # fmt: skip
