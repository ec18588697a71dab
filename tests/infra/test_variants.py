"""What is null by default, switched on: two estates hold every option between them."""

from __future__ import annotations

import base64
import copy
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from secure_openai.conversations.attachments import LARGEST_BYTES
from secure_openai.edge import attachments
from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.estate import Estate, Resource
from secure_openai.posture.explanation import explain
from secure_openai.posture.proof import prove
from secure_openai.posture.simulation import Workspace, simulate
from secure_openai.posture.topology import Topology
from tests.infra.estate import INFRA, environment

KEY = "ssh-rsa " + "AAAAB3NzaC1yc2EAAAADAQABAAABgQC7" + "a" * 340 + "= operator"
GROUP = "44444444-4444-4444-4444-444444444444"
OWNER = "99999999-9999-9999-9999-999999999999"
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
IDENTITY = (
    f"{SUBSCRIPTION}/resourceGroups/rg-chat-bootstrap/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/id-chat-key"
)
CUSTOMER_KEY = {
    "identity_client_id": "55555555-5555-5555-5555-555555555555",
    "identity_id": IDENTITY,
    "key_id": "https://kv-chat-k-abcde.vault.azure.net/keys/estate",
}
VAULT = f"{SUBSCRIPTION}/resourceGroups/rg-certificates/providers/Microsoft.KeyVault/vaults/kv-c"
ROLE = (
    f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/"
    "88888888-8888-8888-8888-888888888888"
)
ROUTES = f"{SUBSCRIPTION}/resourceGroups/rg-hub/providers/Microsoft.Network/routeTables/out"
CLIENT_IDS = {
    "production": "66666666-6666-6666-6666-666666666666",
    "staging": "77777777-7777-7777-7777-777777777777",
}
ENTRA = {"contact": "the service desk", "tenant_id": "11111111-1111-1111-1111-111111111111"}
RUNNER = {
    "group": "private estate",
    "organization": "contoso",
    "package_sha256": "0" * 64,
    "package_version": "2.330.0",
    "ssh_public_key": KEY,
}
EDGE: dict[str, Any] = {
    "certificate": {"secret_id": "https://kv-c.vault.azure.net/secrets/chat", "vault_id": VAULT},
    "host_name": "chat.contoso.com",
}

INSIDE: dict[str, Any] = {
    "application_owners": [OWNER],
    "customer_managed_key": CUSTOMER_KEY,
    "deployment_manager_role_id": ROLE,
    "edge": EDGE,
    "entra": {**ENTRA, "role_members": {"admin": [GROUP], "user": [GROUP]}},
    "network": {
        "administrator_address_prefixes": ["10.99.7.0/24"],
        "resolver": {},
        "user_address_prefixes": ["192.168.0.0/16"],
    },
    "appearance_file": "ours/appearance.toml",
    "policy_file": "policies/ours.toml",
    "operations": {
        "bastion": {},
        "jump_machine": {"administrators": [GROUP], "ssh_public_key": KEY},
        "policy": {},
        "runner": {"machine": RUNNER},
    },
}
"""Every option that keeps people inside the network."""

OUTSIDE: dict[str, Any] = {
    "edge": {**EDGE, "public_address": True, "source_prefixes": ["Internet"]},
    "entra": {**ENTRA, "client_ids": CLIENT_IDS},
    "network": {"egress_route_table_id": ROUTES, "zones_by_policy": True},
    "operations": {
        "bastion": {
            "public_address": True,
            "sku": "Standard",
            "source_prefixes": ["203.0.113.0/24"],
        },
        "runner": {"github_hosted": {"organization_id": "1234567"}},
    },
}
"""The other choice where there are two: doors of an owner's, and what others made, by id."""


def _applied(variables: dict[str, Any]) -> Estate:
    with simulate(INFRA, var_files=[environment("private")], variables=variables) as done:
        assert done.replan_is_empty
        return Estate.of(done.state)


@pytest.fixture(scope="module")
def _begun() -> Iterator[tuple[Future[Estate], Future[Estate]]]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield pool.submit(_applied, INSIDE), pool.submit(_applied, OUTSIDE)


