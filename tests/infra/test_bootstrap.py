"""What an owner applies first: pipelines without secrets, narrow rights, declared doors."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation import Workspace, simulate
from secure_openai.tables import table
from tests.infra.estate import INFRA

FOLDER = INFRA / "bootstrap"
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
LOCKED = f"{SUBSCRIPTION}/resourceGroups/rg-chat/providers/Microsoft.KeyVault/vaults/kv-chat-abcde"
NETWORK = f"{SUBSCRIPTION}/resourceGroups/rg-chat-network/providers/Microsoft.Network"
SUBNET = f"{NETWORK}/virtualNetworks/vnet-chat/subnets/snet-endpoints"
ZONE = f"{NETWORK}/privateDnsZones/privatelink.blob.core.windows.net"
OPERATORS = "bbbbbbbb-0000-0000-0000-000000000000"
READERS = {
    "functions-production": "aaaaaaaa-0000-0000-0000-000000000001",
    "functions-staging": "aaaaaaaa-0000-0000-0000-000000000002",
    "web-production": "aaaaaaaa-0000-0000-0000-000000000003",
    "web-staging": "aaaaaaaa-0000-0000-0000-000000000004",
}
GROUPS = {
    "application": f"{SUBSCRIPTION}/resourceGroups/rg-chat",
    "network": f"{SUBSCRIPTION}/resourceGroups/rg-chat-network",
}
SCOPE = f"{GROUPS['application']}/providers/Microsoft.Insights/privateLinkScopes/ampls-chat"
ESTATE = {
    "lock_ids": {"vault": LOCKED},
    "package_readers": READERS,
    "private_link_scope_id": SCOPE,
    "private_network": {"blob_zone_id": ZONE, "location": "swedencentral", "subnet_id": SUBNET},
    "resource_group_ids": GROUPS,
}
"""What an estate hands back; a test of the environments holds it to the estate's own output."""


def applied(**variables: Any) -> Estate:
    """Apply the example with further variables; its second plan is empty."""
    with simulate(FOLDER, var_files=[FOLDER / "example.tfvars"], variables=variables) as done:
        assert done.replan_is_empty
        return Estate.of(done.state)


@cache
def example() -> Estate:
    """Return the example, applied once."""
    return applied()


@cache
def second() -> Estate:
    """Return the second apply: the estate exists, and a workspace was made here."""
    return applied(
        estate=ESTATE,
        log_workspace_id=None,
        operators=[OPERATORS],
        state={"private": {"subnet_id": SUBNET}},
    )


@cache
def government() -> Estate:
    """Return a bootstrap in Azure Government, whose packages are open to a list."""
    return applied(
        cloud="usgovernment",
        location="usgovvirginia",
        packages={"address_allow_list": ["203.0.113.0/24", "203.0.114.7/32"]},
        entra_applications=False,
    )


def roles_of(estate: Estate, name: str) -> list[tuple[str, str]]:
    """Return what a deployment identity holds, by role, and where."""
    principal = estate.at(f'azurerm_user_assigned_identity.deploy["{name}"]').values["principal_id"]
    return sorted(
        (one.values["role_definition_name"] or one.address, one.values["scope"])
        for one in estate.every("azurerm_role_assignment")
        if one.values["principal_id"] == principal
    )


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
    """The planning identity writes plans and not even state, and lists keys of the estate only."""
    state = example().at("azurerm_storage_container.state").id
    plans = example().at("azurerm_storage_container.plans").id

    assert roles_of(example(), "plan") == [
        ("Reader", SUBSCRIPTION),
        ("Storage Blob Data Contributor", plans),
        ("Storage Blob Data Reader", state),
    ]
    assert {scope for role, scope in roles_of(second(), "plan") if "plan_refreshes" in role} == set(
        GROUPS.values()
    )


def test_state_is_kept_by_the_applying_pipeline_and_named_people() -> None:
    """Who may write state decides what the next apply destroys: nobody else may."""

    def writers(estate: Estate) -> set[str]:
        container = estate.at("azurerm_storage_container.state").id
        return {
            one.values["principal_id"]
            for one in estate.every("azurerm_role_assignment")
            if one.values["scope"] == container
            and one.values["role_definition_name"] != "Storage Blob Data Reader"
        }

    pipeline = 'azurerm_user_assigned_identity.deploy["apply"]'
    assert writers(example()) == {example().at(pipeline).values["principal_id"]}
    assert writers(second()) == {second().at(pipeline).values["principal_id"], OPERATORS}


