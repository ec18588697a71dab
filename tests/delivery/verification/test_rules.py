"""Rules of subnets that others own, read in Azure's shapes and judged as the proof judges its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from secure_openai.delivery.verification.assumptions import looked_at
from secure_openai.delivery.verification.observation import Observation, Outcome
from secure_openai.posture.assumptions import Assumption
from secure_openai.posture.estate import Estate
from tests.delivery.subscription import Subscription
from tests.delivery.verification.test_assumptions import SUBSCRIPTION, managed
from tests.infra.estate import built
from tests.tls import Tls

HUB = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/hub/providers/microsoft.network"
VNET = f"{HUB}/virtualnetworks/spoke"
APPLICATIONS, ENDPOINTS = f"{VNET}/subnets/applications", f"{VNET}/subnets/endpoints"


def rule(name: str, priority: int, direction: str, access: str, **more: Any) -> dict[str, Any]:
    """Return a rule in Azure's shape: of every address and port unless said."""
    anything = {
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "*",
        "protocol": "*",
    }
    told = {"priority": priority, "direction": direction, "access": access}
    return {"name": name, "properties": anything | told | more}


def network() -> dict[str, Any]:
    """Return somebody else's network as Azure tells of it, with rules as they should be."""
    https = {"destinationPortRange": "443", "protocol": "Tcp"}
    return {
        VNET: {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}},
        APPLICATIONS: {
            "addressPrefix": "10.1.1.0/24",
            "delegations": [{"properties": {"serviceName": "Microsoft.Web/serverFarms"}}],
            "networkSecurityGroup": {"id": f"{HUB}/nsg/applications"},
            "routeTable": {"id": f"{HUB}/routes/spoke"},
        },
        ENDPOINTS: {
            "addressPrefixes": ["10.1.2.0/24"],
            "networkSecurityGroup": {"id": f"{HUB}/nsg/endpoints"},
            "privateEndpointNetworkPolicies": "Enabled",
        },
        f"{HUB}/nsg/applications": {
            "securityRules": [
                rule("https", 100, "Outbound", "Allow", destinationAddressPrefix="10.1.2.0/24", **https),
                rule("sign-in", 110, "Outbound", "Allow", destinationAddressPrefix="AzureActiveDirectory", **https),
                rule("nothing-else", 4096, "Outbound", "Deny"),
                rule("nobody", 4096, "Inbound", "Deny"),
            ]
        },
        f"{HUB}/nsg/endpoints": {
            "securityRules": [
                rule("https", 100, "Inbound", "Allow", sourceAddressPrefix="10.0.0.0/8", **https),
                rule("nobody", 4096, "Inbound", "Deny"),
            ]
        },
        f"{HUB}/routes/spoke": {
            "routes": [
                {"properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance"}}
            ]
        },
    }  # fmt: skip


async def filtered(told: dict[str, Any], tls: Tls) -> Observation:
    """Look at the rules of both subnets, where Azure tells this of the network."""
    subscription = Subscription(SUBSCRIPTION)
    subscription.definitions = told
    about = Assumption("rules", "filtered", (APPLICATIONS, ENDPOINTS), "…")
    async with managed(subscription, tls) as manager:
        (one,) = await looked_at([about], [], manager)
        return one


async def test_rules_of_others_that_are_as_declared(tls: Tls) -> None:
    """HTTPS reaches the endpoints, and nothing comes in from elsewhere."""
    found = await filtered(network(), tls)

    assert (found.outcome, found.says) == (
        Outcome.HOLDS,
        "Azure's rules of applications, endpoints let HTTPS reach the endpoints, and nothing in "
        "from elsewhere",
    )


