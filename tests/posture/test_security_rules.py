"""Security groups, asked as Azure would answer."""

from __future__ import annotations

from typing import Any

import pytest

from secure_openai.posture.estate import Estate
from secure_openai.posture.security_rules import (
    INTERNET,
    PEERS,
    VIRTUAL_NETWORK,
    Flow,
    Share,
    disputed,
    evaluate,
    ports_of,
    rules,
)

SPACE = ("10.0.0.0/16",)
HERE = "10.0.1.0/24"
THERE = "10.0.2.0/24"
ALL, SOME, NONE = Share.ALL, Share.SOME, Share.NONE


def rule(**values: Any) -> dict[str, Any]:
    """Return a rule that allows everything in, changed."""
    return {
        "access": "Allow",
        "destination_address_prefix": "*",
        "destination_port_range": "*",
        "direction": "Inbound",
        "name": "one",
        "priority": 100,
        "protocol": "*",
        "source_address_prefix": "*",
        "source_port_range": "*",
    } | values


def deny(**values: Any) -> dict[str, Any]:
    """Return a rule that denies everything in, changed."""
    return rule(**{"access": "Deny", "name": "no", "priority": 200} | values)


def asked(flow: Flow, *blocks: dict[str, Any]) -> Share:
    """Return how much of a flow passes a group with these rules."""
    values = {"id": "/g", "name": "g", "security_rule": list(blocks)}
    entry = {
        "address": "azurerm_network_security_group.g",
        "mode": "managed",
        "type": "azurerm_network_security_group",
        "values": values,
    }
    estate = Estate.within({"root_module": {"resources": [entry]}})
    return evaluate(rules(estate, estate.resources[0]), flow, SPACE).share


def inward(source: str, *, port: int = 443, worst: bool = False, protocol: str = "tcp") -> Flow:
    """Return a flow into a subnet."""
    return Flow(source, THERE, port, inbound=True, protocol=protocol, worst=worst)


@pytest.mark.parametrize(
    ("flow", "blocks", "share"),
    [
        (inward(HERE), [], ALL),
        (inward(VIRTUAL_NETWORK), [], ALL),
        (inward(PEERS), [], ALL),
        (inward(INTERNET), [], NONE),
        (inward("203.0.113.0/24"), [], NONE),
        (inward(INTERNET), [rule()], ALL),
        (inward(INTERNET), [rule(source_address_prefix="0.0.0.0/0")], ALL),
        (inward(HERE), [deny()], NONE),
        (inward(HERE), [deny(), rule(priority=300)], NONE),
        (inward(HERE), [deny(source_address_prefix="10.0.1.0/25")], SOME),
        (inward(HERE), [deny(destination_port_range="80-442")], ALL),
        (inward(HERE), [deny(destination_port_range="80-443")], NONE),
        (inward(HERE), [deny(protocol="Udp")], ALL),
        (inward(HERE, protocol="udp"), [deny(protocol="Udp")], NONE),
        (inward(HERE), [deny(source_port_range="53")], ALL),
        (inward(HERE), [deny(source_port_range="2000")], SOME),
        (inward(HERE), [deny(source_address_prefix="::/0")], ALL),
        (inward("fd00:1::/64"), [deny(source_address_prefix="0.0.0.0/0")], NONE),
        (inward(HERE), [deny(), rule(source_port_range="2000")], SOME),
        (inward(PEERS), [deny(source_address_prefix="10.0.0.0/16")], ALL),
        (inward(PEERS), [deny(source_address_prefix="VirtualNetwork")], NONE),
        (inward("AzureCloud"), [deny(), rule(source_address_prefix="azurecloud")], ALL),
        (inward("Storage.WestEurope"), [rule(source_address_prefix="Storage")], ALL),
        (inward("Storage"), [rule(source_address_prefix="Storage.WestEurope")], SOME),
        (inward(INTERNET), [rule(source_address_prefix="Storage")], SOME),
    ],
)
def test_a_flow_is_answered(flow: Flow, blocks: list[dict[str, Any]], share: Share) -> None:
    """By the first rule that meets it, piece by piece."""
    assert asked(flow, *blocks) == share


@pytest.mark.parametrize(
    ("flow", "blocks", "share"),
    [
        (inward(HERE, worst=True), [deny(source_port_range="2000")], ALL),
        (inward(HERE, worst=True), [deny(), rule(source_port_range="2000")], ALL),
        (inward(HERE, worst=True), [deny(source_address_prefix=None)], ALL),
        (inward(HERE, worst=True), [deny(), rule(source_address_prefix=None)], ALL),
        (inward("203.0.113.0/24", worst=True), [rule(), deny(priority=90)], NONE),
        (
            inward("203.0.113.0/24", worst=True),
            [rule(), deny(priority=90, source_address_prefix="AzureCloud")],
            ALL,
        ),
    ],
)
def test_an_attacker_takes_every_way_that_may_be_one(
    flow: Flow, blocks: list[dict[str, Any]], share: Share
) -> None:
    """What may deny him does not, and what may allow him does."""
    assert asked(flow, *blocks) == share


def test_halves_of_the_internet_are_the_internet() -> None:
    """A place is cut where rules name ranges, so that their union counts."""
    halves = rule(
        source_address_prefix=None, source_address_prefixes=["0.0.0.0/1", "128.0.0.0/1", "::/0"]
    )
    assert asked(inward(INTERNET), halves) == ALL


def test_rules_of_one_priority_are_told() -> None:
    """What allows comes first, since nobody can say which counts."""
    values = {"id": "/g", "name": "g", "security_rule": [deny(priority=100), rule()]}
    entry = {
        "address": "g",
        "mode": "managed",
        "type": "azurerm_network_security_group",
        "values": values,
    }
    estate = Estate.within({"root_module": {"resources": [entry]}})
    ordered = rules(estate, estate.resources[0])
    assert [(one.name, other.name) for one, other in disputed(ordered)] == [("one", "no")]
    assert evaluate(ordered, inward(INTERNET), SPACE).share == ALL


def test_every_stretch_of_ports_is_asked_once() -> None:
    """Ports between the edges of ranges are treated alike."""
    values = {
        "id": "/g",
        "name": "g",
        "security_rule": [rule(destination_port_range="80"), deny(destination_port_range="70-90")],
    }
    entry = {
        "address": "g",
        "mode": "managed",
        "type": "azurerm_network_security_group",
        "values": values,
    }
    estate = Estate.within({"root_module": {"resources": [entry]}})
    ordered = rules(estate, estate.resources[0])
    assert ports_of(ordered, inbound=True) == [0, 70, 80, 81, 91]
