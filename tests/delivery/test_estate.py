"""The whole road in one command: planned, proven, approved, applied, and the packages in it.

Terraform is the real one, its providers are the simulation's, and App Service is a server in
Azure's shapes. Whatever is changed between proof and apply ends it, with nothing applied.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from secure_openai.cli import applying
from secure_openai.cli import deploy as command
from secure_openai.cli.main import app as commands
from secure_openai.cli.proving import proven
from secure_openai.delivery import deployment
from secure_openai.delivery.azure.rest import Rest
from secure_openai.delivery.deployment import Outcome
from secure_openai.delivery.package import Kind
from secure_openai.delivery.terraform import Terraform
from secure_openai.outbound import Outbound
from secure_openai.posture.simulation.machine import borrowed
from tests.delivery.app_service import FUNCTIONS, WEB, AppService
from tests.delivery.conftest import Tokens, package
from tests.infra.estate import ROOT
from tests.servers import listening, port_of, served

pytestmark = pytest.mark.process

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


@pytest.fixture
def providers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put Terraform on the PATH, with an empty simulated cloud behind its providers."""
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    script = Path(__file__).with_name("terraform_program.py")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with borrowed() as machine:
        # The command hands no such variable on: this program attaches them by itself.
        attached = "".join(
            f"export {name}={shlex.quote(value)}\n"
            for name, value in machine.servers.environment.items()
        )
        run = f'exec "{sys.executable}" "{script}" "$@"\n'
        program.write_text(f"#!/bin/sh\n{attached}{run}")
        program.chmod(0o755)
        yield


@pytest.fixture
async def road(
    tmp_path: Path, azure: AppService, providers: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Road]:
    """Return a small estate, two packages, and App Service behind our credential."""
    folder, dist, bound = tmp_path / "clone" / "infra", tmp_path / "dist", listening()
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(SMALL)
    lock(folder)
    url = f"http://127.0.0.1:{port_of(bound)}"
    made = Road(folder, dist, azure, f"{url}/packages")
    made.variables.write_text('prefix = "chat"\n')
    pack(dist, 1)

    @asynccontextmanager
    async def resource_manager() -> AsyncIterator[Rest]:
        rest = Rest(Tokens(), Outbound(), base_url=url, scope=f"{url}/.default", poll_seconds=0.01)
        try:
            yield rest
        finally:
            await rest.aclose()

    monkeypatch.setattr(command, "resource_manager", resource_manager)
    async with served(azure.app(), bound):
        yield made


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


def _swap_the_plan(road: Road) -> None:
    options = ("-var-file", str(road.variables), "-var", "prefix=evil")
    road.terraform("plan", "-input=false", f"-out={road.waiting / 'estate.tfplan'}", *options)


def _swap_both(road: Road) -> None:
    _swap_the_plan(road)
    listed = json.loads((road.waiting / "approval.json").read_text())
    (road.waiting / "approval.json").write_text(json.dumps(listed | {"plan": "0" * 64}))


def _no_manifest(road: Road) -> None:
    (road.waiting / "approval.json").write_text("[]")


def _elsewhere(road: Road) -> None:
    other = road.folder.with_name("other")
    shutil.copytree(road.folder, other)
    road.folder = other


def _another_container(road: Road) -> None:
    road.packages_url = road.packages_url.replace("packages", "others")


def _add(name: str, text: str) -> Callable[[Road], None]:
    def add(road: Road) -> None:
        path = road.folder / name
        path.write_text(f"{path.read_text()}{text}")

    return add


