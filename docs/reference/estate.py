"""What the pages about the estate stand on: the private environment, applied in simulation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation import simulate

INFRA = Path(__file__).parents[2] / "infra"

EVERY_SUBNET = """
provider "azurerm" {{
  subscription_id = "00000000-0000-0000-0000-000000000000"
  features {{}}
}}

module "network" {{
  source = "{source}"

  address_space       = "10.20.0.0/22"
  location            = "swedencentral"
  optional_subnets    = ["administration", "bastion", "gateway", "resolver", "runner"]
  prefix              = "chat"
  resource_group_name = "rg-chat"
  zones               = {{}}
}}
"""


@cache
def private() -> Estate:
    """Return the private estate."""
    variables = INFRA / "environments" / "private.tfvars"
    with simulate(INFRA, var_files=[variables]) as done:
        return Estate.of(done.state)


def security_rules() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rules of each subnet's security group, of a network with every subnet there is."""
    with TemporaryDirectory() as folder:
        text = EVERY_SUBNET.format(source=(INFRA / "modules" / "network").as_posix())
        (Path(folder) / "main.tf").write_text(text, "utf-8")
        with simulate(Path(folder)) as done:
            state: dict[str, Any] = done.state
    for module in state["values"]["root_module"]["child_modules"]:
        for resource in module["resources"]:
            if resource["type"] == "azurerm_network_security_group":
                for rule in resource["values"]["security_rule"]:
                    yield resource["index"], rule
