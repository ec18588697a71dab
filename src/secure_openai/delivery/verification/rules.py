"""Whether the rules of somebody else's subnets let through what is declared, and nothing else.

Azure's management interface names the rules; they are judged as the proof judges its own. What must
pass is HTTPS from the applications' subnets to the endpoints'. What must not is anything else into
a subnet from the Internet or from peered networks, and out of the applications' to any address of
the Internet. A subnet is the applications' if it is delegated to App Service.

Source: Azure REST API, "Subnets - Get", "Network Security Groups - Get", "Route Tables - Get".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.posture.addresses import range_of
from secure_openai.posture.security_rules import (
    INTERNET,
    PEERS,
    Flow,
    Rule,
    Share,
    evaluate,
    ordered,
    ports_of,
)

VERSION: Final = "2024-05-01"
HTTPS: Final = 443

_APP_SERVICE: Final = "microsoft.web/"
_COUNTS: Final = frozenset({"enabled", "networksecuritygroupenabled"})
"""What `privateEndpointNetworkPolicies` says where rules count for private endpoints."""

_SUBNETS: Final = "/subnets/"
_PUBLIC: Final = ("8.8.8.8/32", "2001:4860:4860::8888/128")
"""Anybody's addresses: what goes there goes everywhere. Tags of services do not hold them."""


@dataclass(frozen=True, slots=True)
class _Subnet:
    name: str
    network: str
    space: tuple[str, ...]
    prefixes: tuple[str, ...]
    applications: bool
    filters: bool
    rules: tuple[Rule, ...] | None
    routes: tuple[dict[str, Any], ...]


async def wrong_with(subnets: Sequence[str], manager: ResourceManager) -> list[str]:
    """Return a few words for whatever lets through too much or too little.

    Args:
        subnets: Their ids.
        manager: Resource Manager.

    Raises:
        SecureOpenAIError: It is refused, not there, or nobody answers.
        KeyError: Azure answers in a shape that is not known; so do TypeError and ValueError.
    """
    read = [await _read(one, manager) for one in subnets]
    wrong = [said for one in read for said in _too_much(one)]
    ends = [one for one in read if not one.applications]
    for origin in (one for one in read if one.applications):
        for end in (one for one in ends if one.network == origin.network):
            wrong += _too_little(origin, end)
    return wrong


async def _read(identifier: str, manager: ResourceManager) -> _Subnet:
    network = identifier.partition(_SUBNETS)[0]
    told = _properties(await manager.one(identifier, VERSION))
    space = _properties(await manager.one(network, VERSION))["addressSpace"]["addressPrefixes"]
    group, table = told.get("networkSecurityGroup"), told.get("routeTable")
    rules, routes = None, []
    if group is not None:
        listed = _properties(await manager.one(group["id"], VERSION)).get("securityRules") or ()
        rules = ordered(_block(one) for one in listed)
    if table is not None:
        listed = _properties(await manager.one(table["id"], VERSION)).get("routes") or ()
        routes = [_properties(one) for one in listed]
    delegations = [
        _properties(one)["serviceName"].casefold() for one in told.get("delegations") or ()
    ]
    policies = str(told.get("privateEndpointNetworkPolicies") or "").casefold()
    return _Subnet(
        identifier.rpartition("/")[2],
        network,
        tuple(space),
        tuple(told.get("addressPrefixes") or (told["addressPrefix"],)),
        any(one.startswith(_APP_SERVICE) for one in delegations),
        policies in _COUNTS,
        rules,
        tuple(routes),
    )


def _properties(one: Any) -> dict[str, Any]:
    properties = one["properties"]
    if not isinstance(properties, dict):
        raise TypeError
    return properties


def _block(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a rule as azurerm writes it."""
    told = _properties(rule)
    names = {
        "access": "access",
        "destination_address_prefix": "destinationAddressPrefix",
        "destination_address_prefixes": "destinationAddressPrefixes",
        "destination_port_range": "destinationPortRange",
        "destination_port_ranges": "destinationPortRanges",
        "direction": "direction",
        "priority": "priority",
        "protocol": "protocol",
        "source_address_prefix": "sourceAddressPrefix",
        "source_address_prefixes": "sourceAddressPrefixes",
        "source_port_range": "sourcePortRange",
        "source_port_ranges": "sourcePortRanges",
    }
    return {"name": rule["name"], **{ours: told.get(azures) for ours, azures in names.items()}}


def _too_much(one: _Subnet) -> Iterator[str]:
    if one.rules is None:
        yield f"{one.name} has no security group: everything in its network reaches it"
        return
    if not one.applications and not one.filters:
        yield f"{one.name} lets no rule count for its private endpoints"
        return
    for source, allowed in ((INTERNET, frozenset[int]()), (PEERS, frozenset({HTTPS}))):
        if rule := _entering(one, source, allowed):
            yield f"{one.name} lets {source} in by rule {rule}"
    if one.applications and (rule := _leaving(one)):
        yield f"{one.name} lets everything out by rule {rule}"


def _entering(one: _Subnet, source: str, allowed: frozenset[int]) -> str:
    """Return the rule by which something comes in, at a port at which nothing should."""
    rules = one.rules or ()
    for port in {*ports_of(rules, inbound=True), HTTPS} - allowed:
        for place in one.prefixes:
            for protocol in ("tcp", "udp"):
                flow = Flow(source, place, port, inbound=True, protocol=protocol, worst=True)
                answer = evaluate(rules, flow, one.space)
                if answer.share is not Share.NONE:
                    return answer.allowing
    return ""


def _leaving(one: _Subnet) -> str:
    rules = one.rules or ()
    for port in {*ports_of(rules, inbound=False), HTTPS}:
        for place in one.prefixes:
            for public in _PUBLIC:
                answer = evaluate(rules, Flow(place, public, port, inbound=False), one.space)
                if answer.share is Share.ALL:
                    return answer.allowing
    return ""


def _too_little(origin: _Subnet, end: _Subnet) -> Iterator[str]:
    for side, inbound in ((origin, False), (end, True)):
        for source in origin.prefixes:
            for destination in end.prefixes:
                flow = Flow(source, destination, HTTPS, inbound=inbound)
                answer = evaluate(side.rules or ordered(()), flow, side.space)
                if answer.share is not Share.ALL:
                    yield (
                        f"{side.name} stops HTTPS from {origin.name} to {end.name} by rule "
                        f"{answer.denying}"
                    )
    wanted = [one for prefix in end.prefixes if (one := range_of(prefix))]
    for route in origin.routes:
        given = range_of(str(route["addressPrefix"]))
        hop = str(route["nextHopType"])
        if given is not None and hop in {"Internet", "None", "VirtualAppliance"}:
            # A network knows its own addresses by longer routes than a default route.
            longer = not given.holds(range_of("0.0.0.0/0") or given)
            if longer and any(given.holds(one) or one.holds(given) for one in wanted):
                yield f"a route of {origin.name} sends {route['addressPrefix']} to {hop}"
