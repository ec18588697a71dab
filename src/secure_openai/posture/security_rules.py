"""Network security groups as Azure evaluates them.

A place is cut at the edges of every range that the rules name, so that each piece lies wholly
inside or outside of every range. What a service tag holds is not known: a rule that names one may
or may not meet a public address, and both outcomes are followed.

Source: https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from secure_openai.posture.addresses import (
    PEERS_SPACE,
    PUBLIC_SPACE,
    Range,
    minus,
    range_of,
    within,
)
from secure_openai.posture.estate import Estate, Resource, Values

INTERNET: Final = "Internet"
VIRTUAL_NETWORK: Final = "VirtualNetwork"
PEERS: Final = "peered networks"
"""Private addresses outside a network that its tag `VirtualNetwork` may hold."""

WIDE: Final = 2**20
"""A rule for this many private addresses names nobody any more."""

WAYS_OUT: Final = ("azureactivedirectory", "azureresourcemanager")
"""What applications may send to besides the endpoints: Entra ID and Resource Manager.

Other tags of services hold what belongs to any customer of theirs.
"""

_PROBES: Final = "azureloadbalancer"
"""The tag of the one address from which Azure asks whether a machine is well."""

_ANYTHING: Final = ("*", "any")
# Clients send from these; a rule about other source ports meets none of their flows.
_EPHEMERAL: Final = (1024, 65535)
_PORTS: Final = (0, 65535)


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
    source_ports: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class Flow:
    """A question: may something go from one place to another on a port?

    A place is an address range, a service tag, or `PEERS`.

    Attributes:
        worst: Whether the sender attacks: he chooses the port that he sends from, and what a rule
            may deny it does not, and what one may allow to a machine it does.
    """

    source: str
    destination: str
    port: int
    inbound: bool
    protocol: str = "tcp"
    worst: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """How much of a flow passes, and why.

    Attributes:
        share: How much passes; `SOME` too where it cannot be told.
        allowing: The first rule that lets something through, or may.
        denying: The first rule that stops something, or may.
        admitted: How many addresses of the place outside surely pass.
    """

    share: Share
    allowing: str
    denying: str
    admitted: int

    @property
    def rule(self) -> str:
        """Return the rule that said so."""
        return self.denying if self.share is Share.NONE else self.allowing


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


def rules(estate: Estate, group: Resource) -> tuple[Rule, ...]:
    """Return the rules of a security group, those that Azure adds included, in their order.

    Azure refuses two rules of one priority and direction; where they stand all the same, what
    allows comes first.
    """
    return ordered(
        (
            *group.blocks("security_rule"),
            *(
                one.values
                for one in estate.naming(
                    "azurerm_network_security_rule", "network_security_group_name", group.name
                )
                if one.refers("resource_group_name") == group.refers("resource_group_name")
            ),
        )
    )


def ordered(blocks: Iterable[Values]) -> tuple[Rule, ...]:
    """Return rules as azurerm writes them, those that Azure adds included, in their order."""
    own = map(_rule, blocks)
    return tuple(sorted([*own, *_DEFAULTS], key=lambda rule: (rule.priority, not rule.allows)))


def disputed(every: Iterable[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Yield rules of one priority and direction, of which nobody can say which counts."""
    seen: dict[tuple[bool, int], Rule] = {}
    for rule in every:
        first = seen.setdefault((rule.inbound, rule.priority), rule)
        if first is not rule and first != rule:
            yield first, rule


def ports_of(every: Iterable[Rule], *, inbound: bool) -> list[int]:
    """Return one port of each stretch of ports that the rules treat alike."""
    edges = {0}
    for rule in every:
        if rule.inbound == inbound:
            for one in map(_ports, rule.ports):
                if one:
                    edges |= {one[0], one[1] + 1}
    return sorted(one for one in edges if one <= _PORTS[1])


