"""Whether the rules of somebody else's subnets let through what is declared, and nothing else.

Azure's management interface names the rules; they are judged as the proof judges its own. What must
pass is HTTPS from the applications' subnets to the endpoints'. What must not is anything else into
a subnet from the Internet or from peered networks, and out of the applications' to any address of
the Internet, by any protocol: Entra ID and Resource Manager are what they may reach there. A subnet
is the applications' if it is delegated to App Service; nothing enters it, so that peered networks
do not count there (Microsoft Learn, "Integrate your app with an Azure virtual network"). Whose
peered networks are is not in the rules: what may go to all of them is left to people.

Source: Azure REST API, "Subnets - Get", "Network Security Groups - Get", "Route Tables - Get".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.posture.addresses import range_of
from secure_openai.posture.security_rules import (
    INTERNET,
    PEERS,
    VIRTUAL_NETWORK,
    WIDE,
    Flow,
    Rule,
    Share,
    evaluate,
    foreign_tags,
    ordered,
    ports_of,
)

VERSION: Final = "2024-05-01"
HTTPS: Final = 443

_APP_SERVICE: Final = "microsoft.web/"
_COUNTS: Final = frozenset({"enabled", "networksecuritygroupenabled"})
"""What `privateEndpointNetworkPolicies` says where rules count for private endpoints."""

_SUBNETS: Final = "/subnets/"
_PROTOCOLS: Final = frozenset({"ah", "esp", "icmp", "tcp", "udp"})
"""What rules tell apart (Azure REST API, `SecurityRuleProtocol`), as they are compared."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of rules.

    Attributes:
        wrong: A few words for whatever lets through too much or too little.
        untold: The same for what cannot be told from the rules.
    """

    wrong: tuple[str, ...]
    untold: tuple[str, ...]


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


async def judged(subnets: Sequence[str], manager: ResourceManager) -> Judgement:
    """Judge the rules of subnets.

    Args:
        subnets: Their ids.
        manager: Resource Manager.

    Raises:
        SecureOpenAIError: It is refused, not there, or nobody answers.
        KeyError: Azure answers in a shape that is not known; so do TypeError and ValueError.
    """
    read = [await _read(one, manager) for one in subnets]
    wrong = [said for one in read for said in _too_much(one)]
    untold = [said for one in read for said in _untold(one)]
    ends = [one for one in read if not one.applications]
    for origin in (one for one in read if one.applications):
        for end in (one for one in ends if one.network == origin.network):
            wrong += _too_little(origin, end)
            untold += [f"perhaps {said}" for said, sure in _stopped(origin, end) if not sure]
    return Judgement(tuple(wrong), tuple(untold))


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
    allowed = {INTERNET: frozenset[int]()}
    if not one.applications:
        allowed[PEERS] = frozenset({HTTPS})
    for source, ports in allowed.items():
        if rule := _entering(one, source, ports):
            yield f"{one.name} lets {source} in by rule {rule}"
    if one.applications:
        for place in (INTERNET, *foreign_tags(one.rules)):
            if rule := _leaving(one, _towards(_placed(one), place), place):
                yield f"{one.name} lets out to {place} by rule {rule}"


def _entering(one: _Subnet, source: str, allowed: frozenset[int]) -> str:
    """Return the rule by which something comes in, at a port at which nothing should."""
    rules = _placed(one)
    for port in {*ports_of(rules, inbound=True), HTTPS, HTTPS + 1} - allowed:
        for place in one.prefixes:
            for protocol in _protocols(rules):
                flow = Flow(source, place, port, inbound=True, protocol=protocol, worst=True)
                answer = evaluate(rules, flow, one.space)
                if answer.share is not Share.NONE:
                    return answer.allowing
    return ""


def _leaving(one: _Subnet, rules: Sequence[Rule], place: str) -> str:
    """Return the rule by which something goes to a place, whoever chooses what is sent."""
    for port in ports_of(rules, inbound=False):
        for prefix in one.prefixes:
            for protocol in _protocols(rules):
                flow = Flow(prefix, place, port, inbound=False, protocol=protocol, worst=True)
                answer = evaluate(rules, flow, one.space)
                if answer.admitted > (WIDE if place == PEERS else 0):
                    return answer.allowing
    return ""


def _protocols(rules: Sequence[Rule]) -> list[str]:
    """Return every protocol, those that only a rule knows included."""
    return sorted(_PROTOCOLS | {rule.protocol for rule in rules} - {"*"})


def _placed(one: _Subnet) -> tuple[Rule, ...]:
    """Return a subnet's rules, with the network for its machines that application groups select.

    Source: Microsoft Learn, "Application security groups": all in one network.
    """
    return tuple(
        replace(
            rule,
            sources=rule.sources or one.space,
            destinations=rule.destinations or one.space,
        )
        if rule.allows
        else rule
        for rule in one.rules or ()
    )


def _towards(rules: Sequence[Rule], place: str) -> tuple[Rule, ...]:
    """Return rules of which those that allow do so to a place alone.

    What another tag holds of it is not known, and is asked of that tag.
    """

    def kept(one: str) -> bool:
        whole = place == INTERNET and (one in ("*", "any") or range_of(one) is not None)
        return whole or one.casefold() == place.casefold()

    to = [(rule, tuple(filter(kept, rule.destinations))) for rule in rules]
    return tuple(
        replace(rule, destinations=left) if rule.allows else rule
        for rule, left in to
        if left or not rule.allows
    )


def _untold(one: _Subnet) -> Iterator[str]:
    """Yield where what leaves the applications' subnet may go to, and no rule says who is there."""
    if not one.applications or one.rules is None:
        return
    rules = _placed(one)
    if rule := _leaving(one, rules, PEERS):
        yield f"{one.name} lets out to {PEERS} by rule {rule}, and nobody said whose they are"
        return
    # The tag holds what a route names, too (Microsoft Learn, "Virtual network service tags").
    routed = tuple(str(route["addressPrefix"]) for route in one.routes)
    grown = [
        replace(rule, destinations=routed)
        if rule.allows and VIRTUAL_NETWORK.casefold() in map(str.casefold, rule.destinations)
        else rule
        for rule in rules
    ]
    surely = _leaving(one, _towards(rules, INTERNET), INTERNET)
    if not surely and (rule := _leaving(one, _towards(grown, INTERNET), INTERNET)):
        yield f"{one.name} lets out by rule {rule} to wherever its routes lead"


