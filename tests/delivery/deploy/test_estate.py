"""The whole road in one command: planned, proven, approved, applied, and the packages in it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from secure_openai.cli import applying
from secure_openai.cli import deploy as command
from secure_openai.cli.main import app as commands
from secure_openai.delivery.package import Kind
from tests.delivery.app_service import FUNCTIONS, WEB
from tests.delivery.deploy.road import Road, add, lock, pack
from tests.infra.estate import ROOT

pytestmark = pytest.mark.process

OPEN = """
resource "azurerm_storage_account" "open" {
  name                     = "stopen1a2b3"
  resource_group_name      = azurerm_resource_group.this.name
  location                 = "westeurope"
  account_tier             = "Standard"
  account_replication_type = "ZRS"
}
"""

PROGRAM = """
resource "azurerm_resource_group" "program" {
  name     = "rg-program"
  location = "westeurope"
  provisioner "local-exec" {
    command = "touch ran"
  }
}
"""

# Fails while it is applied, and not in the proof's simulation, which works in a mirror.
BREAKS = """
locals {
  simulated = fileexists("${path.root}/zz_simulation_override.tf")
}

resource "azurerm_resource_group" "second" {
  name     = "rg-second"
  location = "westeurope"
  lifecycle {
    precondition {
      condition     = local.simulated || azurerm_resource_group.this.id == "never"
      error_message = "Azure said no."
    }
  }
}
"""


async def test_what_was_approved_is_applied_and_deployed(road: Road) -> None:
    """Planned and proven, kept for its owner alone, applied by its digest, and gone on with."""
    digest = await road.planned()

    assert road.azure.asked == []
    assert road.waiting.stat().st_mode & 0o077 == 0

    done = await road.deploy("--approve", digest)

    assert done.exit_code == 0, done.output
    assert "Verdict: proven." in done.output
    assert "Both applications are live and healthy." in done.output
    assert road.applied == ["azurerm_resource_group.this"]
    assert not road.waiting.exists()

    road.azure.asked.clear()
    again = await road.approved()

    assert again.exit_code == 0, again.output
    assert "Nothing is to be changed in the estate." in again.output
    assert any(one.endswith("slotsswap") for one in road.azure.asked)


async def test_who_sits_at_the_terminal_types_the_name(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another word, or none, applies nothing."""
    monkeypatch.setattr(applying, "somebody_is_there", lambda: True)
    for typed in ("\n", "yes\n", "Chat\n"):
        refused = await road.deploy(typed=typed)
        assert refused.exit_code == 1
        assert "It is not approved: nothing was applied." in refused.output
        assert road.nothing_happened()
        assert not road.waiting.exists()

    done = await road.deploy(typed="chat\n")

    assert done.exit_code == 0, done.output
    assert "Type chat to apply it" in done.output
    assert road.applied == ["azurerm_resource_group.this"]


@pytest.mark.parametrize(("more", "code"), [(OPEN, 1), (PROGRAM, 2)], ids=["open", "program"])
async def test_what_is_not_proven_is_not_offered(more: str, code: int, road: Road) -> None:
    """A finding, or a program that applying would run: neither is ever approved."""
    add("main.tf", more)(road)
    done = await road.deploy()

    assert done.exit_code == code, done.output
    assert "--approve" not in done.output
    assert not road.waiting.exists()
    assert not (road.folder / "ran").exists()
    assert road.nothing_happened()


async def test_what_breaks_off_says_what_stands_and_is_gone_on_with(road: Road) -> None:
    """A person is needed; no application is touched; the next run plans what is left."""
    add("main.tf", BREAKS)(road)
    done = await road.deploy("--approve", await road.planned())

    assert done.exit_code == 3, done.output
    assert "Azure said no." in done.output
    assert "What it made stands and is in its state" in done.output.replace("\n", " ")
    assert "azurerm_resource_group.this" in road.applied
    assert road.azure.asked == []

    text = (road.folder / "main.tf").read_text()
    (road.folder / "main.tf").write_text(text.replace('== "never"', '!= "never"'))
    rest = await road.deploy()
    digest = re.findall(r"with --approve ([0-9a-f]{64})", rest.output)[0]
    assert "The plan changes 1 (1 create)." in rest.output
    done = await road.deploy("--approve", digest)

    assert done.exit_code == 0, done.output
    assert road.applied == ["azurerm_resource_group.second", "azurerm_resource_group.this"]


