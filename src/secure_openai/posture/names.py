"""How a service's name resolves in a network: to its private endpoint, or past it.

Azure answers a service's public name with an alias under `privatelink.` once an endpoint exists; a
network reads that alias from the private zone of this name that is linked to it, and from the
Internet otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from secure_openai.posture.private_link import Door, cloud_of_zone
from secure_openai.posture.topology import Endpoint, Topology, Zone

Hop = tuple[bool | None, str, str]
"""Whether it lets through (None: cannot tell), the address of what decides, and why."""


def resolution(topology: Topology, network: str, door: Door, endpoint: Endpoint) -> Iterator[Hop]:
    """Yield one hop for each private zone that must answer for a door, and for the servers."""
    yield from servers(topology, network)
    for name in door.zones:
        yield _answers(topology, network, door, endpoint, name)


def servers(topology: Topology, network: str) -> Iterator[Hop]:
    """Yield a hop where a network asks DNS servers of its own."""
    own = topology.dns_servers(network)
    if own:
        known = topology.estate.known(network)
        address = known.address if known else network
        if topology.assumed.hold("resolves", network):
            yield True, address, f"its own DNS servers {', '.join(own)} are assumed to forward"
        else:
            yield (
                None,
                address,
                f"asks its own DNS servers {', '.join(own)}: whether they forward cannot be told",
            )


def _answers(topology: Topology, network: str, door: Door, endpoint: Endpoint, name: str) -> Hop:
    address = endpoint.resource.address
    registered = [topology.zone(one) for one in endpoint.zones]
    matching = [one for one in registered if one.name == name]
    linked = topology.linked.get(network, {}).get(name, [])
    if matching:
        return _group(topology, address, matching[0], linked)
    by_hand = _by_hand(topology, door, endpoint, name, linked)
    if by_hand:
        return by_hand
    if not registered and topology.assumed.hold("attached", endpoint.resource.id):
        return True, address, f"zone {name} is assumed to be attached by policy"
    foreign = [one for one in registered if cloud_of_zone(one.name) not in (topology.cloud, None)]
    if foreign:
        return (
            False,
            address,
            f"registers in {foreign[0].name}, a zone of another cloud, not in {name}",
        )
    if registered:
        return False, address, f"does not register in {name}"
    return False, address, f"has no zone group, and no record in {name} names it"


def _group(topology: Topology, address: str, zone: Zone, linked: list[Zone]) -> Hop:
    ids = {one.id for one in linked}
    if zone.id in ids and len(ids) == 1:
        return True, address, f"registers in {zone.name}, which the network reads"
    if ids:
        return (
            False,
            address,
            f"registers in one {zone.name}, but the network reads another of that name",
        )
    if zone.resource is None and topology.assumed.hold("linked", zone.id):
        return True, zone.id, f"zone {zone.name} is assumed to be linked"
    if zone.resource is None:
        return None, zone.id, f"zone {zone.name} lies outside: whether it is linked cannot be told"
    return False, zone.resource.address, f"zone {zone.name} is not linked to the network"


def _by_hand(
    topology: Topology, door: Door, endpoint: Endpoint, name: str, linked: list[Zone]
) -> Hop | None:
    domain_hosts = [one for one in door.hosts if f"privatelink.{one.partition('.')[2]}" == name]
    wanted = [one.partition(".")[0] for one in domain_hosts]
    if name in ("privatelink.azurewebsites.net", "privatelink.azurewebsites.us"):
        site = door.hosts[0].partition(".")[0]
        wanted = [site, f"{site}.scm"]
    if not linked or not wanted:
        return None
    addresses = {
        str(block.get("private_ip_address"))
        for block in endpoint.resource.blocks("private_service_connection")
    }
    missing = []
    for label in wanted:
        records = topology.records.get((linked[0].id, label), [])
        if not records:
            missing.append(label)
            continue
        for record in records:
            if not set(map(str, record.values.get("records") or ())) <= addresses:
                return False, record.address, f"record {label} in {name} points at another address"
    if len(missing) == len(wanted):
        return None
    if missing:
        return False, endpoint.resource.address, f"no record {missing[0]} in {name}"
    return True, endpoint.resource.address, f"a record in {name} names it"
