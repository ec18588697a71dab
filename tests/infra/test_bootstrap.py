"""What an owner applies first: pipelines without secrets, narrow rights, declared doors."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation import simulate
from secure_openai.tables import table
from tests.infra.estate import INFRA

FOLDER = INFRA / "bootstrap"
LOCKED = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-chat/providers/"
    "Microsoft.KeyVault/vaults/kv-chat-abcde"
)
DOOR = {
    "blob_zone_id": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/"
    "providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net",
    "subnet_id": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/"
    "Microsoft.Network/virtualNetworks/vnet/subnets/endpoints",
}


def applied(**variables: Any) -> Estate:
    """Apply the example with further variables; its second plan is empty."""
    with simulate(FOLDER, var_files=[FOLDER / "example.tfvars"], variables=variables) as done:
        assert done.replan_is_empty
        return Estate.of(done.state)


@cache
def example() -> Estate:
    """Return the example, applied once."""
    return applied()


def test_each_pipeline_identity_is_bound_to_its_own_environment() -> None:
    """No wildcard, no pull request, no secret: one GitHub environment for each identity."""
    subjects = {
        one.values["subject"] for one in example().every("azurerm_federated_identity_credential")
    }

    assert subjects == {
        "repo:contoso/azure-secure-openai:environment:chat-apply",
        "repo:contoso/azure-secure-openai:environment:chat-plan",
    }


def test_planning_only_reads() -> None:
    """The planning identity writes nothing but the state's lock."""
    plan = example().at('azurerm_user_assigned_identity.deploy["plan"]').values["principal_id"]
    roles = [
        one.values["role_definition_name"] or one.address
        for one in example().every("azurerm_role_assignment")
        if one.values["principal_id"] == plan
    ]

    assert sorted(roles) == [
        "Reader",
        "Storage Blob Data Contributor",
        "azurerm_role_assignment.plan_refreshes",
    ]


def test_applying_cannot_make_itself_an_owner() -> None:
    """What it may hand out is the table's roles, to service principals and groups, and no other."""
    condition = example().at("azurerm_role_assignment.apply_delegates").values["condition"]
    delegable = [one for one in table("roles").values() if one["service"] != "cosmos"]

    assert "roleAssignments/write" in condition
    assert "roleAssignments/delete" in condition
    assert "'ServicePrincipal', 'Group'" in condition
    # The roles of the table once each, the gateway's, the jump machine's, and our own custom role.
    wanted = len({one["role"] for one in delegable}) + 3
    (identifiers,) = {part.split("}")[0] for part in condition.split("GuidEquals {")[1:]}
    assert len(identifiers.split(", ")) == wanted
    assert "8e3af657-a8ff-443c-a75c-2fe8c4bcb635" not in condition  # Owner


def test_the_custom_role_deploys_and_does_nothing_else() -> None:
    """Neither keys nor network of an account can be touched with it."""
    (role,) = [
        one
        for one in example().every("azurerm_role_definition")
        if one.address.endswith("deployment_manager")
    ]
    (permissions,) = role.values["permissions"]
    writes = [action for action in permissions["actions"] if not action.endswith("/read")]

    assert all("/deployments/" in action for action in writes)
    assert not any("*" in action for action in permissions["actions"])


@pytest.mark.parametrize("door", ["packages", "state"])
def test_a_declared_door_can_be_closed(door: str) -> None:
    """Open, it takes Entra ID only; with a subnet it is closed and has its endpoint."""
    open_door = example().at(f"azurerm_storage_account.{door}").values
    closed = applied(**{door: {"private": DOOR}})
    (endpoint,) = closed.every("azurerm_private_endpoint")

    assert open_door["shared_access_key_enabled"] is False
    assert open_door["public_network_access_enabled"] is True
    assert closed.at(f"azurerm_storage_account.{door}").values["public_network_access_enabled"] is (
        False
    )
    assert endpoint.address == f"azurerm_private_endpoint.{door}[0]"


def test_a_second_apply_locks_what_is_named() -> None:
    """Ids of the estate become locks; the state is locked from the first day."""
    estate = applied(lock_ids={"vault": LOCKED})
    locks = {one.values["scope"] for one in estate.every("azurerm_management_lock")}

    assert LOCKED in locks
    assert estate.at("azurerm_storage_account.state").id in locks


def test_government_has_no_defender_for_ai() -> None:
    """A plan that the cloud lacks is left out; audience and names are the cloud's."""
    estate = applied(cloud="usgovernment", location="usgovvirginia")
    plans = {
        one.values["resource_type"]
        for one in estate.every("azurerm_security_center_subscription_pricing")
    }
    audiences = {
        tuple(one.values["audience"])
        for one in estate.every("azurerm_federated_identity_credential")
    }

    assert "AI" not in plans
    assert "KeyVaults" in plans
    assert audiences == {("api://AzureADTokenExchangeUSGov",)}


def test_the_key_is_of_use_to_one_identity() -> None:
    """The customer-managed key is wrapped with by its own identity and nobody else."""
    estate = example()
    key = estate.at("azurerm_user_assigned_identity.key[0]")
    (given,) = [
        one
        for one in estate.every("azurerm_role_assignment")
        if one.values["role_definition_name"] == "Key Vault Crypto Service Encryption User"
    ]

    assert given.values["principal_id"] == key.values["principal_id"]
    assert given.values["scope"] == estate.at("azapi_resource.key[0]").id
    assert estate.outputs["customer_managed_key"]["identity_id"] == key.id