def test_graph_rights_are_to_read_and_to_change_what_is_owned() -> None:
    """Planning reads applications, applying changes its own; neither hands out roles of Graph."""
    granted = {
        one.values["principal_object_id"]: one.values["app_role_id"]
        for one in example().every("azuread_app_role_assignment")
    }
    principals = {
        name: example().at(f'azurerm_user_assigned_identity.deploy["{name}"]').values
        for name in ("apply", "plan")
    }

    assert granted == {
        # Microsoft Graph permissions reference: OwnedBy and Application.Read.All.
        principals["apply"]["principal_id"]: "18a4783c-866b-4cc7-a460-3d5e5662c884",
        principals["plan"]["principal_id"]: "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    }
    assert not government().every("azuread_app_role_assignment")


def test_applying_cannot_make_itself_an_owner() -> None:
    """What it may hand out is the table's roles, to service principals and groups, and no other."""
    condition = example().at("azurerm_role_assignment.apply_delegates").values["condition"]
    delegable = [
        one
        for one in table("roles").values()
        if one["service"] != "cosmos" and "actions" not in one
    ]

    assert "roleAssignments/write" in condition
    assert "roleAssignments/delete" in condition
    assert "'ServicePrincipal', 'Group'" in condition
    # The roles of the table once each, the gateway's, the jump machine's, and our own custom role.
    wanted = len({one["role"] for one in delegable}) + 3
    (identifiers,) = {part.split("}")[0] for part in condition.split(":GuidEquals {")[1:]}
    assert len(identifiers.split(", ")) == wanted
    assert "8e3af657-a8ff-443c-a75c-2fe8c4bcb635" not in condition  # Owner


def test_applying_hands_nothing_to_the_pipelines_themselves() -> None:
    """Neither deployment identity can be given a role by the one that hands them out."""
    condition = example().at("azurerm_role_assignment.apply_delegates").values["condition"]
    write = condition.partition("roleAssignments/delete")[0]
    refused = write.partition("PrincipalId] ForAnyOfAllValues:GuidNotEquals {")[2].partition("}")[0]

    assert set(refused.split(", ")) == {
        example().at(f'azurerm_user_assigned_identity.deploy["{name}"]').values["principal_id"]
        for name in ("apply", "plan")
    }


def test_whom_the_pipelines_trust_is_beyond_them() -> None:
    """Applying may change the subscription and removes no lock: these two are read-only."""
    locks = {
        one.values["scope"]: one.values["lock_level"]
        for one in example().every("azurerm_management_lock")
    }

    for name in ("apply", "plan"):
        identity = example().at(f'azurerm_user_assigned_identity.deploy["{name}"]')
        assert locks[identity.id] == "ReadOnly"
    assert locks[example().at("azurerm_key_vault.key[0]").id] == "CanNotDelete"
    assert locks[example().at("azurerm_storage_account.state").id] == "CanNotDelete"


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
    row = table("roles")["manage_deployments"]
    assert sorted(permissions["actions"]) == sorted(row["actions"])
    assert not permissions["data_actions"]
    assert role.values["name"].startswith(f"{row['role']} (")


@pytest.mark.parametrize("door", ["packages", "state"])
def test_an_open_door_takes_entra_only_and_says_why(door: str) -> None:
    """Everybody may come for a reason that the proof lists, with a token; nobody with a key."""
    found = example().at(f"azurerm_storage_account.{door}").values

    assert found["shared_access_key_enabled"] is False
    assert found["public_network_access_enabled"] is True
    assert found["network_rules"][0]["default_action"] == "Allow"
    assert found["tags"]["public-door"].endswith("Entra ID is the lock")


def test_a_door_for_a_list_denies_the_rest() -> None:
    """With addresses named it is a declared door still, and everybody else is denied."""
    found = government().at("azurerm_storage_account.packages").values

    assert found["network_rules"][0]["default_action"] == "Deny"
    assert set(found["network_rules"][0]["ip_rules"]) == {"203.0.113.0/24", "203.0.114.7"}
    assert found["tags"]["public-door"]


def test_a_door_with_nobody_named_is_closed() -> None:
    """With a subnet and no reason nobody comes from the Internet; the network does."""
    found = second().at("azurerm_storage_account.state").values
    endpoint = second().at("azurerm_private_endpoint.state[0]").values

    assert found["public_network_access_enabled"] is False
    assert found["network_rules"][0]["default_action"] == "Deny"
    assert "public-door" not in found["tags"]
    assert endpoint["subnet_id"] == SUBNET
    # No zone was named: an Azure Policy attaches it.
    assert not endpoint["private_dns_zone_group"]


def test_applications_read_packages_from_inside() -> None:
    """Each application's identity reads that one container, through an endpoint in its network."""
    container = second().at("azurerm_storage_container.packages").id
    (row,) = [one for one in table("roles").values() if one["scope"] == "packages_container"]
    given = {
        one.values["principal_id"]: (one.values["role_definition_name"], one.values["scope"])
        for one in second().every("azurerm_role_assignment")
        if one.address.startswith("azurerm_role_assignment.package_reader")
    }
    endpoint = second().at("azurerm_private_endpoint.packages[0]").values

    assert given == {
        principal: (row["role"], container)
        for name, principal in READERS.items()
        if name.partition("-")[0] in row["identities"]
    }
    assert endpoint["subnet_id"] == SUBNET
    assert endpoint["private_dns_zone_group"][0]["private_dns_zone_ids"] == [ZONE]


def test_a_second_apply_locks_what_is_named() -> None:
    """Ids of the estate become locks; the state is locked from the first day."""
    locks = {one.values["scope"] for one in second().every("azurerm_management_lock")}

    assert LOCKED in locks
    assert second().at("azurerm_storage_account.state").id in locks


def test_what_the_estate_handed_back_goes_before_it_is_destroyed() -> None:
    """Without the estate's ids its locks, readers and endpoint go, and nothing else changes."""
    files = [FOLDER / "example.tfvars"]
    with Workspace(FOLDER, var_files=files, variables={"estate": ESTATE}) as workspace:
        workspace.apply()
        workspace.variables = {}
        planned = workspace.plan().changes

    assert set(planned.values()) == {("delete",)}
    assert 'azurerm_management_lock.estate["vault"]' in planned
    assert "azurerm_private_endpoint.packages[0]" in planned
    assert "azurerm_management_lock.state" not in planned


def test_whoever_touches_state_packages_or_the_key_is_logged() -> None:
    """Logs go to the workspace that is named; without one, to a closed one made here."""
    for estate in (example(), second()):
        kept = {
            one.values["target_resource_id"]: one.values["log_analytics_workspace_id"]
            for one in estate.every("azurerm_monitor_diagnostic_setting")
        }
        for watched in (
            f"{estate.at('azurerm_storage_account.packages').id}/blobServices/default",
            f"{estate.at('azurerm_storage_account.state').id}/blobServices/default",
            estate.at("azurerm_key_vault.key[0]").id,
        ):
            assert kept[watched] == estate.outputs["workspace_id"]
    made = second().at('azurerm_log_analytics_workspace.this["here"]').values
    (joined,) = second().every("azurerm_monitor_private_link_scoped_service")

    assert not example().every("azurerm_log_analytics_workspace")
    assert made["internet_query_access_type"] == "Disabled"
    assert made["internet_ingestion_access_type"] == "Disabled"
    assert made["local_authentication_enabled"] is False
    assert joined.values["linked_resource_id"] == made["id"]
    assert joined.values["scope_name"] == "ampls-chat"


def test_government_has_no_defender_for_ai() -> None:
    """A plan that the cloud lacks is left out; audience and names are the cloud's."""
    plans = {
        one.values["resource_type"]
        for one in government().every("azurerm_security_center_subscription_pricing")
    }
    audiences = {
        tuple(one.values["audience"])
        for one in government().every("azurerm_federated_identity_credential")
    }

    assert "AI" not in plans
    assert "KeyVaults" in plans
    assert audiences == {("api://AzureADTokenExchangeUSGov",)}


def test_names_of_custom_roles_are_this_bootstraps() -> None:
    """A role's name is taken in the whole tenant: it carries the suffix."""
    suffix = example().at("random_string.suffix").values["result"]

    for role in example().every("azurerm_role_definition"):
        assert role.values["name"].endswith(f"(chat-{suffix})")


def test_the_key_is_of_use_to_one_identity() -> None:
    """The customer-managed key is wrapped with by its own identity and nobody else."""
    estate = example()
    vault = estate.at("azurerm_key_vault.key[0]").values
    # Disks are encrypted through an encryption set, which needs none of the vault's own switches.
    assert not any(vault[name] for name in vault if name.startswith("enabled_for_"))
    key = estate.at("azurerm_user_assigned_identity.key[0]")
    (given,) = [
        one
        for one in estate.every("azurerm_role_assignment")
        if one.values["role_definition_name"] == "Key Vault Crypto Service Encryption User"
    ]

    assert given.values["principal_id"] == key.values["principal_id"]
    assert given.values["scope"] == estate.at("azapi_resource.key[0]").id
    handed = estate.outputs["for_estate"]["customer_managed_key"]
    assert handed["identity_id"] == key.id
    assert handed["key_id"].endswith(".vault.azure.net/keys/estate")
