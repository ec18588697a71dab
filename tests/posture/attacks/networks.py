"""What leaves a network or enters it past its rules."""

from __future__ import annotations

from tests.posture.attacks.changes import (
    FUNCTION,
    INWARD,
    MODEL,
    OUTWARD,
    STRANGER,
    VNET,
    at,
    both,
    instead,
    resource,
    rule,
)
from tests.posture.mutants import Change, added, put

NETWORKS: dict[str, tuple[str, Change]] = {
    "a denial from one port": ("REACH-06", instead(OUTWARD, "deny", source_port_range="1024")),
    "a denial of a tag only": ("REACH-06", instead(OUTWARD, "deny", destination_address_prefix="AzureCloud")),
    "a denial for a group of machines": (
        "REACH-06",
        instead(OUTWARD, "deny", source_address_prefix=None, source_application_security_group_ids=["/asg"]),
    ),
    "a denial of another protocol": ("REACH-06", instead(OUTWARD, "deny", protocol="Udp")),
    "a denial of HTTPS only": ("REACH-06", instead(OUTWARD, "deny", destination_port_range="443")),
    "a denial of half the Internet": ("REACH-06", instead(OUTWARD, "deny", destination_address_prefix="128.0.0.0/1")),
    "a denial of IPv6": ("REACH-06", instead(OUTWARD, "deny", destination_address_prefix="::/0")),
    "a denial after the defaults' twin": ("REACH-06", rule(OUTWARD, name="x", direction="Outbound", priority=3999, destination_port_range="8443")),
    "out by DNS to anywhere": ("REACH-06", instead(OUTWARD, "dns", destination_address_prefix="*")),
    "out in two halves": ("REACH-06", rule(OUTWARD, direction="Outbound", destination_address_prefix=None, destination_address_prefixes=["0.0.0.0/1", "128.0.0.0/1"])),
    "out on another port": ("REACH-06", rule(OUTWARD, direction="Outbound", destination_address_prefix="Internet", destination_port_range="22")),
    "out to a region's storage": ("REACH-06", rule(OUTWARD, direction="Outbound", destination_address_prefix="Storage.WestEurope")),
    "out to a tag that nobody listed": ("REACH-06", rule(OUTWARD, direction="Outbound", destination_address_prefix="AzureDataLake")),
    "out to one stranger": ("REACH-06", rule(OUTWARD, direction="Outbound", destination_address_prefix="203.0.113.7")),
    "out to peered networks": ("REACH-06", rule(OUTWARD, direction="Outbound", destination_address_prefix="10.0.0.0/8")),
    "out by ICMP": ("REACH-06", rule(OUTWARD, direction="Outbound", protocol="Icmp", destination_port_range="*")),
    "out on a port of the sender's choice": ("REACH-06", rule(OUTWARD, direction="Outbound", destination_address_prefix="Internet", source_port_range="5000-6000")),
    "out with the same priority as a denial": ("REACH-06", rule(OUTWARD, direction="Outbound", destination_address_prefix="Internet", priority=4000)),
    "an outward group attached to nothing": (
        "REACH-06",
        lambda found: found.remove(next(o for o in found if o["type"] == "azurerm_subnet_network_security_group_association" and "applications" in o["address"])),
    ),
    "in from half of a neighbour": (
        "REACH-05",
        both(
            added("azurerm_subnet", id=f"{VNET}/subnets/spare", name="spare", address_prefixes=["10.20.1.0/24"], default_outbound_access_enabled=False),
            rule(INWARD, source_address_prefix="10.20.1.0/25"),
        ),
    ),
    "in from a group of machines": (
        "REACH-05",
        both(
            added("azurerm_subnet", id=f"{VNET}/subnets/spare", name="spare", address_prefixes=["10.20.1.0/24"], default_outbound_access_enabled=False),
            rule(INWARD, source_address_prefix=None, source_application_security_group_ids=["/asg"]),
        ),
    ),
    "in from peered networks, past a denial of one's own": (
        "REACH-05",
        instead(INWARD, "deny", source_address_prefix="10.20.0.0/22", direction="Inbound"),
    ),
    "in from private addresses": ("REACH-05", rule(INWARD, source_address_prefix="10.0.0.0/8")),
    "in on a port of the sender's choice": ("REACH-05", rule(INWARD, source_port_range="40000")),
    "a rule in a resource of its own": (
        "REACH-05",
        added("azurerm_network_security_rule", network_security_group_name="NSG-CHAT-ENDPOINTS", resource_group_name="RG-CHAT-NETWORK", name="x", priority=90, direction="inbound", access="allow", protocol="*", source_address_prefix="*", source_port_range="*", destination_address_prefix="*", destination_port_range="*"),
    ),
    "two rules of one priority": ("REACH-07", rule(INWARD, priority=100, access="Deny")),
    "a route into an appliance": (
        "REACH-03",
        both(
            resource("azurerm_route_table", "a", id="/rt", name="rt", route=[{"address_prefix": "10.20.0.0/25", "next_hop_type": "VirtualAppliance"}]),
            resource("azurerm_subnet_route_table_association", "a", subnet_id=f"{VNET}/subnets/snet-applications", route_table_id="/rt"),
        ),
    ),
    "a route into nothing": (
        "REACH-03",
        both(
            resource("azurerm_route_table", "a", id="/rt", name="rt", resource_group_name="g"),
            resource("azurerm_route", "a", route_table_name="rt", resource_group_name="g", address_prefix="10.20.0.0/26", next_hop_type="None"),
            resource("azurerm_subnet_route_table_association", "a", subnet_id=f"{VNET}/subnets/snet-applications", route_table_id="/rt"),
        ),
    ),
    "routes that lie outside": (
        "REACH-03",
        added("azurerm_subnet_route_table_association", subnet_id=f"{VNET}/subnets/snet-applications", route_table_id="/elsewhere"),
    ),
    "a group that lies outside": (
        "REACH-05",
        lambda found: at(found, next(o["address"] for o in found if o["type"] == "azurerm_subnet_network_security_group_association" and "endpoints" in o["address"])).update(network_security_group_id="/elsewhere"),
    ),
    "an endpoint to a stranger": (
        "REACH-04",
        added("azurerm_private_endpoint", id="/pe", name="pe", subnet_id=f"{VNET}/subnets/snet-endpoints", private_service_connection=[{"private_connection_resource_id": "/subscriptions/1/resourceGroups/x/providers/Microsoft.Storage/storageAccounts/theirs", "subresource_names": ["blob"], "is_manual_connection": False}]),
    ),
    "an endpoint to a stranger by his alias": (
        "REACH-04",
        added("azurerm_private_endpoint", id="/pe", name="pe", subnet_id=f"{VNET}/subnets/snet-endpoints", private_service_connection=[{"private_connection_resource_alias": "x.y.azure.privatelinkservice", "is_manual_connection": False}]),
    ),
    "an application that left its network": ("REACH-06", put(FUNCTION, "virtual_network_subnet_id", "")),
    "a model that calls whom it likes": ("REACH-09", put(MODEL, "fqdns", ["*"])),
    "a model that keeps files with a stranger": (
        "REACH-09",
        put(MODEL, "storage", [{"storage_account_id": f"{STRANGER}/storageAccounts/evil"}]),
    ),
    "a model whose agents run in a stranger's network": (
        "REACH-09",
        put(MODEL, "network_injection", [{"scenario": "agent", "subnet_id": f"{STRANGER}/subnets/s"}]),
    ),
    "a model that calls a stranger": ("REACH-09", put(MODEL, "fqdns", ["evil.example.com"])),
    "a subnet that others may use": (
        "REACH-07",
        put('module.network[0].azurerm_subnet.this["endpoints"]', "sharing_scope", "Tenant"),
    ),
    "a subnet inside its network": (
        "REACH-07",
        put("module.network[0].azurerm_virtual_network.this", "subnet", [{"name": "more", "address_prefixes": ["10.20.3.0/24"], "default_outbound_access_enabled": False}]),
    ),
    "a way out of a subnet inside its network": (
        "REACH-09",
        put("module.network[0].azurerm_virtual_network.this", "subnet", [{"name": "more", "address_prefixes": ["10.20.3.0/24"]}]),
    ),
}  # fmt: skip
