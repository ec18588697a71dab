"""Machines that anybody may come to, or that hold a secret."""

from __future__ import annotations

from tests.posture.attacks.changes import (
    INWARD,
    VNET,
    both,
    compressed,
    encoded,
    key_of,
    machine,
    resource,
    rule,
    wrapped,
)
from tests.posture.mutants import Change, added

MACHINES: dict[str, tuple[str, Change]] = {
    "a second address": (
        "REACH-08",
        added("azurerm_network_interface", id="/nic", name="nic", ip_configuration=[{"public_ip_address_id": None}, {"public_ip_address_id": "/pip"}]),
    ),
    "a load balancer": ("REACH-08", added("azurerm_lb", id="/lb", name="lb", frontend_ip_configuration=[{"public_ip_address_id": "/pip"}])),
    "a set of machines": (
        "REACH-08",
        added("azurerm_linux_virtual_machine_scale_set", id="/s", name="s", network_interface=[{"ip_configuration": [{"public_ip_address": [{"name": "x"}]}]}]),
    ),
    "an address that Azure told": ("REACH-08", machine(public_ip_address="20.50.1.2")),
    "SSH in two halves": (
        "REACH-08",
        both(
            resource("azurerm_network_security_group", "a", id="/nsg", name="nsg", resource_group_name="g", security_rule=[{"name": "ssh", "priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "*", "source_address_prefixes": ["0.0.0.0/1", "128.0.0.0/1"], "source_port_range": "*", "destination_address_prefix": "*", "destination_port_range": "20-25"}]),
            resource("azurerm_network_interface", "a", id="/nic", name="nic", ip_configuration=[{"subnet_id": f"{VNET}/subnets/snet-endpoints"}]),
            resource("azurerm_network_interface_security_group_association", "a", network_interface_id="/nic", network_security_group_id="/nsg"),
        ),
    ),
    "SSH for a group of machines": (
        "REACH-08",
        rule(INWARD, source_address_prefix="Internet", destination_address_prefix=None, destination_application_security_group_ids=["/asg"], destination_port_range="22"),
    ),
    "SSH for every customer of Azure": ("REACH-08", rule(INWARD, source_address_prefix="AzureCloud", destination_port_range="22")),
    "a link that anybody may follow": ("REACH-08", added("azurerm_bastion_host", id="/b", name="b", shareable_link_enabled=True)),
    "a firewall's forwarding": ("REACH-08", added("azurerm_firewall", id="/fw", name="fw")),
    "a VPN": ("REACH-08", added("azurerm_virtual_network_gateway", id="/gw", name="gw")),
    "a password by its older name": ("KEYS-09", machine(disable_password_authentication=False)),
    "a key in what it starts with": ("KEYS-07", wrapped("custom_data", lambda key: encoded(f"#!/bin/sh\nexport KEY={key}\n"))),
    "a key in what it starts with, compressed": ("KEYS-07", wrapped("custom_data", lambda key: compressed(f"env:\n  K: {key}\n"))),
    "a key in what it starts with, wrapped twice": ("KEYS-07", wrapped("user_data", lambda key: encoded(encoded(f"k={key}")))),
    "a password in what it starts with": ("KEYS-07", machine(custom_data=encoded("#cloud-config\npassword: Winter-2025\nssh_pwauth: true\n"))),
    "a token in what it starts with": ("KEYS-07", machine(user_data=encoded("curl -H 'Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2ln' x"))),
    "a key in an extension": (
        "KEYS-07",
        lambda found: added("azurerm_virtual_machine_extension", id="/e", name="e", settings='{"commandToExecute": "run --key ' + key_of(found) + '"}')(found),
    ),
    "a password in an extension": ("KEYS-07", added("azurerm_virtual_machine_extension", id="/e", name="e", protected_settings='{"adminPassword": "Winter-2025!"}')),
}  # fmt: skip