def _rules(group: str, *more: dict[str, Any]) -> Callable[[dict[str, Any]], object]:
    return lambda told: told[f"{HUB}/nsg/{group}"]["securityRules"].extend(more)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda told: told[ENDPOINTS].pop("networkSecurityGroup"), "endpoints has no security group: everything in its network reaches it"),
        (lambda told: told[ENDPOINTS].update(privateEndpointNetworkPolicies="Disabled"), "endpoints lets no rule count for its private endpoints"),
        (_rules("endpoints", rule("ssh", 90, "Inbound", "Allow", destinationPortRange="22")), "endpoints lets Internet in by rule ssh; endpoints lets peered networks in by rule ssh"),
        (_rules("endpoints", rule("world", 90, "Inbound", "Allow", sourceAddressPrefix="20.0.0.0/8", protocol="Udp")), "endpoints lets Internet in by rule world"),
        (lambda told: told[f"{HUB}/nsg/endpoints"]["securityRules"].pop(1), "endpoints lets peered networks in by rule AllowVnetInBound"),
        (lambda told: told[f"{HUB}/nsg/applications"]["securityRules"].pop(2), "applications lets out to Internet by rule AllowInternetOutBound"),
        (_rules("applications", rule("stop", 90, "Outbound", "Deny", destinationPortRange="443")), "applications stops HTTPS from applications to endpoints by rule stop"),
        (_rules("endpoints", rule("stop", 90, "Inbound", "Deny", sourceAddressPrefix="10.1.1.0/25")), "endpoints stops HTTPS from applications to endpoints by rule stop"),
        (lambda told: told[f"{HUB}/routes/spoke"]["routes"].append({"properties": {"addressPrefix": "10.1.2.0/25", "nextHopType": "None"}}), "a route of applications sends 10.1.2.0/25 to None"),
    ],
)  # fmt: skip
async def test_rules_of_others_that_are_not(
    fault: Callable[[dict[str, Any]], object], said: str, tls: Tls
) -> None:
    """Each fault is named by subnet and rule, and no other is."""
    told = network()
    fault(told)
    found = await filtered(told, tls)

    assert (found.outcome, found.says) == (Outcome.FINDING, said)


def out(**more: Any) -> Callable[[dict[str, Any]], object]:
    """Return a fault: what leaves the applications' subnet by one rule more."""
    return _rules("applications", rule("leak", 95, "Outbound", "Allow", **more))


def inward(**more: Any) -> Callable[[dict[str, Any]], object]:
    """Return a fault: what enters the endpoints' subnet by one rule more."""
    return _rules("endpoints", rule("leak", 95, "Inbound", "Allow", **more))


def _behind(told: dict[str, Any]) -> None:
    for at, known in enumerate(("8.8.8.8", "2001:4860:4860::8888")):
        _rules(
            "applications",
            rule(f"no{at}", 90 + at, "Outbound", "Deny", destinationAddressPrefix=known),
        )(told)
    out(destinationAddressPrefix="Internet")(told)


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (out(destinationAddressPrefix="Internet", protocol="Udp"), "applications lets out to Internet by rule leak"),
        (out(destinationAddressPrefix="Internet", protocol="Icmp"), "applications lets out to Internet by rule leak"),
        (out(destinationAddressPrefix="Internet", protocol="Esp"), "applications lets out to Internet by rule leak"),
        (out(destinationAddressPrefix="128.0.0.0/1"), "applications lets out to Internet by rule leak"),
        (out(destinationAddressPrefix="203.0.113.7/32"), "applications lets out to Internet by rule leak"),
        (out(destinationAddressPrefix=None, destinationAddressPrefixes=["10.1.2.0/24", "203.0.113.7"]), "applications lets out to Internet by rule leak"),
        (out(destinationAddressPrefix="Internet", sourcePortRange="7"), "applications lets out to Internet by rule leak"),
        (out(destinationAddressPrefix="*", destinationPortRange="53"), "applications lets out to Internet by rule leak"),
        (_behind, "applications lets out to Internet by rule leak"),
        (out(destinationAddressPrefix="AzureCloud"), "applications lets out to AzureCloud by rule leak"),
        (out(destinationAddressPrefix="Storage"), "applications lets out to Storage by rule leak"),
        (out(destinationAddressPrefix="Storage.WestEurope", protocol="Udp"), "applications lets out to Storage.WestEurope by rule leak"),
        (inward(sourceAddressPrefix="Internet", protocol="Icmp"), "endpoints lets Internet in by rule leak"),
        (inward(sourceAddressPrefix="203.0.113.7/32", protocol="Ah"), "endpoints lets Internet in by rule leak"),
        (inward(sourceAddressPrefix="AzureCloud", protocol="Udp"), "endpoints lets Internet in by rule leak"),
        (inward(sourceAddressPrefix="10.0.0.0/8", destinationPortRange="443-500"), "endpoints lets peered networks in by rule leak"),
        (inward(sourceAddressPrefix="10.0.0.0/8", protocol="Icmp"), "endpoints lets peered networks in by rule leak"),
    ],
)  # fmt: skip
async def test_rules_that_leak(
    attack: Callable[[dict[str, Any]], object], said: str, tls: Tls
) -> None:
    """Whatever leads out to others or in from them is found, by any protocol, and named."""
    told = network()
    attack(told)
    found = await filtered(told, tls)

    assert (found.outcome, found.says) == (Outcome.FINDING, said)


def _group(name: str) -> dict[str, Any]:
    return {"sourceAddressPrefix": None, "sourceApplicationSecurityGroups": [{"id": name}]}


