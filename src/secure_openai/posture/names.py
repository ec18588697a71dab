"""How a service's name resolves in a network: to its private endpoint, or past it.

Azure answers a service's public name with an alias under `privatelink.` once an endpoint exists; a
network reads that alias from the private zone of this name that is linked to it, and from the
Internet otherwise. Of all zones that are linked, the one with the longest matching name answers, so
that a zone of a single host shadows the zone of its service.

Source: https://learn.microsoft.com/azure/dns/private-dns-overview
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from secure_openai.posture.estate import Resource
from secure_openai.posture.private_link import Door
from secure_openai.posture.topology import Endpoint, Topology, Zone
from secure_openai.posture.zones import cloud_of_zone, domain_of_zone

Hop = tuple[bool | None, str, str]
"""Whether it lets through (None: cannot tell), the address of what decides, and why."""

NOT_LINKED: Final = "is not linked to the network"
"""How a hop ends that a link would mend."""

_ADDRESS = ("azurerm_private_dns_a_record",)
_RULESET = "azurerm_private_dns_resolver_virtual_network_link"


def resolution(topology: Topology, network: str, door: Door, endpoint: Endpoint) -> Iterator[Hop]:
    """Yield one hop for each private zone that must answer for a door, and for the servers."""
    yield from servers(topology, network)
    yield from rulesets(topology, network)
    yield from _shadows(topology, network, door, endpoint)
    for name in door.zones:
        yield _answers(topology, network, door, endpoint, name)


def servers(topology: Topology, network: str) -> Iterator[Hop]:
    """Yield a hop where a network asks DNS servers of its own."""
    if (unread := topology.dns_servers_unread(network)) is not None:
        yield None, unread.address, "which DNS servers it asks is not known yet"
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


def rulesets(topology: Topology, network: str) -> Iterator[Hop]:
    """Yield a hop for each ruleset that forwards a network's names to servers of its own."""
    for one in topology.estate.naming(_RULESET, "virtual_network_id", network):
        vouched = topology.assumed.hold("resolves", network)
        says = "forwards its names by a ruleset, whose servers are not read here"
        yield (True if vouched else None), one.address, says


def _shadows(topology: Topology, network: str, door: Door, endpoint: Endpoint) -> Iterator[Hop]:
    """Yield a hop for each zone that answers before the service's own."""
    linked = topology.linked.get(network, {})
    for name, zones in linked.items():
        if name in door.zones:
            continue
        for host in door.hosts:
            label = next((one for one in _labels(host, name, door.zones)), None)
            if label is None:
                continue
            records = topology.records.get((zones[0].id, label), [])
            led = _lead_to(records, endpoint) if records else False
            if led:
                continue
            resource = zones[0].resource
            where = resource.address if resource else zones[0].id
            yield led, where, f"zone {name} answers for {host} in place of {door.zones[0]}"
            break


def _labels(host: str, name: str, zones: Iterable[str]) -> Iterator[str]:
    """Yield under which label a zone answers for a host, or for its alias, before its own zone."""
    if host == name or host.endswith(f".{name}"):
        yield host.removesuffix(name).rstrip(".") or "@"
    for zone in zones:
        domain = domain_of_zone(zone)
        if domain is None or not host.endswith(f".{domain}"):
            continue
        alias = f"{host.removesuffix(domain)}{zone}"
        longer = len(name) > len(zone)
        if longer and (alias == name or alias.endswith(f".{name}")):
            yield alias.removesuffix(name).rstrip(".") or "@"


def _answers(topology: Topology, network: str, door: Door, endpoint: Endpoint, name: str) -> Hop:
    address = endpoint.resource.address
    registered = [topology.zone(one) for one in endpoint.zones]
    matching = [one for one in registered if one.name == name]
    linked = topology.linked.get(network, {}).get(name, [])
    by_hand = _by_hand(topology, door, endpoint, name, linked)
    if matching:
        wrong = by_hand is not None and by_hand[0] is False and by_hand[1] != address
        return by_hand if by_hand and wrong else _group(topology, address, matching[0], linked)
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
    return False, zone.resource.address, f"zone {zone.name} {NOT_LINKED}"


def _by_hand(
    topology: Topology, door: Door, endpoint: Endpoint, name: str, linked: list[Zone]
) -> Hop | None:
    """Return what the records say that somebody wrote; None where they say nothing of the door."""
    domain = domain_of_zone(name)
    wanted = [host.removesuffix(f".{domain}") for host in door.hosts if host.endswith(f".{domain}")]
    if not linked or not wanted:
        return None
    missing = []
    found: list[Resource] = []
    for label in wanted:
        records = topology.records.get((linked[0].id, label), [])
        if not records and "." not in label:
            records = topology.records.get((linked[0].id, "*"), [])
        if not records:
            missing.append(label)
        found += records
    wrong = next((one for one in found if _lead_to([one], endpoint) is False), None)
    if wrong is not None:
        says = f"record {wrong.name} in {name} points at another address"
        return False, wrong.address, says
    if len(missing) == len(wanted):
        return None
    if missing:
        return False, endpoint.resource.address, f"no record {missing[0]} in {name}"
    unread = next((one for one in found if one.unsure("records")), None)
    if unread is not None:
        return None, unread.address, f"where record {unread.name} in {name} points is not known yet"
    return True, endpoint.resource.address, f"a record in {name} names it"


def _lead_to(records: Iterable[Resource], endpoint: Endpoint) -> bool | None:
    """Return whether records name addresses of an endpoint, and nothing else; None if unknown."""
    unknown = False
    for record in records:
        if record.type not in _ADDRESS:
            return False
        if record.unsure("records"):
            unknown = True
        elif not set(map(str, record.items("records"))) <= endpoint.addresses:
            return False
    return None if unknown else True
