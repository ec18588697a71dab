"""The frames of a picture: networks, in them subnets and zones, and what they lead to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.architecture.access import PublicDoor
from secure_openai.posture.architecture.occupants import Occupant, others
from secure_openai.posture.architecture.zones import ZoneLine, zones
from secure_openai.posture.subnets import Subnet
from secure_openai.posture.topology import Topology

MOST_NETWORKS: Final = 4
MOST_SUBNETS: Final = 8


@dataclass(frozen=True, slots=True)
class Connection:
    """A private endpoint before its service.

    Attributes:
        key: Its address in the configuration.
        label: The subresources that it stands for.
        passes: Whether those who call it reach it, and find its name; None if it cannot be told.
        subnet: The id of the subnet that it stands in.
    """

    key: str
    label: str
    passes: bool | None
    subnet: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its address, its kind and name, its zones, its endpoints and its public door."""

    key: str
    title: str
    name: str
    zones: str
    connections: tuple[Connection, ...]
    door: PublicDoor


@dataclass(frozen=True, slots=True)
class SubnetFrame:
    """A subnet: its key, its name, lines about it, what stands in it and what it leads to."""

    key: str
    label: str
    details: tuple[str, ...]
    occupants: tuple[Occupant, ...]
    services: tuple[Service, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkFrame:
    """A network.

    Attributes:
        key: Its address in the configuration, or its id where it lies outside.
        label: Its name and addresses.
        outside: Whether it lies outside the estate.
        callers: Subnets without a private endpoint.
        holders: Subnets with private endpoints.
        zones: The private zones that it reads, or should.
    """

    key: str
    label: str
    outside: bool
    callers: tuple[SubnetFrame, ...]
    holders: tuple[SubnetFrame, ...]
    zones: tuple[ZoneLine, ...]


def networks(
    topology: Topology,
    held: Mapping[str, Sequence[Service]],
    standing: Mapping[str, Sequence[Occupant]],
) -> tuple[list[NetworkFrame], int]:
    """Return the networks that the estate builds or uses, and how many more there are.

    Args:
        topology: The estate with its networks.
        held: Services by the subnet of their first private endpoint.
        standing: Applications by the subnet that they call from.
    """
    places = others(topology)
    subnets = dict(topology.subnets)
    for identifier in (*held, *standing, *places):
        found = topology.subnet(identifier)
        if found:
            subnets.setdefault(found.id, found)
    grouped: dict[str, list[Subnet]] = defaultdict(list)
    for one in subnets.values():
        grouped[one.network].append(one)
    for network in topology.estate.every("azurerm_virtual_network"):
        grouped.setdefault(topology.zone(network.id).id, [])
    # Those that lead to a service come first.
    order = sorted(grouped, key=lambda name: not any(one.id in held for one in grouped[name]))
    frames = []
    for name in order[:MOST_NETWORKS]:
        inside = [
            SubnetFrame(
                one.resource.address if one.resource else one.id,
                one.label,
                _details(topology, one),
                (*standing.get(one.id, ()), *places.get(one.id, ())),
                tuple(held.get(one.id, ())),
            )
            for one in grouped[name]
        ]
        frames.append(_network(topology, name, inside))
    return frames, len(order) - len(frames)


def _network(topology: Topology, identifier: str, inside: list[SubnetFrame]) -> NetworkFrame:
    resource = topology.estate.known(identifier)
    name = resource.name if resource else identifier.rpartition("/")[2]
    space = ", ".join(topology.space(identifier))
    callers = sorted((one for one in inside if not one.services), key=lambda one: not one.occupants)
    return NetworkFrame(
        resource.address if resource else identifier,
        f"{name} {space}".strip(),
        resource is None,
        tuple(callers[:MOST_SUBNETS]),
        tuple(one for one in inside if one.services),
        zones(topology, identifier),
    )


def _details(topology: Topology, subnet: Subnet) -> tuple[str, ...]:
    if subnet.resource is None:
        vouched = topology.assumed.hold("filtered", subnet.id)
        return (
            "outside the estate",
            "its rules are vouched for" if vouched else "its rules cannot be read",
        )
    prefixes = ", ".join(subnet.prefixes) or "addresses not known"
    if subnet.group is None:
        rules = "no security group"
    elif any(one.subnet == subnet.id for found in topology.endpoints.values() for one in found):
        rules = "rules count" if subnet.filters_endpoints else "rules do not count"
    else:
        rules = "own rules"
    return (prefixes, rules, _way_out(topology, subnet))


def _way_out(topology: Topology, subnet: Subnet) -> str:
    if topology.estate.naming("azurerm_subnet_nat_gateway_association", "subnet_id", subnet.id):
        return "way out: NAT gateway"
    if topology.estate.naming("azurerm_subnet_route_table_association", "subnet_id", subnet.id):
        return "way out: its own routes"
    default = subnet.resource.get("default_outbound_access_enabled") if subnet.resource else None
    return "no way out" if default is False else "way out: Azure's default"
