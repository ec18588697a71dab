"""Rules of subnets that others own, read in Azure's shapes and judged as the proof judges its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from secure_openai.delivery.verification.assumptions import looked_at
from secure_openai.delivery.verification.observation import Observation, Outcome
from secure_openai.posture.assumptions import Assumption
from tests.delivery.subscription import Subscription
from tests.delivery.verification.test_assumptions import SUBSCRIPTION, managed
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
        (lambda told: told[f"{HUB}/nsg/applications"]["securityRules"].pop(2), "applications lets everything out by rule AllowInternetOutBound"),
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


async def test_rules_that_cannot_be_read_are_left_to_people(tls: Tls) -> None:
    """With the reason: who owns the subnets need not let us read them."""
    gone = await filtered({VNET: {}}, tls)
    odd = await filtered({**network(), VNET: {"addressSpace": []}}, tls)

    assert {gone.outcome, odd.outcome} == {Outcome.LEFT}
    assert "az network nsg rule list" in gone.says
    assert odd.says.startswith("Azure answers in a shape that is not known")
