"""Who may reach what, hop by hop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.addresses import range_of
from secure_openai.posture.estate import UNKNOWN, Resource, fold
from secure_openai.posture.firewalls import firewall
from secure_openai.posture.names import Hop, resolution
from secure_openai.posture.private_link import Door
from secure_openai.posture.security_rules import Answer, Flow, Share, evaluate
from secure_openai.posture.subnets import Subnet
from secure_openai.posture.topology import Endpoint, Topology

HTTPS: Final = 443
_EVERYTHING: Final = 2**31
"""A route for this many addresses is a default route, in one piece or in halves."""


@dataclass(frozen=True, slots=True)
class Path:
    """A way from somewhere to a door."""

    source: str
    target: str
    hops: tuple[Hop, ...]

    @property
    def open(self) -> bool | None:
        """Return whether it can be walked; None if that cannot be told."""
        verdicts = [hop[0] for hop in self.hops]
        if False in verdicts:
            return False
        return None if None in verdicts else True

    @property
    def first_stop(self) -> Hop | None:
        """Return the first hop that stops it, or that cannot be told."""
        for wanted in (False, None):
            for hop in self.hops:
                if hop[0] is wanted:
                    return hop
        return None


def from_internet(door: Door) -> Path:
    """Return the way from the Internet to a door."""
    service = door.service
    hops: list[Hop] = [
        (True, "", f"{door.hosts[0] if door.hosts else service.name} is a public name")
    ]
    hops.extend(_public(door))
    return Path("internet", label(door), tuple(hops))


def _public(door: Door) -> Iterator[Hop]:
    service = door.service
    if service.type == "azurerm_monitor_private_link_scope":
        for name in ("ingestion_access_mode", "query_access_mode"):
            mode = service.get(name)
            if mode is UNKNOWN:
                yield None, service.address, f"{name} is not known yet"
            else:
                private = mode == "PrivateOnly"
                yield not private, service.address, f"{name} is {mode or 'Open by default'}"
        return
    public = service.get("public_network_access_enabled")
    if public is UNKNOWN:
        yield None, service.address, "public_network_access_enabled is not known yet"
    elif public is False:
        yield False, service.address, "public_network_access_enabled is false"
    else:
        yield (
            True,
            service.address,
            "public_network_access_enabled is " + ("true" if public else "absent, which is true"),
        )
        found = firewall(service, door.beside)
        if found.denies is None:
            yield None, service.address, "its firewall is not known yet"
        elif not found.denies:
            yield True, service.address, "its firewall admits every address"
        elif found.unsure:
            yield None, service.address, "whom its firewall admits is not known yet"
        elif found.admitted:
            yield True, service.address, f"its firewall admits {', '.join(found.admitted)}"
        else:
            yield False, service.address, "its firewall admits no address"


def from_subnet(topology: Topology, subnet: Subnet, door: Door) -> Path:
    """Return the way from a subnet to a door, by the private endpoint that gets furthest."""
    candidates = topology.endpoints_of(door)
    name = subnet.label
    if not candidates:
        hop = (False, door.service.address, f"no private endpoint stands for {door.subresource}")
        return Path(name, label(door), (hop,))
    paths = [
        Path(name, label(door), tuple(_by_endpoint(topology, subnet, door, one)))
        for one in candidates
    ]
    order = {True: 0, None: 1, False: 2}
    return min(paths, key=lambda path: order[path.open])


def _by_endpoint(
    topology: Topology, subnet: Subnet, door: Door, endpoint: Endpoint
) -> Iterator[Hop]:
    yield from resolution(topology, subnet.network, door, endpoint)
    target = topology.subnet(endpoint.subnet)
    if target is None:
        yield False, endpoint.resource.address, "the endpoint stands in no subnet"
        return
    places = _places(endpoint, target)
    yield from _leave(topology, subnet, target, places)
    yield _near(topology, subnet, target)
    yield _enter(topology, subnet, target, places)
    if endpoint.manual:
        yield False, endpoint.resource.address, "the connection waits for an approval by hand"
    else:
        yield True, endpoint.resource.address, f"the endpoint answers for {door.subresource}"


def _places(endpoint: Endpoint, target: Subnet) -> Sequence[str]:
    """Return where an endpoint may answer: at addresses written down, else all over its subnet."""
    ranges = [one for prefix in target.prefixes if (one := range_of(prefix))]
    fixed = [one for address in endpoint.fixed if (one := range_of(address))]
    inside = all(any(whole.holds(one) for whole in ranges) for one in fixed)
    return endpoint.fixed if fixed and inside else target.prefixes


def _leave(
    topology: Topology, subnet: Subnet, target: Subnet, places: Sequence[str]
) -> Iterator[Hop]:
    if subnet.resource is None:
        vouched = topology.assumed.hold("filtered", subnet.id)
        says = "assumed to let it leave" if vouched else "lies outside: its rules cannot be read"
        yield (True if vouched else None), subnet.id, f"subnet {subnet.label} {says}"
        return
    if subnet.group is None and not subnet.group_id:
        yield True, subnet.resource.address, f"subnet {subnet.label} has no security group"
    else:
        yield _asked(topology, subnet, target, places, inbound=False)
    yield from _routed(topology, subnet, target)


def _routed(topology: Topology, subnet: Subnet, target: Subnet) -> Iterator[Hop]:
    """Yield a hop for each route that takes the way, other than a default route.

    A network knows its own addresses and those of its peers by longer routes than that one.
    """
    for route in topology.routes_of(subnet):
        if route.outside:
            vouched = topology.assumed.hold("filtered", subnet.id)
            says = f"the routes of subnet {subnet.label} lie outside"
            yield (True if vouched else None), route.resource.address, says
            continue
        given = range_of(route.prefix)
        places = [one for prefix in target.prefixes if (one := range_of(prefix))]
        if given is None or given.size >= _EVERYTHING or route.hop == "VnetLocal":
            continue
        if any(given.holds(one) or one.holds(given) for one in places):
            says = f"a route sends {route.prefix} to {route.hop}"
            if route.hop in ("None", "Internet"):
                yield False, route.resource.address, says
            else:
                yield None, route.resource.address, f"{says}, whose rules are not read here"


def _enter(topology: Topology, subnet: Subnet, target: Subnet, places: Sequence[str]) -> Hop:
    """Return the hop from a subnet's rules into the endpoints' subnet."""
    if target.resource is None:
        vouched = topology.assumed.hold("filtered", target.id)
        says = "assumed to let it enter" if vouched else "lies outside: its rules cannot be read"
        return (True if vouched else None), target.id, f"subnet {target.label} {says}"
    if target.group is None and not target.group_id:
        return True, target.resource.address, f"subnet {target.label} has no security group"
    if not target.filters_endpoints:
        says = f"subnet {target.label} lets no rule count for endpoints"
        return True, target.resource.address, says
    return _asked(topology, subnet, target, places, inbound=True)


def admits(topology: Topology, subnet: Subnet, target: Subnet) -> Answer | None:
    """Return how the target's rules answer a subnet as a whole; None where they cannot be read."""
    return _answer(topology, subnet, target, target.prefixes, inbound=True)


