"""What is null by default, switched on; each variant applies and plans again empty."""

from __future__ import annotations

from typing import Any

from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation import simulate
from tests.infra.estate import INFRA, environment

KEY = "ssh-rsa " + "AAAAB3NzaC1yc2EAAAADAQABAAABgQC7" + "a" * 340 + "= operator"
GROUP = "44444444-4444-4444-4444-444444444444"
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


def applied(name: str = "private", **variables: Any) -> Estate:
    """Apply an environment with further variables; its second plan is empty."""
    with simulate(INFRA, var_files=[environment(name)], variables=variables) as done:
        assert done.replan_is_empty
        return Estate.of(done.state)


def test_bastion_and_a_jump_machine_have_no_public_address() -> None:
    """The machine takes keys and Entra only, is off at night; only NAT has a public address."""
    estate = applied(
        operations={
            "bastion": {},
            "jump_machine": {"administrators": [GROUP], "ssh_public_key": KEY},
        }
    )
    (machine,) = estate.every("azurerm_linux_virtual_machine")
    (bastion,) = estate.every("azurerm_bastion_host")
    (interface,) = estate.every("azurerm_network_interface")
    (schedule,) = estate.every("azurerm_dev_test_global_vm_shutdown_schedule")

    assert machine.values["disable_password_authentication"] is True
    assert machine.values["encryption_at_host_enabled"] is True
    assert not interface.values["ip_configuration"][0]["public_ip_address_id"]
    assert bastion.values["sku"] == "Premium"
    assert not bastion.values["ip_configuration"][0]["public_ip_address_id"]
    assert schedule.values["virtual_machine_id"] == machine.id
    assert [one.values["name"] for one in estate.every("azurerm_public_ip")] == ["pip-chat-nat"]


def test_a_runner_machine_gets_no_token_from_terraform() -> None:
    """What is kept of the runner is its organisation and the package's checksum."""
    estate = applied(
        operations={
            "runner": {
                "machine": {
                    "organization": "contoso",
                    "package_sha256": "0" * 64,
                    "package_version": "2.330.0",
                    "ssh_public_key": KEY,
                }
            }
        }
    )
    (machine,) = estate.every("azurerm_linux_virtual_machine")
    (interface,) = estate.every("azurerm_network_interface")
    runner = estate.at('module.network[0].azurerm_subnet.this["runner"]')

    assert machine.values["custom_data"]
    assert interface.values["ip_configuration"][0]["subnet_id"] == runner.id
    assert not [one for one in estate.resources if "extension" in one.type]


def test_a_github_hosted_runner_stands_in_its_delegated_subnet() -> None:
    """GitHub's network settings name the runner's subnet, which is delegated to GitHub."""
    estate = applied(operations={"runner": {"github_hosted": {"organization_id": "1234567"}}})
    settings = estate.at("module.operations.azapi_resource.github_network[0]")
    subnet = estate.at('module.network[0].azurerm_subnet.this["runner"]')
    (delegation,) = subnet.values["delegation"]

    assert settings.values["body"]["properties"] == {
        "businessId": "1234567",
        "subnetId": subnet.id,
    }
    assert delegation["service_delegation"][0]["name"] == "GitHub.Network/networkSettings"


def test_the_edge_has_a_firewall_and_its_own_name() -> None:
    """The gateway stops what its rules match, reads its certificate, and is what people type."""
    edge = {
        "certificate": {
            "secret_id": "https://kv-c.vault.azure.net/secrets/chat",
            "vault_id": VAULT,
        },
        "host_name": "chat.contoso.com",
    }
    estate = applied(edge=edge)
    (gateway,) = estate.every("azurerm_application_gateway")
    (firewall,) = estate.every("azurerm_web_application_firewall_policy")
    web = estate.at("module.app.azurerm_linux_web_app.this").values["app_settings"]
    (frontend,) = gateway.values["frontend_ip_configuration"]

    assert firewall.values["policy_settings"][0]["mode"] == "Prevention"
    assert gateway.values["firewall_policy_id"] == firewall.id
    assert gateway.values["global"][0]["response_buffering_enabled"] is False
    assert not frontend["public_ip_address_id"]
    assert web["SECURE_OPENAI_PUBLIC_URL"] == "https://chat.contoso.com"
    assert web["SECURE_OPENAI_ALLOWED_HOSTS"].endswith(".azurewebsites.net")

    opened = applied(
        edge={**edge, "public_address": True, "source_prefixes": ["Internet"]},
        operations={"bastion": {"public_address": True, "sku": "Standard"}},
    )
    watched = {
        one.values["target_resource_id"]
        for one in opened.every("azurerm_monitor_diagnostic_setting")
    }
    assert len(opened.every("azurerm_public_ip")) == 3
    assert {one.id for one in opened.every("azurerm_public_ip")} <= watched


