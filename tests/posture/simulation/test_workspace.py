"""A simulated cloud through plans, changes and replacements."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_openai.posture.simulation import SimulationError, Workspace
from tests.posture.simulation.conftest import CORES, ESTATE, GROUP, HEADER, Write

CHAIN = """
variable "location" {
  default = "westeurope"
}

variable "sku" {
  default = "standard"
}

resource "azurerm_resource_group" "this" {
  name     = "group"
  location = var.location
}

resource "azurerm_key_vault" "this" {
  name                       = "kv"
  location                   = azurerm_resource_group.this.location
  resource_group_name        = azurerm_resource_group.this.name
  tenant_id                  = "11111111-1111-1111-1111-111111111111"
  sku_name                   = var.sku
  rbac_authorization_enabled = true
}

resource "azurerm_key_vault_secret" "this" {
  name             = "s"
  key_vault_id     = azurerm_key_vault.this.id
  value_wo         = "x"
  value_wo_version = 1
}
"""


def test_change_in_place(write: Write) -> None:
    """A changed argument that Azure can change updates its resource and no other."""
    with Workspace(write(CHAIN)) as workspace:
        workspace.apply()
        workspace.variables["sku"] = "premium"
        planned = workspace.plan()
        workspace.apply()

        assert planned.changes == {"azurerm_key_vault.this": ("update",)}
        assert planned.replaced == {}
        assert workspace.plan().is_empty


def test_replacement_cascades(write: Write) -> None:
    """What Azure cannot change in place is replaced, and so is what hangs on its id."""
    with Workspace(write(CHAIN)) as workspace:
        workspace.apply()
        workspace.variables["location"] = "northeurope"
        planned = workspace.plan()
        workspace.apply()

        assert planned.replaced == {
            "azurerm_key_vault.this": [["location"]],
            "azurerm_key_vault_secret.this": [["key_vault_id"]],
            "azurerm_resource_group.this": [["location"]],
        }
        assert workspace.plan().is_empty


def test_private_to_public_and_back() -> None:
    """Opening the estate removes its endpoints and flips its doors, and closing it undoes that."""
    with Workspace(ESTATE) as workspace:
        before = workspace.apply()
        workspace.variables["public"] = True
        opened = workspace.plan()
        workspace.apply()
        workspace.variables["public"] = False
        workspace.plan()
        after = workspace.apply()

    deleted = {address for address, actions in opened.changes.items() if actions == ("delete",)}
    assert deleted
    assert all(address.startswith("azurerm_private_endpoint") for address in deleted)
    assert opened.changes["azurerm_cosmosdb_account.this"] == ("update",)
    assert opened.replaced == {}
    assert before["values"] == after["values"]


def test_nested_blocks_change(write: Write) -> None:
    """A rule added to a set of blocks is an update, and the plan after it is empty."""
    text = (
        GROUP
        + """
variable "rules" {
  default = ["a"]
}

resource "azurerm_network_security_group" "this" {
  name                = "nsg"
  location            = "westeurope"
  resource_group_name = azurerm_resource_group.this.name

  dynamic "security_rule" {
    for_each = var.rules
    content {
      name                       = security_rule.value
      priority                   = 100 + security_rule.key
      direction                  = "Inbound"
      access                     = "Deny"
      protocol                   = "*"
      source_port_range          = "*"
      destination_port_range     = "*"
      source_address_prefix      = "*"
      destination_address_prefix = "*"
    }
  }
}
"""
    )
    with Workspace(write(text)) as workspace:
        workspace.apply()
        workspace.variables["rules"] = ["a", "b"]
        planned = workspace.plan()
        workspace.apply()

        assert planned.changes == {"azurerm_network_security_group.this": ("update",)}
        assert workspace.plan().is_empty


def test_new_block_is_unknown_until_applied(write: Write) -> None:
    """An identity added to a resource gets its principal when the change is applied."""
    text = """
variable "identity" {
  default = []
}

resource "azurerm_container_registry" "this" {
  name                = "registry"
  location            = "westeurope"
  resource_group_name = "group"
  sku                 = "Premium"

  dynamic "identity" {
    for_each = var.identity
    content {
      type = "SystemAssigned"
    }
  }
}