def _stopped(origin: _Subnet, end: _Subnet) -> Iterator[tuple[str, bool]]:
    """Yield what stops HTTPS on its way to the endpoints, and whether it surely does."""
    for side, inbound in ((origin, False), (end, True)):
        rules = side.rules or ordered(())
        chosen = any(
            rule.inbound == inbound and not (rule.sources and rule.destinations) for rule in rules
        )
        for source in origin.prefixes:
            for destination in end.prefixes:
                flow = Flow(source, destination, HTTPS, inbound=inbound)
                answer = evaluate(rules, flow, side.space)
                if answer.share is not Share.ALL:
                    said = (
                        f"{side.name} stops HTTPS from {origin.name} to {end.name} by rule "
                        f"{answer.denying}"
                    )
                    # Which machines an application group selects is not in the rules.
                    yield said, answer.share is Share.NONE or not chosen


def _too_little(origin: _Subnet, end: _Subnet) -> Iterator[str]:
    yield from (said for said, sure in _stopped(origin, end) if sure)
    wanted = [one for prefix in end.prefixes if (one := range_of(prefix))]
    for route in origin.routes:
        given = range_of(str(route["addressPrefix"]))
        hop = str(route["nextHopType"])
        if given is not None and hop in {"Internet", "None", "VirtualAppliance"}:
            # A network knows its own addresses by longer routes than a default route.
            longer = not given.holds(range_of("0.0.0.0/0") or given)
            if longer and any(given.holds(one) or one.holds(given) for one in wanted):
                yield f"a route of {origin.name} sends {route['addressPrefix']} to {hop}"