@pytest.fixture
def inside(_begun: tuple[Future[Estate], Future[Estate]]) -> Estate:
    """Return the estate with every option of `INSIDE`; its second plan is empty."""
    return _begun[0].result()


@pytest.fixture
def outside(_begun: tuple[Future[Estate], Future[Estate]]) -> Estate:
    """Return the estate with every option of `OUTSIDE`; its second plan is empty."""
    return _begun[1].result()


def rules(estate: Estate, subnet: str) -> dict[str, dict[str, Any]]:
    """Return the rules of a subnet's security group by name."""
    group = estate.at(f'module.network[0].azurerm_network_security_group.this["{subnet}"]')
    return {one["name"]: one for one in group.values["security_rule"]}


def machine(estate: Estate, name: str) -> Mapping[str, Any]:
    """Return the jump machine or the runner."""
    return estate.at(f'module.operations.azurerm_linux_virtual_machine.this["{name}"]').values


def test_options_open_nothing(inside: Estate) -> None:
    """With every way in, nothing is reached past its door, takes a key, or goes unseen."""
    file = INFRA / "environments" / "bootstrap.assumptions.json"
    proof = prove(inside, assumed=Assumptions.load(file))

    assert len(proof.judged) > 40
    assert proof.findings == []


def test_machines_have_no_public_address_and_no_password(inside: Estate) -> None:
    """They take keys and Entra only; the jump machine is off at night; only NAT has an address."""
    (bastion,) = inside.every("azurerm_bastion_host")
    (schedule,) = inside.every("azurerm_dev_test_global_vm_shutdown_schedule")

    for name in ("jump", "runner"):
        assert machine(inside, name)["disable_password_authentication"] is True
        assert machine(inside, name)["encryption_at_host_enabled"] is True
    for interface in inside.every("azurerm_network_interface"):
        assert not interface.values["ip_configuration"][0]["public_ip_address_id"]
    assert bastion.values["sku"] == "Premium"
    assert not bastion.values["ip_configuration"][0]["public_ip_address_id"]
    assert schedule.values["virtual_machine_id"] == machine(inside, "jump")["id"]
    assert [one.values["name"] for one in inside.every("azurerm_public_ip")] == ["pip-chat-nat"]


def test_machines_are_reached_through_bastion_and_nothing_else(inside: Estate) -> None:
    """Administrators come by SSH from the Bastion subnet, to register a runner too."""
    bastion = inside.at('module.network[0].azurerm_subnet.this["bastion"]').values

    for subnet in ("administration", "runner"):
        allowed = [
            one
            for one in rules(inside, subnet).values()
            if one["direction"] == "Inbound" and one["access"] == "Allow"
        ]
        assert [one["destination_port_range"] for one in allowed] == ["22"]
        assert [one["source_address_prefix"] for one in allowed] == bastion["address_prefixes"]


def test_machines_can_be_patched(inside: Estate) -> None:
    """What leaves their subnets goes to HTTPS, or to mirrors that speak HTTP, and no further."""
    for subnet in ("administration", "runner"):
        out = rules(inside, subnet)["downloads-outbound"]
        assert sorted(out["destination_port_ranges"]) == ["443", "80"]
        assert rules(inside, subnet)["deny-the-rest-outbound"]["access"] == "Deny"


def test_the_administrator_of_a_machine_is_nobody_ubuntu_knows(inside: Estate) -> None:
    """A user named like a group of the image would not be made, and nobody could sign in."""
    groups = {"adm", "admin", "backup", "daemon", "games", "mail", "man", "operator", "root", "sys"}

    for name in ("jump", "runner"):
        assert machine(inside, name)["admin_username"] not in groups