output "principal" {
  value = azurerm_container_registry.this.identity[*].principal_id
}
"""
    with Workspace(write(text)) as workspace:
        workspace.apply()
        workspace.variables["identity"] = [1]
        planned = workspace.plan()
        state = workspace.apply()

        assert planned.changes == {"azurerm_container_registry.this": ("update",)}
        assert len(state["values"]["outputs"]["principal"]["value"][0]) == 36
        path = ("identity", 0, "principal_id")
        assert ("azurerm_container_registry.this", path) in workspace.invented
        assert ("azurerm_container_registry.this", ("id",)) in workspace.invented
        assert workspace.plan().is_empty


def test_azapi_changes(write: Write) -> None:
    """A changed body updates and makes the output unknown; a changed type or name replaces."""
    text = """
variable "type" {
  default = "Microsoft.KeyVault/vaults/keys@2023-07-01"
}

variable "size" {
  default = 2048
}

resource "azapi_resource" "this" {
  type      = var.type
  name      = "key"
  parent_id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"
  body = {
    properties = { keySize = var.size }
  }
  response_export_values = { size = "properties.keySize" }
}

output "size" {
  value = azapi_resource.this.output.size
}
"""
    with Workspace(write(text)) as workspace:
        first = workspace.apply()
        workspace.variables["size"] = 3072
        body = workspace.plan()
        second = workspace.apply()
        workspace.variables["type"] = "Microsoft.KeyVault/vaults/keys@2024-11-01"
        version = workspace.plan()
        workspace.variables["type"] = "Microsoft.KeyVault/vaults/secrets@2024-11-01"
        kind = workspace.plan()

    assert first["values"]["outputs"]["size"]["value"] == 2048
    assert second["values"]["outputs"]["size"]["value"] == 3072
    assert body.changes == {"azapi_resource.this": ("update",)}
    assert version.changes == {"azapi_resource.this": ("update",)}
    assert kind.replaced["azapi_resource.this"] == [["type"]]


def test_modules_beside_the_folder(tmp_path: Path) -> None:
    """A module above the folder, and a file read by path, are found where they are."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "modules" / "group").mkdir(parents=True)
    (tmp_path / "modules" / "group" / "main.tf").write_text(
        GROUP + 'output "text" {\n value = file("${path.module}/../../tables/text.txt")\n}\n'
    )
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "text.txt").write_text("table")
    folder = tmp_path / "infra" / "root"
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(
        HEADER + 'module "group" {\n  source = "../../modules/group"\n}\n'
        'output "text" {\n  value = module.group.text\n}\n'
    )

    with Workspace(folder) as workspace:
        state = workspace.apply()

        assert state["values"]["outputs"]["text"]["value"] == "table"
        assert ("module.group.azurerm_resource_group.this", ("id",)) in workspace.invented


@pytest.mark.parametrize(
    "backend",
    [
        'backend "azurerm" {\n use_oidc = true\n}',
        'cloud {\n organization = "o"\n workspaces {\n  name = "w"\n }\n}',
    ],
)
def test_declared_backend_is_not_used(backend: str, write: Write) -> None:
    """State stays in the simulation, whatever backend the configuration declares."""
    with Workspace(write(GROUP + f"terraform {{\n{backend}\n}}\n")) as workspace:
        assert workspace.apply()["values"]["root_module"]["resources"]


def test_state_of_the_folder_is_not_seen(write: Write) -> None:
    """A real state that lies beside the configuration is neither read nor changed."""
    folder = write(GROUP)
    (folder / "terraform.tfstate").write_text("not even JSON")

    with Workspace(folder) as workspace:
        assert workspace.plan().changes == {"azurerm_resource_group.this": ("create",)}

    assert (folder / "terraform.tfstate").read_text() == "not even JSON"


def test_validate_needs_no_variables(write: Write) -> None:
    """A configuration is checked without values for its variables."""
    good = write(
        'variable "x" {}\nresource "azurerm_resource_group" "this" {\n'
        '  name = var.x\n  location = "b"\n}\n'
    )

    with Workspace(good) as workspace:
        assert workspace.validate() == ()