@pytest.mark.parametrize(
    "right",
    [
        out(destinationAddressPrefix="AzureResourceManager.WestEurope", destinationPortRange="443"),
        out(destinationAddressPrefix="168.63.129.16", destinationPortRange="53"),
        out(destinationAddressPrefix="10.0.0.4", destinationPortRange="53", protocol="Udp"),
        out(destinationAddressPrefix="10.1.3.0/24"),
        out(destinationAddressPrefix=None, destinationApplicationSecurityGroups=[{"id": "x"}]),
        out(destinationAddressPrefix="Internet", sourceAddressPrefix="10.1.9.0/24"),
        inward(**_group("x")),
        lambda told: told[f"{HUB}/nsg/applications"]["securityRules"].pop(3),
        lambda told: (
            out(destinationAddressPrefix="Storage")(told),
            _rules("applications", rule("no", 94, "Outbound", "Deny", destinationAddressPrefix="Internet"))(told),
        ),
    ],
)  # fmt: skip
async def test_rules_that_lead_nowhere_else(
    right: Callable[[dict[str, Any]], object], tls: Tls
) -> None:
    """Names, the narrow tags, the own network and what never takes effect are no findings."""
    told = network()
    right(told)
    found = await filtered(told, tls)

    assert (found.outcome, found.says[:13]) == (Outcome.HOLDS, "Azure's rules")


def _all_peers(told: dict[str, Any]) -> None:
    for at, private in enumerate(
        ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
    ):
        _rules(
            "applications",
            rule(f"no{at}", 101 + at, "Outbound", "Deny", destinationAddressPrefix=private),
        )(told)
    _rules(
        "applications",
        rule("leak", 120, "Outbound", "Allow", destinationAddressPrefix="VirtualNetwork"),
    )(told)


@pytest.mark.parametrize(
    ("unclear", "said"),
    [
        (out(destinationAddressPrefix="VirtualNetwork"), "applications lets out to peered networks by rule leak, and nobody said whose they are"),
        (_all_peers, "applications lets out by rule leak to wherever its routes lead"),
        (_rules("endpoints", rule("some", 90, "Inbound", "Deny", **_group("x"))), "perhaps endpoints stops HTTPS from applications to endpoints by rule some"),
    ],
)  # fmt: skip
async def test_rules_that_do_not_tell(
    unclear: Callable[[dict[str, Any]], object], said: str, tls: Tls
) -> None:
    """What the rules do not say is left to people, and never holds."""
    told = network()
    unclear(told)
    found = await filtered(told, tls)

    assert (found.outcome, found.says.partition(": ")[0]) == (Outcome.LEFT, said)


def as_azure_tells(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule as azurerm writes it in Azure's shape."""
    words = {name: name.split("_") for name in block}
    return {
        "name": block["name"],
        "properties": {
            first + "".join(map(str.title, rest)): block[name]
            for name, (first, *rest) in words.items()
        },
    }


@pytest.mark.parametrize("name", ["private", "public"])
async def test_rules_as_the_estate_makes_them(name: str, tls: Tls) -> None:
    """What `infra/` writes for both subnets holds, told in Azure's shapes."""
    estate = Estate.of(built(name).state)
    (made,) = estate.every("azurerm_virtual_network")
    told = network()
    told[VNET]["addressSpace"]["addressPrefixes"] = made.values["address_space"]
    for subnet, identifier in (("applications", APPLICATIONS), ("endpoints", ENDPOINTS)):
        at = f'module.network[0].%s.this["{subnet}"]'
        group = estate.at(at % "azurerm_network_security_group")
        told[identifier] |= {
            "addressPrefix": None,
            "addressPrefixes": estate.at(at % "azurerm_subnet").values["address_prefixes"],
        }
        rules = [as_azure_tells(one) for one in group.blocks("security_rule")]
        told[f"{HUB}/nsg/{subnet}"]["securityRules"] = rules
        assert rules
    found = await filtered(told, tls)

    assert (found.outcome, found.says[:13]) == (Outcome.HOLDS, "Azure's rules")


async def test_rules_that_cannot_be_read_are_left_to_people(tls: Tls) -> None:
    """With the reason: who owns the subnets need not let us read them."""
    gone = await filtered({VNET: {}}, tls)
    odd = await filtered({**network(), VNET: {"addressSpace": []}}, tls)

    assert {gone.outcome, odd.outcome} == {Outcome.LEFT}
    assert "az network nsg rule list" in gone.says
    assert odd.says.startswith("Azure answers in a shape that is not known")