def test_a_runner_machine_gets_no_token_from_terraform(inside: Estate) -> None:
    """What is kept of the runner is its organisation, its group and the package's checksum."""
    (interface,) = [
        one for one in inside.every("azurerm_network_interface") if "runner" in one.address
    ]
    subnet = inside.at('module.network[0].azurerm_subnet.this["runner"]')
    script = base64.b64decode(machine(inside, "runner")["custom_data"]).decode()

    assert interface.values["ip_configuration"][0]["subnet_id"] == subnet.id
    assert '--url "https://github.com/contoso" --runnergroup "private estate"' in script
    assert f"{'0' * 64}  $package" in script
    # Arguments can be read by every user of the machine.
    assert "--token" not in script
    extensions = inside.every("azurerm_virtual_machine_extension")
    assert [one.values["name"] for one in extensions] == ["AADSSHLoginForLinux"]


def test_a_github_hosted_runner_stands_in_its_delegated_subnet(outside: Estate) -> None:
    """GitHub's network settings name the runner's subnet, which takes nobody in."""
    settings = outside.at("module.operations.azapi_resource.github_network[0]")
    subnet = outside.at('module.network[0].azurerm_subnet.this["runner"]')
    (delegation,) = subnet.values["delegation"]

    assert settings.values["body"]["properties"] == {
        "businessId": "1234567",
        "subnetId": subnet.id,
    }
    assert delegation["service_delegation"][0]["name"] == "GitHub.Network/networkSettings"
    assert not [
        one
        for one in rules(outside, "runner").values()
        if one["direction"] == "Inbound" and one["access"] == "Allow"
    ]


def test_a_policy_lies_in_the_packages(inside: Estate, outside: Estate) -> None:
    """Both applications read the same file of their package, in both slots; else their own."""
    for kind in ("linux_web_app", "linux_function_app"):
        for name in (f"{kind}.this", f"{kind}_slot.staging"):
            address = f"module.app.azurerm_{name}"
            given = inside.at(address).values["app_settings"]
            assert given["SECURE_OPENAI_POLICY"] == "/home/site/wwwroot/policies/ours.toml"
            assert "SECURE_OPENAI_POLICY" not in outside.at(address).values["app_settings"]


def test_an_appearance_lies_in_the_web_applications_package(
    inside: Estate, outside: Estate
) -> None:
    """The web application reads it, in both slots; the function app shows nothing to anybody."""
    for name in ("linux_web_app.this", "linux_web_app_slot.staging"):
        address = f"module.app.azurerm_{name}"
        given = inside.at(address).values["app_settings"]
        assert given["SECURE_OPENAI_APPEARANCE"] == "/home/site/wwwroot/ours/appearance.toml"
        assert "SECURE_OPENAI_APPEARANCE" not in outside.at(address).values["app_settings"]
    jobs = inside.at("module.app.azurerm_linux_function_app.this").values["app_settings"]
    assert "SECURE_OPENAI_APPEARANCE" not in jobs


def test_the_edge_has_a_firewall_and_its_own_name(inside: Estate) -> None:
    """The gateway stops what its rules match, and its address and name are what people use."""
    (gateway,) = inside.every("azurerm_application_gateway")
    (firewall, uploads) = sorted(
        inside.every("azurerm_web_application_firewall_policy"),
        key=lambda one: len(str(one.values["name"])),
    )
    web = inside.at("module.app.azurerm_linux_web_app.this").values["app_settings"]
    (frontend,) = gateway.values["frontend_ip_configuration"]

    (paths,) = gateway.values["url_path_map"]
    (apart,) = paths["path_rule"]
    for policy in (firewall, uploads):
        (settings,) = policy.values["policy_settings"]
        assert settings["mode"] == "Prevention"
        # What people attach passes.
        assert settings["max_request_body_size_in_kb"] * 1000 >= LARGEST_BYTES
        assert policy.values["policy_settings"] == firewall.values["policy_settings"]
        assert policy.values["custom_rules"] == firewall.values["custom_rules"]
    assert rules_off(firewall) == []
    assert rules_off(uploads) == ["920420"]
    # An attachment's type is no form's. No other rule is off, and this one at that address alone.
    assert apart["paths"] == [attachments.PATH]
    assert apart["firewall_policy_id"] == uploads.id
    assert gateway.values["firewall_policy_id"] == firewall.id
    assert gateway.values["global"][0]["response_buffering_enabled"] is False
    assert not frontend["public_ip_address_id"]
    # This kind of gateway takes no address by chance.
    assert frontend["private_ip_address_allocation"] == "Static"
    assert frontend["private_ip_address"] == inside.outputs["edge_address"]
    assert web["SECURE_OPENAI_PUBLIC_URL"] == "https://chat.contoso.com"
    assert web["SECURE_OPENAI_ALLOWED_HOSTS"].endswith(".azurewebsites.net")


