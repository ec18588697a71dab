"""What hangs on the answer of a data source is not proven: a simulation makes that answer up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from secure_openai.posture.proof import Proof, Verdict, prove
from secure_openai.posture.reading import read
from secure_openai.posture.simulation import simulate

HEAD = """
terraform {
  required_providers {
    azurerm = { source = "hashicorp/azurerm" }
    azapi   = { source = "azure/azapi" }
  }
}
provider "azurerm" {
  features {}
}
data "azurerm_client_config" "me" {}
data "azurerm_container_registry" "theirs" {
  name                = "crtheirs"
  resource_group_name = "rg-theirs"
}
data "azurerm_virtual_network" "theirs" {
  name                = "vnet-theirs"
  resource_group_name = "rg-theirs"
}
data "azapi_resource_list" "theirs" {
  type                   = "Microsoft.ContainerRegistry/registries@2023-07-01"
  parent_id              = "/subscriptions/${data.azurerm_client_config.me.subscription_id}"
  response_export_values = ["value"]
}
locals {
  key_taken = try(data.azurerm_container_registry.theirs.admin_enabled, false)
}
"""
REGISTRY = """
resource "azurerm_container_registry" "this" {
  name                          = "crchat"
  resource_group_name           = "rg-chat"
  location                      = "eastus2"
  sku                           = "Premium"
  public_network_access_enabled = false
  {}
}
"""
GROUP = """
resource "azurerm_resource_group" "this" {
  name     = "rg-chat"
  location = "eastus2"
}
"""


def judged(folder: Path, body: str) -> Proof:
    """Return the proof of a configuration."""
    (folder / "main.tf").write_text(HEAD + body, encoding="ascii")
    return prove(read(folder).estate)


def doubts(proof: Proof, statement: str) -> list[str]:
    """Return what leaves a statement in doubt."""
    one = next(one for one in proof.judged if one.statement.id == statement)
    assert one.verdict is (Verdict.CANNOT_TELL if one.doubts else Verdict.PROVEN)
    return [f"{doubt.address}: {doubt.says}" for doubt in one.doubts]


def registry(arguments: str) -> str:
    """Return a registry with more arguments."""
    return REGISTRY.replace("{}", arguments)


def test_a_setting_of_our_own_is_proven_beside_data_sources(tmp_path: Path) -> None:
    """Ids and names of what is there already decide nothing."""
    body = registry(
        "admin_enabled = false\n  tags = { is = data.azurerm_virtual_network.theirs.id }"
    )
    assert doubts(judged(tmp_path, body), "KEYS-03") == []


@pytest.mark.parametrize(
    "arguments",
    [
        "admin_enabled = data.azurerm_container_registry.theirs.admin_enabled",
        "admin_enabled = local.key_taken",
        "admin_enabled = length(data.azapi_resource_list.theirs.output.value) > 0",
        "admin_enabled = length(data.azurerm_virtual_network.theirs.subnets) > 0",
    ],
)
def test_a_setting_that_a_data_source_decides_is_not_proven(tmp_path: Path, arguments: str) -> None:
    """Neither straight, nor through a local or a function."""
    says = "azurerm_container_registry.this: a data source decides admin_enabled"
    assert doubts(judged(tmp_path, registry(arguments)), "KEYS-03") == [says]


@pytest.mark.parametrize("yes", [True, False])
def test_what_a_data_source_may_add_or_take_away_is_not_proven(tmp_path: Path, yes: bool) -> None:
    """Whether it stands in the simulation or not."""
    sign = "" if yes else "!"
    body = registry(f"count = {sign}tobool(coalesce(local.key_taken, false)) ? 1 : 0") + GROUP
    says = "azurerm_container_registry.this[0]: a data source decides whether it is built"
    assert doubts(judged(tmp_path, body), "KEYS-03") == [says]


def test_a_configuration_that_another_answer_breaks_is_not_whole(tmp_path: Path) -> None:
    """An answer under which nothing can be planned may still be Azure's."""
    subnets = "data.azurerm_virtual_network.theirs.subnets"
    body = registry(f"zone_redundancy_enabled = length({subnets}) > 0 ? one([])[0] : false")
    says = ": another answer of a data source builds something else, or nothing"
    assert doubts(judged(tmp_path, body), "WHOLE-01") == [says]


@pytest.mark.parametrize("name", ["terraform.workspace", "terraform . workspace"])
def test_what_the_workspace_decides_is_not_whole(tmp_path: Path, name: str) -> None:
    """Another workspace than the default one builds something else, in a module as well."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "main.tf").write_text(
        registry(f'admin_enabled = {name} != "default"'), encoding="ascii"
    )
    proof = judged(tmp_path, 'module "inner" {\n  source = "./inner"\n}\n')
    (doubt,) = doubts(proof, "WHOLE-01")
    assert doubt.startswith(": it asks for the name of its workspace")


def test_a_plan_with_its_folder_leaves_it_undecided_too(tmp_path: Path) -> None:
    """A plan that reads while it is applied does not know the answer either."""
    body = registry("admin_enabled = local.key_taken")
    (tmp_path / "main.tf").write_text(HEAD + body, encoding="ascii")
    with simulate(tmp_path) as done:
        plan: dict[str, Any] = done.plan
    given = tmp_path / "plan.json"
    given.write_text(json.dumps(plan), encoding="ascii")
    proof = prove(read(given, config=tmp_path).estate)
    assert len(doubts(proof, "KEYS-03")) == 1