def test_validate_refuses(write: Write) -> None:
    """A configuration that is wrong is refused before any plan."""
    with (
        Workspace(write('resource "azurerm_resource_group" "this" {}')) as workspace,
        pytest.raises(SimulationError, match='"location" is required'),
    ):
        workspace.validate()


def test_terraform_test(write: Write) -> None:
    """Test files run on the stand-ins in a cloud of their own, and each run is reported."""
    folder = write(CHAIN)
    (folder / "tests").mkdir()
    (folder / "tests" / "vault.tftest.hcl").write_text(
        """
run "planned" {
  command = plan
  assert {
    condition     = azurerm_key_vault.this.purge_protection_enabled == null
    error_message = "It is protected."
  }
}
run "applied" {
  assert {
    condition     = azurerm_key_vault.this.vault_uri == "https://kv.vault.azure.net/"
    error_message = "It is elsewhere."
  }
}
run "wrong" {
  command = plan
  assert {
    condition     = azurerm_key_vault.this.sku_name == "premium"
    error_message = "It is not premium."
  }
}
"""
    )
    with Workspace(folder) as workspace:
        workspace.apply()
        report = workspace.test()

        assert not report.passed
        assert [(run.name, run.status) for run in report.runs] == [
            ("planned", "pass"),
            ("applied", "pass"),
            ("wrong", "fail"),
        ]
        assert "It is not premium." in [one.detail for one in report.diagnostics]
        assert workspace.plan().is_empty


def test_mocked_provider(write: Write) -> None:
    """Test files that mock a provider find its schema."""
    folder = write(CHAIN)
    (folder / "mock.tftest.hcl").write_text(
        """
mock_provider "azurerm" {}
run "planned" {
  command = plan
  assert {
    condition     = azurerm_key_vault.this.sku_name == "standard"
    error_message = "It is not standard."
  }
}
"""
    )
    with Workspace(folder) as workspace:
        assert workspace.test().passed


def test_no_tests(write: Write) -> None:
    """A folder without tests is not taken for one whose tests pass."""
    with (
        Workspace(write(GROUP)) as workspace,
        pytest.raises(SimulationError, match="There are no tests here"),
    ):
        workspace.test()


def test_invented_before_anything_is_applied(write: Write) -> None:
    """Nothing is made up of what does not exist."""
    with Workspace(write(GROUP)) as workspace:
        assert frozenset() == workspace.invented


def test_workspaces_are_strangers(write: Write) -> None:
    """What exists in one workspace does not exist in another, nor in the next."""
    folder = write(GROUP)

    with Workspace(folder) as one, Workspace(folder) as other:
        one.apply()
        other.apply()
    with Workspace(folder) as third:
        assert third.apply()["values"]["root_module"]["resources"]


def test_a_command_that_takes_too_long(write: Write) -> None:
    """Terraform is stopped when its time is over, and the next workspace works again."""
    folder = write(GROUP)

    with pytest.raises(SimulationError, match=r"`terraform \w+` was stopped after 0.001 seconds"):
        Workspace(folder, limit=0.001).__enter__()
    with Workspace(folder) as workspace:
        assert not workspace.plan().is_empty


def test_listener_that_fails(write: Write) -> None:
    """A fault in whoever listens ends the step, and the next workspace works again."""
    folder = write(GROUP)

    def listen(line: str) -> None:
        if "Plan to create" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Workspace(folder, progress=listen) as workspace:
        workspace.plan()
    with Workspace(folder) as workspace:
        assert not workspace.plan().is_empty


@pytest.mark.parametrize("core", CORES)
def test_what_is_not_formatted_is_named(write: Write, core: str) -> None:
    """`terraform fmt` would change one file of two, and changes none."""
    folder = write('output "x" {\n  value = 1\n}\n', header="")
    (folder / "crooked.tf").write_text('output "y" {\nvalue=1\n}\n')
    with Workspace(folder, core=core) as workspace:
        found = workspace.unformatted()

    assert [name.rpartition("/")[2] for name in found] == ["crooked.tf"]
    assert (folder / "crooked.tf").read_text() == 'output "y" {\nvalue=1\n}\n'