def rules_off(policy: Resource) -> list[str]:
    """Return the managed rules that a firewall does not apply."""
    (rules,) = policy.values["managed_rules"]
    return [
        rule["id"]
        for chosen in rules["managed_rule_set"]
        for group in chosen.get("rule_group_override") or ()
        for rule in group["rule"]
        if not rule["enabled"]
    ]


def test_the_edge_reads_one_certificate(inside: Estate) -> None:
    """Its identity opens that secret and no other of the vault."""
    given = inside.at("module.edge[0].azurerm_role_assignment.certificate").values

    assert given["scope"] == f"{VAULT}/secrets/chat"
    assert given["role_definition_name"] == "Key Vault Secrets User"


def test_a_public_door_lets_in_who_is_named_and_is_watched(outside: Estate) -> None:
    """Each public address sends logs; Bastion's admits its list, the edge's whom it names."""
    watched = {
        one.values["target_resource_id"]
        for one in outside.every("azurerm_monitor_diagnostic_setting")
    }
    (gateway,) = [one for one in outside.every("azurerm_public_ip") if "gateway" in one.address]

    assert {one.values["name"] for one in outside.every("azurerm_public_ip")} == {
        "pip-chat-bastion",
        "pip-chat-gateway",
    }
    assert {one.id for one in outside.every("azurerm_public_ip")} <= watched
    assert rules(outside, "bastion")["users-inbound"]["source_address_prefix"] == "203.0.113.0/24"
    assert rules(outside, "gateway")["users-inbound"]["source_address_prefix"] == "Internet"
    assert outside.outputs["edge_address"] == gateway.values["ip_address"]


def test_a_customer_managed_key_covers_all_that_is_kept(inside: Estate) -> None:
    """OpenAI, Cosmos DB, both storage accounts and disks take the key with its identity."""
    (cosmos,) = inside.every("azurerm_cosmosdb_account")
    (disks,) = inside.every("azurerm_disk_encryption_set")

    for kind in ("azurerm_cognitive_account", "azurerm_storage_account"):
        for one in inside.every(kind):
            (key,) = one.values["customer_managed_key"]
            assert key["key_vault_key_id"] == CUSTOMER_KEY["key_id"]
            assert IDENTITY in one.values["identity"][0]["identity_ids"]
    assert cosmos.values["key_vault_key_id"] == CUSTOMER_KEY["key_id"]
    assert cosmos.values["default_identity_type"] == f"UserAssignedIdentity={IDENTITY}"
    assert disks.values["key_vault_key_id"] == CUSTOMER_KEY["key_id"]
    for name in ("jump", "runner"):
        assert machine(inside, name)["os_disk"][0]["disk_encryption_set_id"] == disks.id


def test_policy_denies_what_the_proof_forbids(inside: Estate) -> None:
    """Fourteen built-in policies stand on the application group with the effect Deny."""
    policies = inside.every("azurerm_resource_group_policy_assignment")

    assert len(policies) == 14
    assert {one.values["parameters"] for one in policies} == {'{"effect":{"value":"Deny"}}'}
    assert all(one.values["enforce"] for one in policies)


def test_policy_of_a_trial_denies_keys_and_not_its_door() -> None:
    """What a trial opens on purpose is not denied; the six policies about keys are there."""
    files = [environment("public")]
    with Workspace(INFRA, var_files=files, variables={"operations": {"policy": {}}}) as trial:
        planned = trial.plan().changes

    assert len([one for one in planned if "policy_assignment" in one]) == 6


