"""The command that plans, proves, applies and deploys, before a small estate and its packages."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner, Result

from secure_openai.cli.main import app as commands
from secure_openai.delivery.package import Kind
from tests.delivery.app_service import FUNCTIONS, WEB, AppService
from tests.delivery.conftest import package

SMALL = f"""
terraform {{
  required_version = ">= 1.11"
  backend "local" {{}}
  required_providers {{
    azurerm = {{
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }}
  }}
}}

provider "azurerm" {{
  features {{}}
  subscription_id = "11111111-2222-4333-8444-555555555555"
}}

variable "prefix" {{ type = string }}

resource "azurerm_resource_group" "this" {{
  name     = "rg-${{var.prefix}}"
  location = "westeurope"
}}

output "applications" {{
  value = {{ functions = "{FUNCTIONS}", web = "{WEB}" }}
}}
"""

LOCKED = {
    "azure/azapi": "2.12.0",
    "hashicorp/azuread": "3.9.0",
    "hashicorp/azurerm": "5.2.0",
    "hashicorp/random": "3.9.0",
}


@dataclass
class Road:
    """Everything that the command works with.

    Attributes:
        folder: The estate's Terraform.
        dist: The packages.
        azure: What was asked of App Service.
        packages_url: Where packages wait.
    """

    folder: Path
    dist: Path
    azure: AppService
    packages_url: str

    @property
    def variables(self) -> Path:
        """Return the file of variables."""
        return self.folder.parent / "estate.tfvars"

    @property
    def waiting(self) -> Path:
        """Return where a plan waits to be approved."""
        return self.folder / ".terraform" / "approval"

    @property
    def applied(self) -> list[str]:
        """Return the addresses that the state has."""
        state = self.folder / "terraform.tfstate"
        if not state.exists():
            return []
        listed = json.loads(state.read_text())["resources"]
        return [f"{one['type']}.{one['name']}" for one in listed if one["mode"] == "managed"]

    async def deploy(self, *options: str, typed: str = "") -> Result:
        """Type the command."""
        words = ["deploy", str(self.dist), "--estate", str(self.folder), "--pause", "0.1"]
        words += ["--var-file", str(self.variables), "--packages-url", self.packages_url]
        words += ["--wait", "30"]
        return await asyncio.to_thread(
            CliRunner().invoke, commands, [*words, *options], input=typed
        )

    async def planned(self) -> str:
        """Plan where nobody sits at the terminal; return the digest that is to be approved."""
        done = await self.deploy()
        assert done.exit_code == 1, done.output
        assert self.applied == []
        return str(re.findall(r"with --approve ([0-9a-f]{64})", done.output)[0])

    async def approved(self) -> Result:
        """Ask, and approve what it asks for."""
        done = await self.deploy()
        assert done.exit_code == 1, done.output
        return await self.deploy(
            "--approve", re.findall(r"--approve ([0-9a-f]{64})", done.output)[0]
        )

    def terraform(self, *words: str) -> None:
        """Do something by hand."""
        subprocess.run(["terraform", *words], cwd=self.folder, check=True, capture_output=True)

    def nothing_happened(self) -> bool:
        """Return whether neither the estate nor an application was touched."""
        return self.applied == [] and self.azure.asked == []


def lock(folder: Path) -> None:
    """Lock the providers; the simulation's are attached, so that no hash is compared."""
    rows = (
        f'provider "registry.terraform.io/{source}" {{\n  version = "{version}"\n'
        f'  hashes = [\n    "zh:{"0" * 64}",\n  ]\n}}\n'
        for source, version in LOCKED.items()
        if any(f'"{source}"' in file.read_text() for file in folder.glob("*.tf"))
    )
    (folder / ".terraform.lock.hcl").write_text("".join(rows))


def pack(dist: Path, number: int) -> None:
    """Make both packages."""
    dist.mkdir(exist_ok=True)
    for kind in Kind:
        made = package(dist, kind, number)
        made.path.rename(dist / f"{kind}.zip")
        (dist / f"{kind}.sha256").write_text(f"{made.sha256}  {kind}.zip\n")


def add(name: str, text: str) -> Callable[[Road], None]:
    """Return what adds a text to one of the estate's files."""

    def change(road: Road) -> None:
        path = road.folder / name
        path.write_text(f"{path.read_text()}{text}")

    return change