async def test_an_application_that_cannot_be_deployed_leaves_the_estate(road: Road) -> None:
    """What is left to do is said, and the same command does it."""
    digest = await road.planned()
    road.dist.joinpath("app.sha256").write_text(f"{'0' * 64}  app.zip\n")
    early = await road.deploy("--approve", digest)

    assert early.exit_code == 2
    assert road.nothing_happened()

    pack(road.dist, 1)
    road.azure.broken.add("app-")
    done = await road.deploy("--approve", await road.planned(), "--wait", "1")

    assert done.exit_code == 1, done.output
    assert "Production was not touched." in done.output.replace("\n", " ")
    road.azure.broken.clear()
    assert (await road.approved()).exit_code == 0


async def test_providers_are_locked_first(road: Road) -> None:
    """What runs with our rights is named by hash before it runs."""
    (road.folder / ".terraform.lock.hcl").unlink()
    shutil.rmtree(road.dist)
    done = await road.deploy()

    assert done.exit_code == 2
    assert "does not lock hashicorp/azurerm" in done.output.replace("\n", " ")
    assert not (road.folder / ".terraform").exists()
    assert not road.dist.exists()


async def test_a_lock_without_a_hash_locks_nothing(road: Road) -> None:
    """A version alone may be any program."""
    file = road.folder / ".terraform.lock.hcl"
    file.write_text(re.sub(r"  hashes = \[.*?\]\n", "", file.read_text(), flags=re.DOTALL))
    done = await road.deploy()

    assert done.exit_code == 2
    assert "does not lock hashicorp/azurerm by a hash" in done.output.replace("\n", " ")
    assert not (road.folder / ".terraform").exists()


@pytest.mark.parametrize("name", ["TF_REATTACH_PROVIDERS", "ARM_METADATA_HOSTNAME"])
async def test_an_environment_that_sends_terraform_astray_is_refused(
    name: str, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named, before Terraform is started."""
    monkeypatch.setenv(name, "evil.example")
    done = await road.deploy()

    assert done.exit_code == 2
    assert f"{name} is set, and it" in done.output.replace("\n", " ")
    assert not (road.folder / ".terraform").exists()


async def test_a_file_that_is_not_there_is_named_first(road: Road) -> None:
    """Before packages are made and before Terraform is started."""
    done = await road.deploy("--backend-config", "backend.json")

    assert done.exit_code == 2
    assert "backend.json is no file." in done.output
    assert not (road.folder / ".terraform").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--estate", "infra"], "--estate needs --packages-url"),
        (["--estate", "infra", "--packages-url", "https://x/y"], "The address of packages is"),
        (["--estate", "infra", "--rehearse", "slots"], "leave the other one out"),
        (["--estate", "infra", "--applications", "a.json"], "leave the other one out"),
        (["--approve", "0", "--rehearse", "slots"], "belong to --estate"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(
    options: list[str], said: str, tmp_path: Path
) -> None:
    """Before an hour of Terraform."""
    done = CliRunner().invoke(commands, ["deploy", str(tmp_path), *options])

    assert done.exit_code == 2
    assert said in done.output.replace("\n", " ")


async def test_packages_that_are_not_there_are_made(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the estate's Python, before anything is planned: who approves, approves them."""
    shutil.rmtree(road.dist)
    made: list[tuple[Kind, str]] = []

    def make(kind: Kind, folder: Path, **options: object) -> None:
        made.append((kind, str(options["target"])))
        pack(road.dist, 1)
        if kind is Kind.APP:
            (road.dist / f"{Kind.FUNCTIONS}.zip").unlink()

    monkeypatch.setattr(command, "make_package", make)
    await road.planned()

    assert [kind for kind, _ in made] == list(Kind)
    assert all("python='3.13'" in target for _, target in made)


async def test_the_frameworks_own_estate_goes_this_road(road: Road) -> None:
    """The private environment: proven, approved, applied whole, and both applications in it."""
    shutil.rmtree(road.folder)
    shutil.copytree(ROOT / "infra", road.folder)
    (road.folder.parent / "src").symlink_to(ROOT / "src")
    lock(road.folder)
    (road.folder / "zz_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    shutil.copyfile(road.folder / "environments" / "private.tfvars", road.variables)
    digest = await road.planned()

    def told() -> list[str]:
        state = json.loads((road.folder / "terraform.tfstate").read_text())
        sites: dict[str, str] = state["outputs"]["applications"]["value"]
        return list(sites.values())

    refused = await road.deploy("--approve", digest)
    assert refused.exit_code == 2
    assert "The estate is applied; run this again" in refused.output.replace("\n", " ")
    for site in told():
        road.azure.have(site)
    done = await road.approved()

    assert done.exit_code == 0, done.output
    assert "Nothing is to be changed in the estate." in done.output
    assert len(road.applied) > 60
    assert len({*told(), WEB, FUNCTIONS}) == 4
