"""Who may reach what, hop by hop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.estate import UNKNOWN, Resource, fold
from secure_openai.posture.names import Hop, resolution
from secure_openai.posture.private_link import APPS, SLOTS, Door
from secure_openai.posture.security_rules import Flow, Share, evaluate
from secure_openai.posture.topology import Endpoint, Subnet, Topology

HTTPS: Final = 443


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
    hops.extend(_public(service))
    return Path("internet", label(door), tuple(hops))


def _public(service: Resource) -> Iterator[Hop]:
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
        yield from _firewall(service)


def _firewall(service: Resource) -> Iterator[Hop]:
    action, listed = firewall(service)
    if action is UNKNOWN:
        yield None, service.address, "its firewall is not known yet"
    elif action != "Deny":
        yield True, service.address, "its firewall admits every address"
    elif listed:
        yield True, service.address, f"its firewall admits {', '.join(listed)}"
    else:
        yield False, service.address, "its firewall admits no address"


def firewall(service: Resource) -> tuple[object, tuple[str, ...]]:
    """Return the firewall's default action (`Deny`, or what admits) and the addresses it admits."""
    if service.type in (*APPS, *SLOTS):
        action = service.get("site_config.0.ip_restriction_default_action")
        restrictions = service.get("site_config.0.ip_restriction") or []
        admitted = tuple(
            str(
                one.get("ip_address")
                or one.get("service_tag")
                or one.get("virtual_network_subnet_id")
            )
            for one in restrictions
            if one.get("action", "Allow") == "Allow"
        )
        return action, admitted
    if service.type == "azurerm_cosmosdb_account":
        listed = tuple(service.get("ip_range_filter") or ())
        filtered = service.get("is_virtual_network_filter_enabled") is True
        return ("Deny" if listed or filtered else "Allow"), listed
    block = "network_rules" if service.type == "azurerm_storage_account" else "network_acls"
    action = service.get(f"{block}.0.default_action")
    return action, tuple(service.get(f"{block}.0.ip_rules") or ())


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
    yield _leave(topology, subnet, target)
    yield _near(topology, subnet, target)
    yield enter(topology, subnet, target)
    if endpoint.manual:
        yield False, endpoint.resource.address, "the connection waits for an approval by hand"
    else:
        yield True, endpoint.resource.address, f"the endpoint answers for {door.subresource}"


def _leave(topology: Topology, subnet: Subnet, target: Subnet) -> Hop:
    if subnet.resource is None:
        vouched = topology.assumed.hold("filtered", subnet.id)
        says = "assumed to let it leave" if vouched else "lies outside: its rules cannot be read"
        return (True if vouched else None), subnet.id, f"subnet {subnet.label} {says}"
    rules = topology.rules_of(subnet)
    if rules is None:
        return True, subnet.resource.address, f"subnet {subnet.label} has no security group"
    return _asked(topology, subnet, target, inbound=False)


def enter(topology: Topology, subnet: Subnet, target: Subnet) -> Hop:
    """Return the hop from a subnet's rules into the endpoints' subnet."""
    if target.resource is None:
        vouched = topology.assumed.hold("filtered", target.id)
        says = "assumed to let it enter" if vouched else "lies outside: its rules cannot be read"
        return (True if vouched else None), target.id, f"subnet {target.label} {says}"
    if target.group is None:
        return True, target.resource.address, f"subnet {target.label} has no security group"
    if not target.filters_endpoints:
        says = f"subnet {target.label} lets no rule count for endpoints"
        return True, target.resource.address, says
    return _asked(topology, subnet, target, inbound=True)


def _asked(topology: Topology, subnet: Subnet, target: Subnet, *, inbound: bool) -> Hop:
    side = target if inbound else subnet
    rules = topology.rules_of(side) or ()
    group = side.group.address if side.group else side.id
    if not subnet.prefixes or not target.prefixes:
        return None, group, "addresses are not known"
    space = topology.space(side.network)
    shares = []
    rule = ""
    for source in subnet.prefixes:
        for destination in target.prefixes:
            answer = evaluate(rules, Flow(source, destination, HTTPS, inbound), space)
            shares.append(answer.share)
            rule = rule if answer.share is Share.ALL and rule else answer.rule
    way = "inbound" if inbound else "outbound"
    passes = all(one is Share.ALL for one in shares)
    verb = "lets" if passes else "stops"
    return passes, group, f"rule {rule} {verb} {way} 443"


def _near(topology: Topology, subnet: Subnet, target: Subnet) -> Hop:
    if subnet.network == target.network:
        return True, subnet.network, "both stand in one virtual network"
    for one in topology.estate.every("azurerm_virtual_network_peering"):
        remote = one.refers("remote_virtual_network_id")
        if {fold(_network_of_peering(one)), remote} == {subnet.network, target.network}:
            return True, one.address, "the two networks are peered"
    return False, subnet.network, "the two networks do not meet"


def _network_of_peering(peering: Resource) -> str:
    return peering.id.rpartition("/virtualNetworkPeerings/")[0]


def label(door: Door) -> str:
    """Return what people call a door."""
    return f"{door.service.name} ({door.subresource})"
