"""What a picture of an estate shows: its networks, what stands in them, its services and doors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from typing import Final

from secure_openai.posture.architecture.access import (
    public_door,
    telemetry_door,
    worst,
)
from secure_openai.posture.architecture.frames import (
    Connection,
    NetworkFrame,
    Service,
    networks,
)
from secure_openai.posture.architecture.occupants import Occupant, applications
from secure_openai.posture.architecture.services import KINDS, title_of
from secure_openai.posture.estate import Resource, fold
from secure_openai.posture.names import resolution
from secure_openai.posture.paths import from_subnet
from secure_openai.posture.printable import many
from secure_openai.posture.private_link import SLOTS, Door
from secure_openai.posture.subnets import Subnet
from secure_openai.posture.topology import Endpoint, Topology

MOST_SERVICES: Final = 24
MOST_OUTSIDE: Final = 6

_TELEMETRY: Final = ("azurerm_log_analytics_workspace", "azurerm_application_insights")
_NOTHING: Final[frozenset[str]] = frozenset()

Callers = dict[tuple[str, str], list[Subnet]]
"""The subnets of the applications that call a door, by its service's address and subresource."""


@dataclass(frozen=True)
class Picture:
    """Everything that is drawn.

    Attributes:
        networks: The networks, with the services behind their private endpoints.
        loose: Applications that stand in no network.
        services: Services before which no private endpoint stands.
        entrance: How people come in.
        directory: Whether Entra ID holds something of the estate.
        left_out: What was too much to draw, in words.
    """

    networks: tuple[NetworkFrame, ...]
    loose: tuple[Occupant, ...]
    services: tuple[Service, ...]
    entrance: str
    directory: bool
    left_out: tuple[str, ...] = ()

    @property
    def every_service(self) -> Iterator[Service]:
        """Yield every service that is drawn, from the top."""
        for network in self.networks:
            for subnet in network.holders:
                yield from subnet.services
        yield from self.services


def picture(topology: Topology, marked: Set[str] = _NOTHING) -> Picture:
    """Return what is drawn of an estate.

    Args:
        topology: The estate with its networks.
        marked: Addresses that are drawn before others where not everything can be.
    """
    every = [one for kind in KINDS for one in topology.estate.every(kind)]
    kept = sorted(every, key=lambda one: one.address not in marked)[:MOST_SERVICES]
    chosen = {one.address for one in kept}
    calling = _callers(topology)
    services = [_service(topology, calling, one) for one in every if one.address in chosen]
    outside = list(_elsewhere(topology, {fold(one.id) for one in every}))
    services += outside[:MOST_OUTSIDE]
    held: dict[str, list[Service]] = defaultdict(list)
    for service in services:
        held[service.connections[0].subnet if service.connections else ""].append(service)
    standing = applications(topology)
    found, more = networks(topology, held, standing)
    shown = Picture(
        tuple(found),
        tuple(standing.get("", ())),
        tuple(held.get("", ())),
        _entrance(topology),
        any(kind.startswith("azuread_") for kind in topology.estate.types),
    )
    missing = len(every) + len(outside) - len(list(shown.every_service))
    counts = ((missing, "service"), (more, "network"))
    return replace(shown, left_out=tuple(many(count, what) for count, what in counts if count))


def _callers(topology: Topology) -> Callers:
    found: Callers = defaultdict(list)
    for app in topology.apps:
        subnet = topology.subnet(app.values.get("virtual_network_subnet_id"))
        for door in topology.calls(app).values():
            if subnet and door:
                known = found[door.service.address, door.subresource]
                if subnet not in known:
                    known.append(subnet)
    return found


def _service(topology: Topology, calling: Callers, one: Resource) -> Service:
    doors = [
        door
        for each in (one, *slots_of(topology, one))
        for door in topology.doors_of.get(each.address, ())
    ]
    endpoints = topology.endpoints.get(fold(one.id), [])
    state = (
        telemetry_door(one)
        if one.type in _TELEMETRY
        else worst(public_door(topology, door) for door in _one_each(doors))
    )
    return Service(
        one.address,
        title_of(one),
        one.name,
        _zones(topology, endpoints, one),
        tuple(_connection(topology, calling, each, doors) for each in endpoints),
        state,
    )


def slots_of(topology: Topology, app: Resource) -> list[Resource]:
    """Return the slots of an application; none of anything else."""
    return [
        slot
        for parent in ("app_service_id", "function_app_id")
        for kind in SLOTS
        for slot in topology.estate.naming(kind, parent, app.id)
    ]


def _one_each(doors: list[Door]) -> list[Door]:
    """Return one door for each service: its subresources share one switch."""
    return list({door.service.address: door for door in doors}.values())


def _connection(
    topology: Topology, calling: Callers, endpoint: Endpoint, doors: list[Door]
) -> Connection:
    wanted = {name.casefold() for name in endpoint.subresources}
    verdicts: list[bool | None] = [False] if endpoint.manual else []
    for door in doors:
        if door.subresource.casefold() not in wanted:
            continue
        callers = calling.get((door.service.address, door.subresource), [])
        verdicts += [from_subnet(topology, subnet, door).open for subnet in callers]
        here = topology.subnet(endpoint.subnet)
        if here:
            verdicts += [hop[0] for hop in resolution(topology, here.network, door, endpoint)]
    passes = False if False in verdicts else None if None in verdicts else True
    label = ", ".join(endpoint.subresources)
    return Connection(endpoint.resource.address, label, passes, endpoint.subnet)


def _zones(topology: Topology, endpoints: list[Endpoint], one: Resource) -> str:
    names = list(dict.fromkeys(topology.zone(each).name for e in endpoints for each in e.zones))
    if names:
        return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    if endpoints:
        return "no private zone named by its endpoint"
    if topology.estate.naming(
        "azurerm_monitor_private_link_scoped_service", "linked_resource_id", one.id
    ):
        return "through the monitor's private link scope"
    return "no private endpoint"


def _elsewhere(topology: Topology, known: Set[str]) -> Iterator[Service]:
    """Yield what the estate's endpoints connect to outside it."""
    for target, endpoints in sorted(topology.endpoints.items()):
        if target in known or not target:
            continue
        connections = tuple(
            Connection(one.resource.address, ", ".join(one.subresources), None, one.subnet)
            for one in endpoints
        )
        yield Service(
            endpoints[0].resource.address,
            "Outside the estate",
            target.rpartition("/")[2],
            _zones(topology, endpoints, endpoints[0].resource),
            connections,
            worst(()),
        )


def _entrance(topology: Topology) -> str:
    types = topology.estate.types
    for kind, says in (
        ("azurerm_application_gateway", "by the application gateway"),
        ("azurerm_bastion_host", "by Bastion, VPN or peering"),
        ("azurerm_virtual_network", "by VPN, Bastion or peering"),
        ("azurerm_private_endpoint", "by the existing network"),
    ):
        if kind in types:
            return says
    return "by the Internet"
