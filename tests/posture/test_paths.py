"""The way from a subnet to a service, hop by hop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.estate import Estate
from secure_openai.posture.paths import from_subnet
from secure_openai.posture.topology import Topology

GROUP = "/subscriptions/0/resourceGroups/rg/providers"
NETWORK = f"{GROUP}/Microsoft.Network"
HUB, SPOKE = (f"{NETWORK}/virtualNetworks/{name}" for name in ("hub", "spoke"))
VAULT = f"{GROUP}/Microsoft.KeyVault/vaults/kv"
ENDPOINT = f"{NETWORK}/privateEndpoints/pe"
ZONE = f"{NETWORK}/privateDnsZones/privatelink.vaultcore.azure.net"

Estates = dict[str, dict[str, Any]]
Unknown = dict[str, str]


def peering(near: str, far: str) -> dict[str, Any]:
    """Return one side of a peering."""
    return {
        "id": f"{near}/virtualNetworkPeerings/to",
        "name": "to",
        "remote_virtual_network_id": far,
    }


def estate() -> Estates:
    """Return a vault whose endpoint stands in a hub, and whose caller stands in a spoke."""
    return {
        "azurerm_virtual_network.hub": {"id": HUB, "name": "hub", "address_space": ["10.0.0.0/16"]},
        "azurerm_virtual_network.spoke": {
            "id": SPOKE,
            "name": "spoke",
            "address_space": ["10.1.0.0/16"],
        },
        "azurerm_subnet.ends": {
            "id": f"{HUB}/subnets/ends",
            "name": "ends",
            "address_prefixes": ["10.0.1.0/24"],
        },
        "azurerm_subnet.app": {
            "id": f"{SPOKE}/subnets/app",
            "name": "app",
            "address_prefixes": ["10.1.1.0/24"],
        },
        "azurerm_virtual_network_peering.down": peering(HUB, SPOKE),
        "azurerm_virtual_network_peering.up": peering(SPOKE, HUB),
        "azurerm_key_vault.kv": {"id": VAULT, "name": "kv", "vault_uri": "https://kv.vault.azure.net/"},
        "azurerm_private_dns_zone.kv": {"id": ZONE, "name": ZONE.rpartition("/")[2]},
        "azurerm_private_dns_zone_virtual_network_link.kv": {
            "id": f"{ZONE}/virtualNetworkLinks/spoke",
            "private_dns_zone_id": ZONE,
            "virtual_network_id": SPOKE,
        },
        "azurerm_private_dns_a_record.kv": {
            "id": f"{ZONE}/A/kv",
            "name": "kv",
            "private_dns_zone_id": ZONE,
            "records": ["10.0.1.4"],
        },
        "azurerm_private_endpoint.kv": {
            "id": ENDPOINT,
            "subnet_id": f"{HUB}/subnets/ends",
            "private_service_connection": [
                {
                    "private_connection_resource_id": VAULT,
                    "private_ip_address": "10.0.1.4",
                    "subresource_names": ["vault"],
                    "is_manual_connection": False,
                }
            ],
        },
    }  # fmt: skip


def walked(found: Estates, unknown: Unknown) -> tuple[bool | None, str]:
    """Return whether the caller reaches the vault, and what decides it."""
    entries = [
        {"address": address, "mode": "managed", "type": address.partition(".")[0], "values": values}
        for address, values in found.items()
    ]
    places = frozenset((address, (name,)) for address, name in unknown.items())
    whole = Estate.within({"root_module": {"resources": entries}}, places)
    topology = Topology(whole, None, Assumptions(()))
    subnet = topology.subnet(f"{SPOKE}/subnets/app")
    door = next(one for one in topology.doors if one.service.id == VAULT)
    assert subnet is not None
    path = from_subnet(topology, subnet, door)
    return path.open, path.first_stop[1] if path.first_stop else ""


def changed(address: str, **values: Any) -> Callable[[Estates], None]:
    """Change arguments of a resource."""
    return lambda found: found[address].update(values)


def without(address: str) -> Callable[[Estates], object]:
    """Leave a resource out."""
    return lambda found: found.pop(address)


def test_a_peered_network_reaches_the_endpoint() -> None:
    """A caller in a peered network whose zone names the endpoint reaches it."""
    assert walked(estate(), {}) == (True, "")


@pytest.mark.parametrize(
    ("change", "stop"),
    [
        (
            changed("azurerm_virtual_network_peering.up", allow_virtual_network_access=False),
            "azurerm_virtual_network_peering.up",
        ),
        (
            changed("azurerm_virtual_network_peering.down", allow_virtual_network_access=False),
            "azurerm_virtual_network_peering.down",
        ),
        (without("azurerm_virtual_network_peering.up"), "azurerm_virtual_network_peering.down"),
        (
            changed("azurerm_private_dns_a_record.kv", records=["10.0.1.4", "10.0.1.5"]),
            "azurerm_private_dns_a_record.kv",
        ),
        (changed("azurerm_private_dns_a_record.kv", name="vk"), "azurerm_private_endpoint.kv"),
        (
            without("azurerm_private_dns_zone_virtual_network_link.kv"),
            "azurerm_private_endpoint.kv",
        ),
    ],
)
def test_a_way_that_is_cut_stops_where_it_is_cut(
    change: Callable[[Estates], object], stop: str
) -> None:
    """A peering that is closed or half made, and a record that leads elsewhere, stop the way."""
    found = estate()
    change(found)
    assert walked(found, {}) == (False, stop)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("azurerm_virtual_network_peering.up", "allow_virtual_network_access"),
        ("azurerm_virtual_network_peering.down", "allow_virtual_network_access"),
        ("azurerm_private_dns_a_record.kv", "records"),
        ("azurerm_virtual_network.spoke", "dns_servers"),
    ],
)
def test_a_way_is_not_open_where_what_decides_is_not_known(address: str, name: str) -> None:
    """An argument of which the value is not known leaves it open whether the way is open."""
    assert walked(estate(), {address: name}) == (None, address)