def test_a_resolver_answers_people_on_premises(inside: Estate) -> None:
    """The resolver has a delegated subnet; people's ranges may ask it."""
    (inbound,) = inside.every("azurerm_private_dns_resolver_inbound_endpoint")
    subnet = inside.at('module.network[0].azurerm_subnet.this["resolver"]')
    found = rules(inside, "endpoints")

    assert inbound.values["ip_configurations"][0]["subnet_id"] == subnet.id
    assert found["web-from-users-inbound"]["source_address_prefix"] == "192.168.0.0/16"
    assert found["deny-the-rest-inbound"]["access"] == "Deny"
    assert inside.outputs["resolver_address"]


@pytest.mark.parametrize("slot", ["production", "staging"])
def test_people_and_the_edge_reach_the_web_application_and_nothing_behind_it(
    inside: Estate, outside: Estate, slot: str
) -> None:
    """Their rules end at the addresses of its endpoints; administrators' end at every endpoint."""
    for estate, kind in ((inside, "web"), (outside, "web_by_policy")):
        endpoint = estate.at(f'module.app.azurerm_private_endpoint.{kind}["{slot}"]')
        (taken,) = endpoint.values["ip_configuration"]
        edge = rules(estate, "endpoints")["web-from-edge-inbound"]
        out = rules(estate, "gateway")["web-outbound"]

        reached = taken["private_ip_address"] == edge["destination_address_prefix"]
        assert reached == (slot == "production")
        assert out["destination_address_prefix"] == edge["destination_address_prefix"]
    (taken,) = inside.at(f'module.app.azurerm_private_endpoint.web["{slot}"]').values[
        "ip_configuration"
    ]
    found = rules(inside, "endpoints")
    assert (
        taken["private_ip_address"]
        in (found["web-from-users-inbound"]["destination_address_prefixes"])
    )
    (subnet,) = inside.at('module.network[0].azurerm_subnet.this["endpoints"]').values[
        "address_prefixes"
    ]
    everything = found["https-from-callers-inbound"]
    assert everything["destination_address_prefix"] == subnet
    assert "10.99.7.0/24" in everything["source_address_prefixes"]
    assert "192.168.0.0/16" not in everything["source_address_prefixes"]


def test_the_way_from_the_edge_ends_at_the_web_application(inside: Estate) -> None:
    """The proof walks it: the gateway's subnet reaches the web application, and not Cosmos DB."""
    topology = Topology(inside, None, Assumptions())
    ways = {
        f"{one.target}": one.open
        for target in ("web", "cosmos", "model", "vault", "storage")
        for one in explain(topology, f"snet-gateway -> {target}")
    }

    assert [target for target, is_open in ways.items() if is_open is not False] == [
        target for target in ways if target.startswith("app-chat") and "staging" not in target
    ]
    assert len(ways) > 5


def test_an_address_that_an_endpoint_cannot_have_is_not_believed(inside: Estate) -> None:
    """Written beside its subnet it says nothing: the whole subnet is asked, and is not open."""
    address = 'module.app.azurerm_private_endpoint.web["production"]'
    values = copy.deepcopy(dict(inside.at(address).values))
    values["ip_configuration"][0]["private_ip_address"] = "192.0.2.1"
    moved = [
        replace(one, values=values) if one.address == address else one for one in inside.resources
    ]
    topology = Topology(replace(inside, resources=tuple(moved)), None, Assumptions())
    ways = {one.target: one.open for one in explain(topology, "snet-gateway -> web")}

    assert len(ways) == 2
    assert set(ways.values()) == {False}


def test_zones_that_a_policy_attaches_are_left_alone(outside: Estate) -> None:
    """With zones_by_policy no zone is made and no endpoint names one."""
    endpoints = outside.every("azurerm_private_endpoint")

    assert not outside.every("azurerm_private_dns_zone")
    assert len(endpoints) == 13
    assert not any(one.values["private_dns_zone_group"] for one in endpoints)


def test_a_firewall_replaces_nat(outside: Estate) -> None:
    """With a route table the subnets that leave use it, and there is no NAT."""
    routes = outside.every("azurerm_subnet_route_table_association")

    assert not outside.every("azurerm_nat_gateway")
    assert {one.values["route_table_id"] for one in routes} == {ROUTES}
    assert {one.values["subnet_id"].rpartition("-")[2] for one in routes} == {
        "applications",
        "runner",
    }


