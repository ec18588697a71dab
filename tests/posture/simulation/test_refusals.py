"""What Terraform would refuse is refused here, with the place and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_openai.posture.simulation import SimulationError, Workspace, simulate
from tests.posture.simulation.conftest import GROUP, Write

SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s"


def vault(text: str = "", *, sku: str = '"standard"') -> str:
    """Return a key vault with something more in it."""
    return f"""
resource "azurerm_key_vault" "this" {{
  name                       = "kv"
  location                   = "westeurope"
  resource_group_name        = "group"
  tenant_id                  = "11111111-1111-1111-1111-111111111111"
  sku_name                   = {sku}
  rbac_authorization_enabled = true
  {text}
}}
"""


def block(kind: str, text: str) -> str:
    """Return a resource of a type."""
    return f'resource "{kind}" "this" {{\n{text}\n}}\n'


BAD = {
    "a required argument is missing": (
        block("azurerm_resource_group", 'name = "group"'),
        'The argument "location" is required',
    ),
    "an argument is unknown": (
        vault("enable_rbac_authorization = true"),
        'An argument named "enable_rbac_authorization" is not expected here',
    ),
    "a block is unknown": (vault("nonsense {}"), 'Blocks of type "nonsense" are not expected here'),
    "a block is missing": (
        block(
            "azurerm_linux_web_app",
            'name = "a"\nlocation = "b"\nresource_group_name = "c"\nservice_plan_id = null',
        ),
        "Insufficient site_config blocks",
    ),
    "a block comes twice": (
        vault(
            'network_acls {\n bypass = "None"\n default_action = "Deny"\n}\n'
            'network_acls {\n bypass = "None"\n default_action = "Deny"\n}'
        ),
        "Too many network_acls blocks",
    ),
    "a program is run while it is applied": (
        block("terraform_data", 'provisioner "local-exec" {\n command = "touch ran"\n}'),
        "terraform_data.this has a provisioner",
    ),
    "a resource type is unknown": (
        block("azurerm_app_service", 'name = "a"'),
        'does not support resource type "azurerm_app_service"',
    ),
    "a value has the wrong type": (vault("purge_protection_enabled = []"), "bool required"),
    "a value is not allowed": (vault(sku='"gold"'), "expected sku_name to be one of"),
    "a number is out of range": (
        vault("soft_delete_retention_days = 5"),
        "expected soft_delete_retention_days to be in the range (7 - 90), got 5",
    ),
    "a GUID is none": (
        vault().replace("11111111-1111-1111-1111-111111111111", "contoso"),
        'expected "tenant_id" to be a valid UUID, got contoso',
    ),
    "an ID is of another resource": (
        block(
            "azurerm_subnet_network_security_group_association",
            f'subnet_id = "{SUBNET}"\nnetwork_security_group_id = "{SUBNET}"',
        ),
        "the ID has another shape than `network_security_group_id` takes",
    ),
    "a computed value is set": (
        vault('vault_uri = "x"'),
        'Can\'t configure a value for "vault_uri"',
    ),
    "exactly one is wanted and none given": (
        block(
            "azurerm_subnet",
            'name = "s"\nresource_group_name = "g"\nvirtual_network_name = "v"',
        ),
        "one of `address_prefixes,ip_address_pool` must be specified",
    ),
    "exactly one is wanted and two given": (
        block(
            "azurerm_role_assignment",
            'scope = "/subscriptions/s"\nprincipal_id = "p"\nrole_definition_name = "Reader"\n'
            'role_definition_id = "/x"',
        ),
        "can be specified, but",
    ),
    "at least one is wanted": (
        block("azurerm_monitor_diagnostic_setting", 'name = "d"\ntarget_resource_id = "/x"'),
        "must be specified",
    ),
    "one needs the other": (
        block(
            "azurerm_key_vault_secret",
            'name = "s"\nvalue_wo = "x"\nkey_vault_id = '
            '"/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"',
        ),
        "all of `value_wo,value_wo_version` must be specified",
    ),
    "an azapi type has no version": (
        block("azapi_resource", 'type = "Microsoft.Web/sites"\nname = "x"\nparent_id = "/x"'),
        "is not a resource type with its API version",
    ),
    "an azapi body is text": (
        block(
            "azapi_resource",
            'type = "Microsoft.Web/sites@2024-04-01"\nname = "x"\nparent_id = "/x"\n'
            "body = jsonencode({})",
        ),
        "The body must be an object",
    ),
    "an azapi update has no target": (
        block("azapi_update_resource", 'type = "Microsoft.Web/sites@2024-04-01"\nbody = {}'),
        "Either `resource_id`, or `name` with `parent_id`, must be given",
    ),
    "a provider has no stand-in": (
        block("time_static", ""),
        "hashicorp/time, which has no stand-in",
    ),
    "something would be imported": (
        GROUP + 'import {\n to = azurerm_resource_group.this\n id = "/subscriptions/s/x"\n}',
        "Nothing can be imported into a simulation",
    ),
    "a module is not there": ('module "x" {\n source = "./nowhere"\n}', "nowhere"),
    "the text is no HCL": ('resource "azurerm_key_vault" {', "main.tf"),
    "a condition does not hold": (
        'variable "x" {\n default = 1\n validation {\n  condition = var.x > 1\n'
        '  error_message = "Write a number over one."\n }\n}',
        "Write a number over one.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_configuration(case: str, write: Write) -> None:
    """A configuration that the real providers refuse is refused, in words that name the fault."""
    text, reason = BAD[case]

    with pytest.raises(SimulationError) as caught:
        simulate(write(text))

    message = " ".join(str(caught.value).split())
    assert reason in message
    assert "Traceback" not in message
    assert "fault of the simulation" not in message


def test_refusal_names_its_place(write: Write) -> None:
    """An error carries the address, the file and the line of what caused it."""
    folder = write(vault(sku='"gold"'), header="")

    with pytest.raises(SimulationError) as caught:
        simulate(folder)

    (said,) = caught.value.diagnostics
    assert (said.address, said.file, said.line) == ("azurerm_key_vault.this", "main.tf", 7)
    assert str(caught.value).startswith("main.tf:7, azurerm_key_vault.this: expected sku_name")


def test_conflicting_arguments(write: Write) -> None:
    """Two arguments that exclude each other are refused together."""
    folder = write(
        block(
            "azuread_application",
            'display_name = "a"\ntags = ["x"]\nfeature_tags {\n hide = true\n}',
        )
    )

    with pytest.raises(SimulationError, match='"tags": conflicts with feature_tags'):
        simulate(folder)


def test_twins_collide(write: Write) -> None:
    """A second resource of the same id fails, because the first one is there."""
    folder = write(GROUP + GROUP.replace('"this"', '"other"'))

    with pytest.raises(SimulationError, match="already exists - to be managed via Terraform"):
        simulate(folder)


def test_unknown_for_each(write: Write) -> None:
    """A key that is only known after apply is refused where real Terraform refuses it."""
    folder = write(
        GROUP
        + block(
            "azurerm_management_lock",
            'for_each = toset([azurerm_resource_group.this.id])\nname = "l"\nscope = each.key\n'
            'lock_level = "CanNotDelete"',
        )
    )

    with pytest.raises(SimulationError, match="Invalid for_each argument"):
        simulate(folder)


def test_unknown_values_are_not_judged(write: Write) -> None:
    """A value that is only known after apply passes the plan and is judged when it is known."""
    folder = write(
        'resource "random_string" "this" {\n length = 4\n}\n'
        + vault(sku="random_string.this.result")
    )

    with Workspace(folder) as workspace:
        assert "azurerm_key_vault.this" in workspace.plan().changes
        with pytest.raises(SimulationError, match="expected sku_name to be one of"):
            workspace.apply()


def test_other_version_is_refused(write: Write) -> None:
    """A configuration for another major version is not simulated with this one."""
    folder = write(
        GROUP,
        header="terraform {\n  required_providers {\n    azurerm = {\n"
        '      source  = "hashicorp/azurerm"\n      version = "~> 4.0"\n    }\n  }\n}\n'
        'provider "azurerm" {\n  features {}\n}\n',
    )

    with pytest.raises(SimulationError, match=r'asks for hashicorp/azurerm "~> 4\.0", and 5\.2'):
        simulate(folder)


def test_undeclared_variable(write: Write) -> None:
    """A value for a variable that is not declared is an error and no silent typo."""
    with pytest.raises(SimulationError, match='declares no variable "nmae"'):
        simulate(write(GROUP), variables={"nmae": "x"})


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path / "nowhere", "is not a folder"),
        (lambda path: path, "holds no .tf files"),
    ],
)
def test_no_configuration(make: object, reason: str, tmp_path: Path) -> None:
    """A folder without Terraform is said to be one."""
    assert callable(make)
    with pytest.raises(SimulationError, match=reason):
        simulate(make(tmp_path))


def test_missing_var_file(write: Write, tmp_path: Path) -> None:
    """A file of variables that is not there is named."""
    with pytest.raises(SimulationError, match=r"nothing\.tfvars is not a file"):
        simulate(write(GROUP), var_files=[tmp_path / "nothing.tfvars"])


def test_no_terraform(write: Write) -> None:
    """A Terraform that is not there is named."""
    with pytest.raises(SimulationError, match="no-such-terraform is not installed"):
        simulate(write(GROUP), core="no-such-terraform")


def test_no_program_of_a_configuration_is_run(write: Write, tmp_path: Path) -> None:
    """Not even one in a module, whatever else it builds."""
    ran = tmp_path / "ran"
    folder = write(GROUP + 'module "inner" {\n  source = "./inner"\n}\n')
    (folder / "inner").mkdir()
    program = f'provisioner "local-exec" {{\n command = "touch {ran}"\n}}'
    (folder / "inner" / "main.tf").write_text(block("terraform_data", program))
    with pytest.raises(SimulationError, match=r"module.inner.terraform_data.this has a provision"):
        simulate(folder)
    assert not ran.exists()