def foreign_tags(every: Iterable[Rule]) -> list[str]:
    """Return the service tags to which some rule lets something go, without `WAYS_OUT`."""
    known = (*_ANYTHING, INTERNET.casefold(), VIRTUAL_NETWORK.casefold(), *WAYS_OUT)
    return sorted(
        {
            one
            for rule in every
            if rule.allows and not rule.inbound
            for one in rule.destinations
            if range_of(one) is None and one.casefold().partition(".")[0] not in known
        }
    )


def evaluate(every: Sequence[Rule], flow: Flow, space: Sequence[str]) -> Answer:
    """Answer a flow.

    Args:
        every: Rules by priority.
        flow: What is asked.
        space: The address space of the network that the rules guard.
    """
    return _evaluated(tuple(every), flow, tuple(space))


@lru_cache(maxsize=4096)
def _evaluated(every: tuple[Rule, ...], flow: Flow, space: tuple[str, ...]) -> Answer:
    """Return `evaluate`'s answer, found once: every service behind a subnet asks for the same."""
    asked = [
        (rule, sure)
        for rule in every
        if rule.inbound == flow.inbound
        and rule.protocol in ("*", flow.protocol)
        and any(_holds(one, flow.port) for one in rule.ports)
        and (sure := _sends(rule, flow)) is not Share.NONE
    ]
    own = tuple(one for part in space if (one := range_of(part)))
    sources = _pieces(flow.source, [rule.sources for rule, _ in asked], own)
    destinations = _pieces(flow.destination, [rule.destinations for rule, _ in asked], own)
    outside = sources if flow.inbound else destinations
    verdicts = _Verdicts()
    for source in sources:
        met = [_meets(rule, source, flow, own, sending=True) for rule, _ in asked]
        for destination in destinations:
            if source.version != destination.version:
                continue
            there = [_meets(rule, destination, flow, own, sending=False) for rule, _ in asked]
            passing = _follow(
                (rule, min(sure, *shares, key=_RANK.index))
                for (rule, sure), *shares in zip(asked, met, there, strict=True)
            )
            verdicts.add(passing, source if outside is sources else destination)
    return verdicts.answer()


_RANK: Final = (Share.NONE, Share.SOME, Share.ALL)


@dataclass(slots=True)
class _Passing:
    allowing: str = ""
    denying: str = ""
    sure: bool = False


class _Verdicts:
    def __init__(self) -> None:
        self.all = self.none = True
        self.allowing = self.denying = ""
        self.passed: set[Range] = set()

    def add(self, passing: _Passing, outside: Range) -> None:
        self.all &= passing.sure
        self.none &= not passing.allowing
        self.allowing = self.allowing or passing.allowing
        self.denying = self.denying or passing.denying
        if passing.sure:
            self.passed.add(outside)

    def answer(self) -> Answer:
        share = Share.NONE if self.none else Share.ALL if self.all else Share.SOME
        admitted = sum(one.size for one in self.passed)
        return Answer(share, self.allowing, self.denying, admitted)


def _follow(meeting: Iterable[tuple[Rule, Share]]) -> _Passing:
    """Follow one piece through the rules, down to the first that surely meets it."""
    found = _Passing()
    for rule, share in meeting:
        if share is Share.NONE:
            continue
        if rule.allows:
            found.allowing = found.allowing or rule.name
        else:
            found.denying = found.denying or rule.name
        if share is Share.ALL:
            found.sure = rule.allows and not found.denying
            break
    return found


def _rule(block: Values) -> Rule:
    def several(name: str) -> tuple[str, ...]:
        plural = block.get(f"{name}es" if name.endswith("prefix") else f"{name}s") or ()
        one = block.get(name)
        return (str(one), *map(str, plural)) if one else tuple(map(str, plural))

    allows = str(block.get("access")).casefold() == "allow"
    return Rule(
        str(block.get("name") or ""),
        int(block.get("priority") or 0),
        str(block.get("direction")).casefold() == "inbound",
        allows,
        str(block.get("protocol") or "*").casefold(),
        several("source_address_prefix"),
        several("destination_address_prefix"),
        # Without a port, what allows is read as all ports and what denies as none.
        several("destination_port_range") or (("*",) if allows else ()),
        several("source_port_range") or ("*",),
    )


