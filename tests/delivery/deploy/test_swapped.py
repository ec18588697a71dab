"""Whatever is changed after the proof ends it: what was approved is applied and deployed alone."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secure_openai.cli import applying
from secure_openai.cli import deploy as command
from secure_openai.cli.proving import proven
from secure_openai.delivery import deployment
from secure_openai.delivery.deployment import Outcome
from secure_openai.delivery.package import Kind
from secure_openai.delivery.terraform import Terraform
from tests.delivery.app_service import WEB
from tests.delivery.deploy.road import Road, add, pack

pytestmark = pytest.mark.process


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


ATTACKS: dict[str, tuple[Callable[[Road], None], str]] = {
    "a swapped plan": (_swap_the_plan, "the plan is another one"),
    "a swapped plan that says so": (_swap_both, "and not what was approved"),
    "a plan of another folder": (_elsewhere, "it was made in another folder"),
    "a plan of another workspace": (
        lambda road: road.terraform("workspace", "new", "other"),
        "it was made in another workspace",
    ),
    "a configuration that was changed": (add("main.tf", "# more\n"), "the configuration has"),
    "variables that were changed": (
        add("../estate.tfvars", "# more\n"),
        "the variables have changed",
    ),
    "other providers": (add(".terraform.lock.hcl", "# more\n"), "other providers are locked"),
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
        add("main.tf", "# more\n")(road)
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
