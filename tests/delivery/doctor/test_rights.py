"""What building an estate takes, and what of it somebody lacks."""

from __future__ import annotations

from typing import Any

from secure_openai.delivery.doctor.rights import Permission, azure_type, missing, rights_of
from secure_openai.posture.estate import Estate

OWN = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers"
FOREIGN = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/hub/providers"


def test_an_id_says_its_type() -> None:
    """Of what is nested, of a group, of what hangs on another, and of what is none."""
    vault = f"{OWN}/Microsoft.KeyVault/vaults/kv"

    assert azure_type(f"{vault}/keys/seal") == "Microsoft.KeyVault/vaults/keys"
    assert azure_type(f"{vault}/providers/Microsoft.Authorization/roleAssignments/a") == (
        "Microsoft.Authorization/roleAssignments"
    )
    assert azure_type(f"{vault}|diagnostics") == "Microsoft.KeyVault/vaults"
    assert azure_type(OWN.removesuffix("/providers")) == (
        "Microsoft.Resources/subscriptions/resourceGroups"
    )
    assert azure_type("/applications/33333333-3333-4333-8333-333333333333") == ""


def test_what_one_role_leaves_out_another_allows() -> None:
    """Patterns compare without regard to case; a not-action takes from its own role only."""
    wanted = ["Microsoft.Web/sites/write", "Microsoft.Authorization/roleAssignments/write"]
    contributor = Permission(("*",), ("Microsoft.Authorization/*/Write",))
    assigner = Permission(("microsoft.authorization/roleassignments/*",))

    assert missing(wanted, [contributor]) == ["Microsoft.Authorization/roleAssignments/write"]
    assert missing(wanted, [contributor, assigner]) == []
    assert missing(wanted, []) == sorted(wanted)


def test_the_private_estate_joins_nothing_of_others(private_state: dict[str, Any]) -> None:
    """Everything that it takes is on its own subscription: roles, approvals and assignments."""
    rights = rights_of(Estate.of(private_state))

    assert dict(rights.elsewhere) == {}
    assert {
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Insights/diagnosticSettings/write",
        "Microsoft.KeyVault/vaults/keys/write",
        "Microsoft.KeyVault/vaults/privateEndpointConnectionsApproval/action",
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
        "Microsoft.Network/privateDnsZones/join/action",
        "Microsoft.Network/virtualNetworks/join/action",
        "Microsoft.Network/virtualNetworks/subnets/join/action",
        "Microsoft.Resources/subscriptions/resourceGroups/write",
    } <= rights.here.keys()


def test_what_stands_in_another_subscription_is_allowed_there() -> None:
    """A subnet is joined where it is, and a link is made in its zone's group."""
    zone = f"{FOREIGN}/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net"
    subnet = f"{FOREIGN}/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"
    vault = f"{OWN}/Microsoft.KeyVault/vaults/kv"
    resources = [
        ("azurerm_key_vault", {"id": vault}),
        (
            "azurerm_private_endpoint",
            {
                "id": f"{OWN}/Microsoft.Network/privateEndpoints/pe",
                "subnet_id": subnet,
                "private_dns_zone_group": [{"private_dns_zone_ids": [zone]}],
                "private_service_connection": [{"private_connection_resource_id": vault}],
            },
        ),
        ("azurerm_private_dns_zone_virtual_network_link", {"id": f"{zone}/virtualNetworkLinks/l"}),
    ]
    root = {
        "resources": [
            {"address": f"{kind}.one", "mode": "managed", "type": kind, "values": values}
            for kind, values in resources
        ]
    }
    rights = rights_of(Estate.within({"root_module": root}))

    assert dict(rights.elsewhere) == {
        FOREIGN.removesuffix("/providers"): (
            "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read",
            "Microsoft.Network/privateDnsZones/virtualNetworkLinks/write",
        ),
        zone: ("Microsoft.Network/privateDnsZones/join/action",),
        subnet: ("Microsoft.Network/virtualNetworks/subnets/join/action",),
    }
