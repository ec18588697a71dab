"""Network security groups as Azure evaluates them.

Source: https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from secure_openai.posture.estate import Estate, Resource, Values

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

INTERNET: Final = "Internet"
VIRTUAL_NETWORK: Final = "VirtualNetwork"
ANYTHING: Final = ("*", "0.0.0.0/0", "any", "::/0")


class Share(StrEnum):
    """How much of a flow passes."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a security group; ports and prefixes as they are written."""

    name: str
    priority: int
    inbound: bool
    allows: bool
    protocol: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """A question: may TCP go from one place to another on a port?

    A place is an address range, or a service tag.
    """

    source: str
    destination: str
    port: int
    inbound: bool
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class Answer:
    """How much of a flow passes, and the rule that said so."""

    share: Share
    rule: str


def _default(name: str, priority: int, source: str, destination: str) -> Rule:
    return Rule(
        name,
        priority,
        inbound="InBound" in name,
        allows=name.startswith("Allow"),
        protocol="*",
        sources=(source,),
        destinations=(destination,),
        ports=("*",),
    )


_DEFAULTS: Final = (
    _default("AllowVnetInBound", 65000, VIRTUAL_NETWORK, VIRTUAL_NETWORK),
    _default("AllowAzureLoadBalancerInBound", 65001, "AzureLoadBalancer", "*"),
    _default("DenyAllInBound", 65500, "*", "*"),
    _default("AllowVnetOutBound", 65000, VIRTUAL_NETWORK, VIRTUAL_NETWORK),
    _default("AllowInternetOutBound", 65001, "*", INTERNET),
    _default("DenyAllOutBound", 65500, "*", "*"),
)


def rules(estate: Estate, group: Resource) -> list[Rule]:
    """Return the rules of a security group, those that Azure adds included, in their order."""
    own = [_rule(block) for block in group.blocks("security_rule")]
    own.extend(
        _rule(one.values)
        for one in estate.naming(
            "azurerm_network_security_rule", "network_security_group_name", group.name
        )
        if one.refers("resource_group_name") == group.refers("resource_group_name")
    )
    return sorted([*own, *_DEFAULTS], key=lambda rule: rule.priority)


def evaluate(ordered: Iterable[Rule], flow: Flow, space: Sequence[str]) -> Answer:
    """Answer a flow.

    Args:
        ordered: Rules by priority.
        flow: What is asked.
        space: The address space that the tag `VirtualNetwork` stands for.
    """
    some = ""
    blocked = False
    for rule in ordered:
        if rule.inbound != flow.inbound or not _port(rule.ports, flow.port):
            continue
        if rule.protocol not in ("*", flow.protocol):
            continue
        touches = [
            _meets(rule.sources, flow.source, space),
            _meets(rule.destinations, flow.destination, space),
        ]
        if Share.NONE in touches:
            continue
        if all(one is Share.ALL for one in touches):
            if rule.allows:
                return Answer(Share.SOME if blocked else Share.ALL, rule.name)
            return Answer(Share.SOME, some) if some else Answer(Share.NONE, rule.name)
        if rule.allows:
            some = some or rule.name
        else:
            blocked = True
    return Answer(Share.SOME, some) if some else Answer(Share.NONE, "")


def _rule(block: Values) -> Rule:
    def several(name: str) -> tuple[str, ...]:
        plural = block.get(f"{name}es" if name.endswith("prefix") else f"{name}s") or ()
        one = block.get(name)
        return (str(one), *map(str, plural)) if one else tuple(map(str, plural))

    return Rule(
        str(block.get("name") or ""),
        int(block.get("priority") or 0),
        str(block.get("direction")).casefold() == "inbound",
        str(block.get("access")).casefold() == "allow",
        str(block.get("protocol") or "*").casefold(),
        several("source_address_prefix"),
        several("destination_address_prefix"),
        several("destination_port_range"),
    )


def _port(ranges: Iterable[str], port: int) -> bool:
    for one in ranges:
        if one == "*":
            return True
        first, _, last = one.partition("-")
        if first.isdigit() and int(first) <= port <= int(last or first):
            return True
    return False


def _meets(prefixes: Sequence[str], place: str, space: Sequence[str]) -> Share:
    if not prefixes:
        # Application security groups select machines by membership, which covers a part at most.
        return Share.SOME
    best = Share.NONE
    for prefix in prefixes:
        share = _covers(prefix, place, tuple(space))
        if share is Share.ALL:
            return share
        if share is Share.SOME:
            best = share
    return best


@lru_cache(maxsize=65536)
def _covers(prefix: str, place: str, space: tuple[str, ...]) -> Share:
    if prefix.casefold() in ANYTHING or prefix.casefold() == place.casefold():
        return Share.ALL
    wanted = network_of(place)
    given = network_of(prefix)
    if wanted is None:
        return _covers_tag(prefix, given, place, space)
    if given is not None:
        return _overlap(given, wanted)
    if prefix.casefold() == VIRTUAL_NETWORK.casefold():
        return _any(space, wanted)
    if prefix.casefold() == INTERNET.casefold():
        return Share.NONE if wanted.is_private else Share.ALL
    return Share.SOME if wanted.is_global else Share.NONE


def _covers_tag(prefix: str, given: Network | None, place: str, space: tuple[str, ...]) -> Share:
    """Compare with a place that is a service tag.

    Addresses behind a tag are public: the Internet has them all, another tag or range a part.
    """
    if place == VIRTUAL_NETWORK:
        return _best(given, space) if given is not None else Share.NONE
    if prefix.casefold() == INTERNET.casefold():
        return Share.ALL
    if given is not None:
        return Share.SOME if given.is_global else Share.NONE
    public = place == INTERNET and prefix not in (VIRTUAL_NETWORK, "AzureLoadBalancer")
    return Share.SOME if public else Share.NONE


def _any(space: tuple[str, ...], wanted: Network) -> Share:
    found = [_overlap(part, wanted) for one in space if (part := network_of(one)) is not None]
    if Share.ALL in found:
        return Share.ALL
    return Share.SOME if Share.SOME in found else Share.NONE


def _best(given: Network, space: tuple[str, ...]) -> Share:
    parts = [part for one in space if (part := network_of(one)) is not None]
    shares = [_overlap(given, part) for part in parts]
    if shares and all(one is Share.ALL for one in shares):
        return Share.ALL
    return Share.SOME if any(one is not Share.NONE for one in shares) else Share.NONE


def _overlap(given: Network, wanted: Network) -> Share:
    if given.version != wanted.version or not given.overlaps(wanted):
        return Share.NONE
    contains = given.prefixlen <= wanted.prefixlen
    return Share.ALL if contains else Share.SOME


@lru_cache(maxsize=65536)
def network_of(text: str) -> Network | None:
    """Return the range that a prefix or address writes, or None for a tag or something else."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