def test_a_customer_managed_key_covers_all_that_is_kept() -> None:
    """OpenAI, Cosmos DB, both storage accounts and disks take the key with its identity."""
    estate = applied(
        customer_managed_key=CUSTOMER_KEY,
        operations={"jump_machine": {"administrators": [GROUP], "ssh_public_key": KEY}},
    )
    (cosmos,) = estate.every("azurerm_cosmosdb_account")
    (disks,) = estate.every("azurerm_disk_encryption_set")
    (machine,) = estate.every("azurerm_linux_virtual_machine")

    for kind in ("azurerm_cognitive_account", "azurerm_storage_account"):
        for one in estate.every(kind):
            (key,) = one.values["customer_managed_key"]
            assert key["key_vault_key_id"] == CUSTOMER_KEY["key_id"]
            assert IDENTITY in one.values["identity"][0]["identity_ids"]
    assert cosmos.values["key_vault_key_id"] == CUSTOMER_KEY["key_id"]
    assert cosmos.values["default_identity_type"] == f"UserAssignedIdentity={IDENTITY}"
    assert disks.values["key_vault_key_id"] == CUSTOMER_KEY["key_id"]
    assert machine.values["os_disk"][0]["disk_encryption_set_id"] == disks.id


def test_policy_denies_what_the_proof_forbids() -> None:
    """Fourteen built-in policies stand on the application group with the effect Deny."""
    estate = applied(operations={"policy": {}})
    policies = estate.every("azurerm_resource_group_policy_assignment")
    trial = applied("public", operations={"policy": {}})

    assert len(policies) == 14
    assert {one.values["parameters"] for one in policies} == {'{"effect":{"value":"Deny"}}'}
    assert all(one.values["enforce"] for one in policies)
    assert len(trial.every("azurerm_resource_group_policy_assignment")) == 6


def test_a_resolver_answers_people_on_premises() -> None:
    """The resolver has a delegated subnet; people's ranges may ask it and reach the endpoints."""
    estate = applied(network={"resolver": {}, "user_address_prefixes": ["192.168.0.0/16"]})
    (inbound,) = estate.every("azurerm_private_dns_resolver_inbound_endpoint")
    subnet = estate.at('module.network[0].azurerm_subnet.this["resolver"]')
    group = estate.at('module.network[0].azurerm_network_security_group.this["endpoints"]')
    rules = {one["name"]: one for one in group.values["security_rule"]}

    assert inbound.values["ip_configurations"][0]["subnet_id"] == subnet.id
    assert "192.168.0.0/16" in rules["https-from-callers-inbound"]["source_address_prefixes"]
    assert rules["deny-the-rest-inbound"]["access"] == "Deny"
    assert estate.outputs["resolver_address"]


def test_zones_that_a_policy_attaches_are_left_alone() -> None:
    """With zones_by_policy no zone is made and no endpoint names one."""
    estate = applied(network={"zones_by_policy": True})

    assert not estate.every("azurerm_private_dns_zone")
    endpoints = estate.every("azurerm_private_endpoint")
    assert len(endpoints) == 13
    assert not any(one.values["private_dns_zone_group"] for one in endpoints)


def test_a_firewall_replaces_nat() -> None:
    """With a route table the subnets that leave use it, and no public address exists."""
    table = f"{SUBSCRIPTION}/resourceGroups/rg-hub/providers/Microsoft.Network/routeTables/out"
    estate = applied(network={"egress_route_table_id": table})

    assert not estate.every("azurerm_nat_gateway")
    assert not estate.every("azurerm_public_ip")
    (route,) = estate.every("azurerm_subnet_route_table_association")
    assert route.values["route_table_id"] == table


def test_applications_made_by_someone_else_are_used_by_id() -> None:
    """With client ids no Entra application is made, and the settings carry the ids."""
    ids = {
        "production": "66666666-6666-6666-6666-666666666666",
        "staging": "77777777-7777-7777-7777-777777777777",
    }
    estate = applied(
        entra={
            "client_ids": ids,
            "contact": "the service desk",
            "tenant_id": "11111111-1111-1111-1111-111111111111",
        }
    )
    web = estate.at("module.app.azurerm_linux_web_app.this").values["app_settings"]

    assert not [one for one in estate.resources if one.type.startswith("azuread_")]
    assert web["SECURE_OPENAI_CLIENT_ID"] == ids["production"]


def test_the_deployment_manager_is_assigned_by_id() -> None:
    """Bootstrap's custom role is given to production's web application on each account."""
    role = (
        f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/"
        "88888888-8888-8888-8888-888888888888"
    )
    estate = applied(deployment_manager_role_id=role)
    given = [
        one
        for one in estate.every("azurerm_role_assignment")
        if one.address.startswith("azurerm_role_assignment.manage_deployments")
    ]
    web = estate.at('module.identity.azurerm_user_assigned_identity.this["web-production"]')

    assert len(given) == 2
    assert {one.values["principal_id"] for one in given} == {web.values["principal_id"]}
