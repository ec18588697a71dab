"""What one call shows of a whole estate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secure_openai.posture.simulation import SECRET_PREFIX, Simulation, SimulationError, simulate
from tests.posture.simulation.conftest import CORES, ESTATE, GROUP, Write


@pytest.fixture(scope="module")
def estate() -> Iterator[Simulation]:
    """The estate, applied once for the tests that only look at it."""
    with simulate(ESTATE) as done:
        yield done


def values(done: Simulation) -> dict[str, dict[str, Any]]:
    """Return what each resource holds, by address."""
    resources = done.state["values"]["root_module"]["resources"]
    return {resource["address"]: resource["values"] for resource in resources}


def outputs(done: Simulation) -> dict[str, Any]:
    """Return the outputs by name."""
    return {name: one["value"] for name, one in done.state["values"]["outputs"].items()}


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return what stands at a path."""
    for part in path:
        value = value[part]
    return value


@pytest.mark.parametrize("core", CORES)
def test_estate_comes_and_goes(core: str) -> None:
    """Every Terraform at hand creates the estate, finds nothing more to do, and destroys it."""
    with simulate(ESTATE, core=core) as done:
        created = {c["address"] for c in done.plan["resource_changes"] if c["mode"] == "managed"}
        gone = done.destroy()

    assert done.replan_is_empty
    assert len(created) > 50
    assert created == set(gone.changes)
    assert {("delete",)} == set(gone.changes.values())


def test_relations_resolve(estate: Simulation) -> None:
    """A private endpoint points at the service, the subnet and the zone that it names."""
    held = values(estate)
    endpoint = held['azurerm_private_endpoint.this["cosmos"]']

    (connection,) = endpoint["private_service_connection"]
    (group,) = endpoint["private_dns_zone_group"]
    assert held["azurerm_subnet.endpoints"]["id"] == endpoint["subnet_id"]
    assert (
        held["azurerm_cosmosdb_account.this"]["id"] == connection["private_connection_resource_id"]
    )
    assert [held['azurerm_private_dns_zone.this["cosmos"]']["id"]] == group["private_dns_zone_ids"]
    assert connection["private_ip_address"].startswith("198.1")


def test_addresses_are_those_of_azure(estate: Simulation) -> None:
    """Services answer on the hosts that Azure would give them."""
    found = outputs(estate)

    assert found["web"] == "demo-web.azurewebsites.net"
    assert "https://demo-cosmos.documents.azure.com:443/" in found["host"]
    assert "https://demo-openai.openai.azure.com/" in found["host"]
    assert "demo-web-staging.azurewebsites.net" in found["host"]
    assert "https://demostore.blob.core.windows.net/" in found["host"]


def test_no_setting_is_invented(estate: Simulation) -> None:
    """What Azure would choose stays null, and every default is the provider's."""
    held = values(estate)
    subnet, app = held["azurerm_subnet.apps"], held["azurerm_linux_web_app.this"]

    assert subnet["network_security_group_id"] is None
    assert subnet["private_endpoint_network_policies"] == "Disabled"
    assert app["public_network_access_enabled"] is False
    assert app["ftp_publish_basic_authentication_enabled"] is True
    assert app["key_vault_reference_identity_id"] is None
    assert held["azurerm_storage_account.this"]["secondary_blob_endpoint"] is None


def test_everything_invented_is_marked(estate: Simulation) -> None:
    """Ids, addresses and data sources are marked as made up; what is configured is not."""
    vault, client = "azurerm_key_vault.this", "data.azurerm_client_config.this"

    assert (vault, ("id",)) in estate.invented
    assert (vault, ("vault_uri",)) in estate.invented
    assert (client, ("tenant_id",)) in estate.invented
    slot = "azurerm_linux_web_app_slot.staging"
    assert (slot, ("identity", 0, "principal_id")) in estate.invented
    assert ('azurerm_private_endpoint.this["web"]', ("id",)) in estate.invented
    for name in ("name", "sku_name", "public_network_access_enabled", "soft_delete_retention_days"):
        assert (vault, (name,)) not in estate.invented


def test_marks_lead_to_values(estate: Simulation) -> None:
    """Every mark names a value that the state holds."""
    held = values(estate)

    assert estate.invented
    for address, path in estate.invented:
        assert at(held[address], path) is not None, (address, path)


def test_keys_can_be_recognised(estate: Simulation) -> None:
    """An invented key says what it is, so that a copy of it is found wherever it went."""
    held = values(estate)

    key = held["azurerm_storage_account.this"]["primary_access_key"]
    assert key.startswith(f"{SECRET_PREFIX}storage-account-primary-access-key-")
    assert held["azurerm_cognitive_account.this"]["primary_access_key"] is None