ATTACKS: dict[str, tuple[Callable[[Road], None], str]] = {
    "a swapped plan": (_swap_the_plan, "the plan is another one"),
    "a swapped plan that says so": (_swap_both, "and not what was approved"),
    "a plan of another folder": (_elsewhere, "it was made in another folder"),
    "a plan of another workspace": (
        lambda road: road.terraform("workspace", "new", "other"),
        "it was made in another workspace",
    ),
    "a configuration that was changed": (_add("main.tf", "# more\n"), "the configuration has"),
    "variables that were changed": (
        _add("../estate.tfvars", "# more\n"),
        "the variables have changed",
    ),
    "other providers": (_add(".terraform.lock.hcl", "# more\n"), "other providers are locked"),
    "other packages": (lambda road: pack(road.dist, 2), "the packages are others"),
    "another container of packages": (_another_container, "packages wait somewhere else"),
    "a state somewhere else": (
        lambda road: road.terraform(
            "init", "-input=false", "-reconfigure", "-backend-config=path=other.tfstate"
        ),
        "its state is kept somewhere else",
    ),
    "no plan at all": (lambda road: shutil.rmtree(road.waiting), "No plan waits in"),
    "a list for a manifest": (
        _no_manifest,
        "and not what was approved",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_was_changed_after_the_proof_is_not_applied(attack: str, road: Road) -> None:
    """Each is named, nothing is applied, and no application is asked for anything."""
    digest = await road.planned()
    done_to_it, said = ATTACKS[attack]
    done_to_it(road)
    done = await road.deploy("--approve", digest)

    assert done.exit_code == 2, done.output
    assert said in done.output.replace("\n", " ")
    assert road.nothing_happened()


@pytest.mark.parametrize("digest", ["", "../x", "0" * 64])
async def test_another_digest_is_not_approved(digest: str, road: Road) -> None:
    """Whoever approves names what waits, and nothing else."""
    await road.planned()
    done = await road.deploy("--approve", digest)

    assert done.exit_code == 2, done.output
    assert "and not what was approved" in done.output.replace("\n", " ")
    assert road.nothing_happened()


async def test_a_plan_of_a_state_that_is_no_more_is_not_applied(road: Road) -> None:
    """Terraform refuses it; what waits is forgotten, and the sentence says to plan again."""
    digest = await road.planned()
    road.terraform("apply", "-input=false", str(road.waiting / "estate.tfplan"))
    done = await road.deploy("--approve", digest)

    assert done.exit_code == 2, done.output
    assert "has changed since it was planned" in done.output.replace("\n", " ")
    assert not road.waiting.exists()
    assert road.azure.asked == []


@pytest.mark.parametrize(("more", "code"), [(OPEN, 1), (PROGRAM, 2)], ids=["open", "program"])
async def test_what_is_not_proven_is_not_offered(more: str, code: int, road: Road) -> None:
    """A finding, or a program that applying would run: neither is ever approved."""
    _add("main.tf", more)(road)
    done = await road.deploy()

    assert done.exit_code == code, done.output
    assert "--approve" not in done.output
    assert not road.waiting.exists()
    assert not (road.folder / "ran").exists()
    assert road.nothing_happened()


async def test_what_breaks_off_says_what_stands_and_is_gone_on_with(road: Road) -> None:
    """A person is needed; no application is touched; the next run plans what is left."""
    _add("main.tf", BREAKS)(road)
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


async def test_packages_that_are_changed_while_terraform_works_are_not_deployed(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An apply takes an hour: what is deployed after it is what was approved before it."""
    real = applying.applied

    def slow(*arguments: Any) -> str:
        said = real(*arguments)
        pack(road.dist, 2)
        return said

    digest = await road.planned()
    monkeypatch.setattr(command, "applied", slow)
    done = await road.deploy("--approve", digest)

    assert done.exit_code == 2, done.output
    assert "The packages are others than before" in done.output.replace("\n", " ")
    assert road.azure.asked == []


async def test_packages_that_are_swapped_while_they_are_uploaded_are_not_deployed(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is uploaded is what was hashed, whatever has its path by then."""
    approved = {kind: (road.dist / f"{kind}.zip").read_bytes() for kind in Kind}
    real = deployment.deploy

    async def swapped(*arguments: Any, **options: Any) -> Outcome:
        pack(road.dist, 2)
        return await real(*arguments, **options)

    monkeypatch.setattr(command, "deployed", swapped)
    done = await road.deploy("--approve", await road.planned())

    assert done.exit_code == 0, done.output
    assert set(approved.values()) == set(road.azure.blobs.values())


async def test_what_is_vouched_for_is_what_was_approved(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof reads a copy: a file that is changed while it runs vouches for nothing more."""
    vouched, seen = road.folder.parent / "assumptions.json", list[str]()
    vouched.write_text('{"assumptions": []}')
    digest = (await road.deploy("--assume", str(vouched))).output
    real = proven

    def swapped(path: Path, *, config: Path, assume: Path) -> int:
        vouched.write_text('{"assumptions": ["evil"]}')
        seen.append(assume.read_text())
        return real(path, config=config, assume=assume)

    monkeypatch.setattr(applying, "proven", swapped)
    named = re.findall(r"with --approve ([0-9a-f]{64})", digest)[0]
    done = await road.deploy("--assume", str(vouched), "--approve", named)

    assert seen == ['{"assumptions": []}']
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("approves", [False, True], ids=["planned", "approved"])
async def test_what_is_changed_while_it_is_proven_is_not_applied(
    approves: bool, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared again after the proof, whoever approves it and when."""
    options = ["--approve", await road.planned()] if approves else []
    real = proven

    def slow(*arguments: Any, **options: Any) -> int:
        code = real(*arguments, **options)
        _add("main.tf", "# more\n")(road)
        return code

    monkeypatch.setattr(applying, "proven", slow)
    done = await road.deploy(*options)

    assert done.exit_code == 2, done.output
    assert "changed while it was proven: the configuration has" in done.output.replace("\n", " ")
    assert road.nothing_happened()


async def test_an_estate_elsewhere_gets_no_packages(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who initialises the folder for another state while Terraform works moves no package."""
    real = Terraform.apply

    def slow(terraform: Terraform, plan: Path) -> None:
        real(terraform, plan)
        shutil.copyfile(road.folder / "terraform.tfstate", road.folder / "other.tfstate")
        where = "-backend-config=path=other.tfstate"
        road.terraform("init", "-input=false", "-reconfigure", where)

    digest = await road.planned()
    monkeypatch.setattr(Terraform, "apply", slow)
    done = await road.deploy("--approve", digest)

    assert done.exit_code == 2, done.output
    assert "initialised for another state or workspace" in done.output.replace("\n", " ")
    assert road.azure.asked == []


async def test_applications_of_another_subscription_get_no_packages(road: Road) -> None:
    """An output may name any application: only those of the estate's subscription are its own."""
    main = road.folder / "main.tf"
    other = WEB.replace("11111111-", "99999999-")
    main.write_text(main.read_text().replace(f'web = "{WEB}"', f'web = "{other}"'))
    done = await road.deploy("--approve", await road.planned())

    assert done.exit_code == 2, done.output
    assert "of another subscription than the estate's" in done.output.replace("\n", " ")
    assert road.azure.asked == []


async def test_an_unchanged_estate_gets_no_packages_that_nobody_approved(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who deploys approves the packages, where there is nothing else to approve too."""
    assert (await road.deploy("--approve", await road.planned())).exit_code == 0
    road.azure.asked.clear()
    pack(road.dist, 2)
    done = await road.deploy()

    assert done.exit_code == 1, done.output
    assert "Nothing is to be changed in the estate." in done.output
    for kind in Kind:
        sha256 = (road.dist / f"{kind}.sha256").read_text().split()[0]
        assert f"it deploys {kind}, SHA-256 {sha256}" in done.output
    assert road.azure.asked == []

    monkeypatch.setattr(applying, "somebody_is_there", lambda: True)
    assert (await road.deploy(typed="yes\n")).exit_code == 1
    assert road.azure.asked == []
    done = await road.deploy(typed="chat\n")
    assert "Type chat to deploy the packages" in done.output
    assert done.exit_code == 0, done.output


async def test_options_that_nobody_sees_change_no_plan(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terraform takes more options from its environment: they could leave out half an estate."""
    monkeypatch.setenv("TF_CLI_ARGS", "-destroy")
    monkeypatch.setenv("TF_CLI_ARGS_plan", "-var=prefix=evil")
    done = await road.deploy("--approve", await road.planned())

    assert done.exit_code == 0, done.output
    assert '"rg-chat"' in (road.folder / "terraform.tfstate").read_text()


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
