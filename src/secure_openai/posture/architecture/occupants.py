"""What stands in a subnet, or calls from it: applications, machines, gateways."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.applications import identities_of
from secure_openai.posture.architecture.services import title_of
from secure_openai.posture.estate import Resource, fold
from secure_openai.posture.private_link import APPS, SLOTS
from secure_openai.posture.topology import Topology

MOST: Final = 6
"""Occupants of one subnet that are drawn; the rest is counted."""

# Type, what people call it, and the block that names its subnet.
_STANDING: Final = (
    ("azurerm_application_gateway", "Application gateway", "gateway_ip_configuration"),
    ("azurerm_bastion_host", "Bastion", "ip_configuration"),
    ("azurerm_firewall", "Firewall", "ip_configuration"),
    ("azurerm_network_interface", "Machine", "ip_configuration"),
    ("azurerm_private_dns_resolver_inbound_endpoint", "DNS resolver", "ip_configurations"),
    ("azurerm_virtual_network_gateway", "VPN gateway", "ip_configuration"),
)


@dataclass(frozen=True, slots=True)
class Occupant:
    """One thing in a subnet: its address, what people call it, and a word more."""

    key: str
    title: str
    detail: str


def applications(topology: Topology) -> dict[str, list[Occupant]]:
    """Return the applications by the subnet that they call from; empty for no subnet."""
    slots: dict[str, int] = defaultdict(int)
    for one in topology.estate.every(*SLOTS):
        slots[one.refers("app_service_id") or one.refers("function_app_id")] += 1
    found: dict[str, list[Occupant]] = defaultdict(list)
    for app in (one for kind in APPS for one in topology.estate.every(kind)):
        acts = "its identity" if identities_of(app) or app.blocks("identity") else "no identity"
        many = slots.get(fold(app.id), 0) + 1
        detail = f"{acts}, {many} slots" if many > 1 else acts
        found[app.refers("virtual_network_subnet_id")].append(
            Occupant(app.address, title_of(app), detail)
        )
    return {subnet: _bounded(every) for subnet, every in found.items()}


def others(topology: Topology) -> dict[str, list[Occupant]]:
    """Return what else stands in each subnet."""
    machines = {
        fold(card): one
        for one in topology.estate.every(
            "azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine"
        )
        for card in one.values.get("network_interface_ids") or ()
    }
    found: dict[str, list[Occupant]] = defaultdict(list)
    for kind, title, block in _STANDING:
        for one in topology.estate.every(kind):
            shown = machines.get(fold(one.id), one)
            for place in {fold(each.get("subnet_id")) for each in one.blocks(block)} - {""}:
                found[place].append(Occupant(shown.address, title, _detail(one, shown)))
    return {subnet: _bounded(every) for subnet, every in found.items()}


def _detail(card: Resource, shown: Resource) -> str:
    public = any(one.get("public_ip_address_id") for one in card.blocks("ip_configuration"))
    open_ = card.type == "azurerm_network_interface" and public
    return f"{shown.name}, public address" if open_ else shown.name


def _bounded(found: list[Occupant]) -> list[Occupant]:
    if len(found) <= MOST:
        return found
    return [*found[: MOST - 1], Occupant("", f"{len(found) - MOST + 1} more", "not drawn")]