def test_groups_hold_the_roles(inside: Estate) -> None:
    """Each named group holds its role in both slots; the pipeline owns the applications."""
    given = inside.every("azuread_app_role_assignment")
    applications = inside.every("azuread_application")

    assert len(given) == 4
    assert {one.values["principal_object_id"] for one in given} == {GROUP}
    assert all(one.values["owners"] == [OWNER] for one in applications)


def test_applications_made_by_someone_else_are_used_by_id(outside: Estate) -> None:
    """With client ids no Entra application is made, and the settings carry the ids."""
    web = outside.at("module.app.azurerm_linux_web_app.this").values["app_settings"]

    assert not [one for one in outside.resources if one.type.startswith("azuread_")]
    assert web["SECURE_OPENAI_CLIENT_ID"] == CLIENT_IDS["production"]
    assert "command_line_client_id" not in outside.outputs  # Terraform keeps no null


def test_whoever_makes_the_applications_is_told_what_they_must_have(
    inside: Estate, outside: Estate
) -> None:
    """The contract for someone else's applications is what ours are."""
    for slot, ours in inside.outputs["entra_applications"].items():
        made = inside.at(f'module.identity.azuread_application.this["{slot}"]').values
        vouched = inside.at(
            f'module.identity.azuread_application_federated_identity_credential.this["{slot}"]'
        ).values
        principal = inside.at(f'module.identity.azuread_service_principal.this["{slot}"]').values
        (web,), (api,), (claims,) = made["web"], made["api"], made["optional_claims"]

        assert [ours["redirect_address"]] == web["redirect_uris"]
        assert ours["access_token_version"] == api["requested_access_token_version"]
        assert [ours["scope"]] == [one["value"] for one in api["oauth2_permission_scope"]]
        assert ours["optional_claims"] == [one["name"] for one in claims["access_token"]]
        assert ours["roles"] == {
            role["value"]: role["allowed_member_types"] for role in made["app_role"]
        }
        assert ours["federated_credential"] == {
            "audience": vouched["audiences"][0],
            "issuer": vouched["issuer"],
            "subject": vouched["subject"],
        }
        assert ours["assignment_required"] == principal["app_role_assignment_required"]

        theirs = outside.outputs["entra_applications"][slot]
        identity = outside.at(f'module.identity.azurerm_user_assigned_identity.this["web-{slot}"]')
        assert theirs["federated_credential"]["subject"] == identity.values["principal_id"]
        assert theirs.keys() == ours.keys()


def test_the_deployment_manager_is_assigned_by_id(inside: Estate) -> None:
    """Bootstrap's custom role is given to production's web application on each account."""
    given = [
        one
        for one in inside.every("azurerm_role_assignment")
        if one.address.startswith("azurerm_role_assignment.manage_deployments")
    ]
    web = inside.at('module.identity.azurerm_user_assigned_identity.this["web-production"]')

    assert len(given) == 2
    assert {one.values["principal_id"] for one in given} == {web.values["principal_id"]}


def test_outputs_name_what_operation_asks_for(inside: Estate, outside: Estate) -> None:
    """Names, ids and addresses of what exists, null for what does not, and nothing else."""
    names, network = inside.outputs["names"], inside.outputs["network"]

    assert names["bastion"] == "bas-chat"
    assert names["jump_machine"] == "vm-chat-jump"
    assert names["runner_machine"] == "vm-chat-runner"
    assert names["network_group"] == "rg-chat-network"
    assert (
        network["virtual_network_id"]
        == inside.at("module.network[0].azurerm_virtual_network.this").id
    )
    assert set(network["subnet_ids"]) == {
        "administration",
        "applications",
        "bastion",
        "endpoints",
        "gateway",
        "resolver",
        "runner",
    }
    assert set(inside.outputs["identities"]) == {
        "functions-production",
        "functions-staging",
        "web-production",
        "web-staging",
    }
    assert "github_network_id" not in inside.outputs
    assert outside.outputs["names"]["jump_machine"] is None