def test_roles_of_an_application_reach_its_service_principal(estate: Simulation) -> None:
    """The roles that an application declares can be looked up by value and assigned."""
    held = values(estate)
    (role,) = (
        role["id"]
        for role in held["azuread_application.this"]["app_role"]
        if role["value"] == "admin"
    )

    assert role == outputs(estate)["roles"]["admin"]
    assert role == held["azuread_app_role_assignment.admins"]["app_role_id"]


def test_azapi_answers_from_its_body(estate: Simulation) -> None:
    """An exported value comes from the body, and one that the body lacks is null."""
    key = values(estate)["azapi_resource.key"]

    assert key["output"] == {"properties": {"keyUri": None, "kty": "RSA"}}
    assert key["id"].endswith("/providers/Microsoft.KeyVault/vaults/demo-kv/keys/cmk")


def test_ids_are_the_same_every_time(estate: Simulation) -> None:
    """Two simulations invent the same ids."""
    with simulate(ESTATE) as again:
        first, second = values(estate), values(again)

    assert {a: v["id"] for a, v in first.items()} == {a: v["id"] for a, v in second.items()}


def test_versions_are_told(estate: Simulation) -> None:
    """The result names the providers that it stands for."""
    assert estate.versions["hashicorp/azurerm"] == "5.2.0"
    assert estate.seconds > 0


def test_progress_is_told(write: Write) -> None:
    """Whoever asks is told each command and each resource."""
    told: list[str] = []

    with simulate(write(GROUP), progress=told.append):
        pass

    assert "terraform plan" in told
    assert any("azurerm_resource_group.this: Creation complete" in line for line in told)


def test_environment_of_the_caller_stays_out(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a variable nor a credential of the caller's environment reaches Terraform."""
    monkeypatch.setenv("TF_VAR_name", "leaked")
    monkeypatch.setenv("TF_CLI_ARGS", "-nonsense")
    folder = write('variable "name" {\n default = "own"\n}\noutput "name" {\n value = var.name\n}')

    with simulate(folder) as done:
        assert outputs(done) == {"name": "own"}


def test_nothing_is_written_beside_the_configuration(write: Write) -> None:
    """The folder holds after a simulation what it held before."""
    folder = write(GROUP)
    before = {path: path.read_bytes() for path in folder.rglob("*")}

    with simulate(folder) as done:
        done.destroy()

    assert before == {path: path.read_bytes() for path in folder.rglob("*")}


def test_var_files_and_variables(write: Write, tmp_path: Path) -> None:
    """Later files win over earlier ones, and values over files, whatever their type."""
    folder = write(
        'variable "a" {}\nvariable "b" {}\nvariable "c" {\n type = map(list(string))\n}\n'
        'output "all" {\n value = [var.a, var.b, var.c]\n}'
    )
    one, two = tmp_path / "one.tfvars", tmp_path / "two.tfvars"
    one.write_text('a = "one"\nb = "one"\n')
    two.write_text('b = "two"\n')

    with simulate(folder, var_files=[one, two], variables={"c": {"k": ["${x}"]}}) as done:
        assert outputs(done)["all"] == ["one", "two", {"k": ["${x}"]}]


def test_sensitive_values_are_marked(write: Write) -> None:
    """Terraform knows which of the invented values are secret."""
    folder = write(
        GROUP
        + """
resource "azurerm_log_analytics_workspace" "this" {
  name                = "logs"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
}
output "key" {
  value = azurerm_log_analytics_workspace.this.primary_shared_key
}
"""
    )

    with pytest.raises(SimulationError, match="Output refers to sensitive values"):
        simulate(folder)


def test_write_only_values_are_kept_nowhere(write: Write) -> None:
    """What is written only leaves no trace in plan, state or marks."""
    folder = write(
        """
resource "azurerm_key_vault_secret" "this" {
  name             = "secret"
  key_vault_id     = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"
  value_wo         = "hush-hush"
  value_wo_version = 1
}
"""
    )

    with simulate(folder) as done:
        secret = values(done)["azurerm_key_vault_secret.this"]

    assert secret["value_wo"] is None
    assert secret["id"].startswith("https://kv.vault.azure.net/secrets/secret/")
    kept = [done.state, done.plan["planned_values"], done.plan["resource_changes"]]
    assert "hush-hush" not in json.dumps(kept)
    assert done.replan_is_empty


def test_government_has_its_own_hosts(write: Write) -> None:
    """The provider's environment decides which cloud's names are invented."""
    folder = write(
        """
resource "azurerm_key_vault" "this" {
  name                       = "kv"
  location                   = "usgovvirginia"
  resource_group_name        = "group"
  tenant_id                  = "11111111-1111-1111-1111-111111111111"
  sku_name                   = "standard"
  rbac_authorization_enabled = true
}
output "uri" {
  value = azurerm_key_vault.this.vault_uri
}
""",
        header='provider "azurerm" {\n  features {}\n  environment = "usgovernment"\n}\n',
    )

    with simulate(folder) as done:
        assert outputs(done)["uri"] == "https://kv.vault.usgovcloudapi.net/"
