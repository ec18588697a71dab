"""The private zones that a network reads, or should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.subnets import network_of_subnet
from secure_openai.posture.topology import Topology, Zone

MOST: Final = 18
"""Zones of one network that are drawn; the rest is counted."""

_PREFIX: Final = "privatelink."


@dataclass(frozen=True, slots=True)
class ZoneLine:
    """One private zone.

    Attributes:
        key: Its address in the configuration, or its id where it lies outside.
        label: Its name without `privatelink.`.
        linked: Whether the network reads it, or somebody vouches for that; None if nobody can tell.
    """

    key: str
    label: str
    linked: bool | None


def zones(topology: Topology, network: str) -> tuple[ZoneLine, ...]:
    """Return the zones that are linked to a network, and those that its endpoints register in."""
    found: dict[str, ZoneLine] = {}
    read = {zone.id for every in topology.linked.get(network, {}).values() for zone in every}
    for zone in sorted(_wanted(topology, network), key=lambda one: one.name):
        found.setdefault(zone.id, _line(topology, zone, linked=zone.id in read))
    lines = sorted(found.values(), key=lambda one: one.linked is True)
    if len(lines) <= MOST:
        return tuple(lines)
    return (*lines[: MOST - 1], ZoneLine("", f"and {len(lines) - MOST + 1} more", linked=True))


def _wanted(topology: Topology, network: str) -> Iterator[Zone]:
    for every in topology.linked.get(network, {}).values():
        yield from every
    for endpoints in topology.endpoints.values():
        for one in endpoints:
            if network_of_subnet(one.subnet) == network:
                yield from (topology.zone(each) for each in one.zones)
    anywhere = {
        zone.id for names in topology.linked.values() for every in names.values() for zone in every
    }
    for zone in topology.estate.every("azurerm_private_dns_zone"):
        found = topology.zone(zone.id)
        if found.id not in anywhere:
            yield found


def _line(topology: Topology, zone: Zone, *, linked: bool) -> ZoneLine:
    state: bool | None = linked
    if not linked and zone.resource is None:
        state = True if topology.assumed.hold("linked", zone.id) else None
    key = zone.resource.address if zone.resource else zone.id
    return ZoneLine(key, zone.name.removeprefix(_PREFIX), state)