def _ports(text: str) -> tuple[int, int] | None:
    if text in _ANYTHING:
        return _PORTS
    first, _, last = text.partition("-")
    return (int(first), int(last or first)) if first.strip().isdigit() else None


def _holds(text: str, port: int) -> bool:
    found = _ports(text)
    return found is not None and found[0] <= port <= found[1]


def _sends(rule: Rule, flow: Flow) -> Share:
    """Return how much of a sender's flows a rule meets by the ports that they come from."""
    found = [one for one in map(_ports, rule.source_ports) if one]
    if _PORTS in found or (flow.worst and rule.allows):
        return Share.ALL
    if flow.worst:
        return Share.NONE
    if rule.allows:
        return Share.SOME
    touched = any(low <= _EPHEMERAL[1] and high >= _EPHEMERAL[0] for low, high in found)
    return Share.SOME if touched else Share.NONE


def _pieces(place: str, named: Iterable[tuple[str, ...]], own: tuple[Range, ...]) -> list[Range]:
    """Return a place, cut at the edges of every range that is named."""
    whole = range_of(place)
    if whole:
        parts = [whole]
    elif place == PEERS:
        parts = list(minus(PEERS_SPACE, own))
    elif place == VIRTUAL_NETWORK:
        parts = [*own, *minus(PEERS_SPACE, own)]
    else:
        parts = list(minus(PUBLIC_SPACE, own))
    edges: set[tuple[int, int]] = set()
    for prefixes in (*named, tuple(str(one) for one in own)):
        for prefix in prefixes:
            one = range_of(prefix)
            if one:
                edges |= {(one.version, one.low), (one.version, one.high + 1)}
    return [piece for part in parts for piece in _cut(part, edges)]


def _cut(part: Range, edges: set[tuple[int, int]]) -> Iterator[Range]:
    low = part.low
    for edge in sorted(
        at for version, at in edges if version == part.version and part.low < at <= part.high
    ):
        yield Range(low, edge - 1, part.version)
        low = edge
    yield Range(low, part.high, part.version)


def _meets(rule: Rule, piece: Range, flow: Flow, own: tuple[Range, ...], *, sending: bool) -> Share:
    """Return how much of a piece a rule meets, on the sender's side or the receiver's."""
    prefixes, place = rule.destinations, flow.destination
    if sending:
        prefixes, place = rule.sources, flow.source
    # Application security groups select machines by membership, which covers a part at most.
    best = Share.NONE if prefixes else Share.SOME
    for prefix in prefixes:
        share = _covers(prefix, piece, place, own)
        if share is Share.ALL:
            return share
        if share is Share.SOME:
            best = share
    if flow.worst and best is Share.SOME and (not rule.allows or not prefixes):
        return Share.ALL if rule.allows else Share.NONE
    return best


def _covers(prefix: str, piece: Range, place: str, own: tuple[Range, ...]) -> Share:
    folded = prefix.casefold()
    if folded in _ANYTHING or folded == place.casefold():
        return Share.ALL
    given = range_of(prefix)
    if given:
        return Share.ALL if given.holds(piece) else Share.NONE
    inside = within(piece, own)
    outside = not inside and within(piece, PUBLIC_SPACE)
    if folded == _PROBES:
        return Share.NONE
    if folded == VIRTUAL_NETWORK.casefold():
        sure = inside or place in (PEERS, VIRTUAL_NETWORK)
        return Share.ALL if sure else Share.NONE if outside else Share.SOME
    # `Storage` holds all of `Storage.WestEurope`; any other tag may hold a public address or not.
    sure = folded == INTERNET.casefold() or place.casefold().startswith(f"{folded}.")
    return Share.NONE if not outside else Share.ALL if sure else Share.SOME