def _asked(
    topology: Topology, subnet: Subnet, target: Subnet, places: Sequence[str], *, inbound: bool
) -> Hop:
    side = target if inbound else subnet
    answer = _answer(topology, subnet, target, places, inbound=inbound)
    if answer is None:
        if side.group is None and topology.assumed.hold("filtered", side.id):
            return True, side.id, f"subnet {side.label} is assumed to let it pass"
        says = (
            "its security group lies outside" if side.group is None else "addresses are not known"
        )
        return None, side.group.address if side.group else side.group_id or side.id, says
    way = "inbound" if inbound else "outbound"
    passes = answer.share is Share.ALL
    rule = answer.allowing if passes else answer.denying
    verb = "lets" if passes else "stops"
    return (
        passes,
        side.group.address if side.group else side.id,
        f"rule {rule} {verb} {way} {HTTPS}",
    )


def _answer(
    topology: Topology, subnet: Subnet, target: Subnet, places: Sequence[str], *, inbound: bool
) -> Answer | None:
    side = target if inbound else subnet
    rules = topology.rules_of(side)
    if rules is None or not subnet.prefixes or not places:
        return None
    space = topology.space(side.network)
    answers = [
        evaluate(rules, Flow(source, destination, HTTPS, inbound), space)
        for source in subnet.prefixes
        for destination in places
    ]
    shares = {one.share for one in answers}
    share = answers[0].share if len(shares) == 1 else Share.SOME
    return Answer(
        share,
        next((one.allowing for one in answers if one.allowing), ""),
        next((one.denying for one in answers if one.denying), ""),
        sum(one.admitted for one in answers),
    )


def _near(topology: Topology, subnet: Subnet, target: Subnet) -> Hop:
    if subnet.network == target.network:
        return True, subnet.network, "both stand in one virtual network"
    ways = {}
    unread = None
    for one in topology.estate.every("azurerm_virtual_network_peering"):
        ends = (_network_of_peering(one), one.refers("remote_virtual_network_id"))
        if set(ends) == {subnet.network, target.network}:
            ways[ends] = one
            lets = one.get("allow_virtual_network_access")
            if lets is False:
                return False, one.address, "the peering lets nobody reach the other network"
            unread = one if lets is UNKNOWN else unread
    if not ways:
        return False, subnet.network, "the two networks do not meet"
    first = next(iter(ways.values()))
    if len(ways) == 1:
        # Azure connects a peering when both sides have it.
        outside = any(
            topology.estate.known(end) is None for end in (subnet.network, target.network)
        )
        says = "the two networks are peered on one side only"
        return (None if outside else False), first.address, says
    if unread is not None:
        return None, unread.address, "whether the peering lets anybody through is not known yet"
    return True, first.address, "the two networks are peered"


def _network_of_peering(peering: Resource) -> str:
    return fold(peering.id).rpartition("/virtualnetworkpeerings/")[0]


def label(door: Door) -> str:
    """Return what people call a door."""
    return f"{door.service.name} ({door.subresource})"
