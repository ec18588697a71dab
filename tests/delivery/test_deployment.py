"""Deployments: the whole delivery rehearsed on this machine, and every end in Azure's shapes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from starlette.responses import JSONResponse
from typer.testing import CliRunner, Result

from secure_openai.cli.main import app as commands
from secure_openai.delivery.azure.slots import AzureSlots
from secure_openai.delivery.deployment import End, Outcome, Patience, deploy
from secure_openai.delivery.package import Kind
from secure_openai.delivery.placed import PlacedPackage
from secure_openai.delivery.wheels import sha256_of
from secure_openai.testing.slots_contract import Packages
from tests.delivery.app_service import FUNCTIONS, WEB, AppService
from tests.delivery.conftest import Made
from tests.system import free_ports

ROOT = Path(__file__).parents[2]
STAGING_ONLY = """
import os
from secure_openai.applications import Application
if os.environ["SECURE_OPENAI_LISTEN_PORT"] == "{port}":
    raise SystemExit("not here")
application = Application("Own")
"""
AT_ONCE = Patience(whole=0.05, pause=0.01, steady=2)


def variant(made: Made, folder: Path, name: str, refusal: str = "") -> Path:
    """Return the packages of this clone with a mark, and with an application that may refuse."""
    folder = folder / name
    folder.mkdir()
    for package in (made.app, made.functions):
        shutil.copyfile(package.path, folder / package.path.name)
    with ZipFile(folder / "app.zip", "a", ZIP_DEFLATED) as archive:
        archive.writestr("variant", name)
        if refusal:
            archive.writestr(
                "secure-openai.toml", 'name = "own"\napplication = "own:application"\n'
            )
            archive.writestr("own.py", refusal)
    for kind in Kind:
        path = folder / f"{kind.value}.zip"
        (folder / f"{kind.value}.sha256").write_text(f"{sha256_of(path)}  {path.name}\n")
    return folder


@pytest.mark.process
def test_the_whole_delivery_is_rehearsed(made: Made, tmp_path: Path) -> None:
    """Plan, prove, package, deploy, smoke, swap; a failing smoke; a failing start; swapped back."""
    slots, port = tmp_path / "slots", free_ports()

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(commands, [str(one) for one in arguments])

    def rehearse(packages: Path) -> Result:
        options = ["--rehearse", str(slots), "--port", str(port), "--wait", "60", "--pause", "0.2"]
        return run("deploy", packages, *options)

    def live() -> str:
        return (slots / "production" / "app" / "variant").read_text()

    proven = run("prove", ROOT / "infra", "--var-file", ROOT / "infra/environments/private.tfvars")
    assert proven.exit_code == 0, proven.stdout

    first = rehearse(variant(made, tmp_path, "first"))
    assert first.exit_code == 0, first.stdout + first.stderr
    assert "Both applications are live and healthy." in first.stdout
    assert live() == "first"

    stopped = rehearse(variant(made, tmp_path, "nowhere", "raise SystemExit('no start')\n"))
    assert stopped.exit_code == 1
    assert "app is not healthy in staging: it ended. no start" in stopped.stderr
    assert "Production was not touched." in stopped.stderr
    assert live() == "first"

    # Healthy beside production, and not in its place.
    back = rehearse(variant(made, tmp_path, "staging-only", STAGING_ONLY.format(port=port)))
    assert back.exit_code == 1
    assert "Production runs what it ran before." in back.stderr
    assert live() == "first"
    assert (slots / "staging" / "app" / "variant").read_text() == "staging-only"


def both(packages: Packages, number: int) -> list[PlacedPackage]:
    """Return both packages of a version."""
    return [packages[kind][number] for kind in Kind]


async def run(
    slots: AzureSlots, packages: list[PlacedPackage], patience: Patience = AT_ONCE
) -> Outcome:
    """Deploy, saying nothing."""
    return await deploy(slots, packages, tell=lambda what: None, patience=patience)


def production(azure: AppService) -> list[str]:
    """Return the digests that run in production."""
    addresses = [azure.sites[site.lower()]["production"].package for site in (WEB, FUNCTIONS)]
    return [str(one).rpartition("-")[2].removesuffix(".zip") for one in addresses]


async def test_healthy_packages_become_production(
    in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """Both applications, and what was there before waits in staging."""
    await run(in_azure, both(packages, 0))
    outcome = await run(in_azure, both(packages, 1))

    assert outcome.end is End.LIVE
    assert production(azure) == [packages[kind][1].sha256 for kind in Kind]
    staging = azure.sites[WEB.lower()]["staging"].package
    assert packages[Kind.APP][0].sha256 in str(staging)


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_failing_smoke_leaves_production_alone(
    kind: Kind, in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """Whichever of the two fails, neither is swapped."""
    await run(in_azure, both(packages, 0))
    azure.broken.add(f"{kind}-{packages[kind][1].sha256}")
    azure.asked.clear()
    outcome = await run(in_azure, both(packages, 1))

    assert outcome.end is End.STOPPED
    assert outcome.says.startswith(f"{kind} is not healthy in staging")
    assert [one for one in azure.asked if one.endswith("slotsswap")] == []
    assert production(azure) == [packages[kind][0].sha256 for kind in Kind]


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_failing_production_is_swapped_back(
    kind: Kind, in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """Whichever of the two fails, both run what they ran before."""
    await run(in_azure, both(packages, 0))
    azure.broken_in_production.add(f"{kind}-{packages[kind][1].sha256}")
    outcome = await run(in_azure, both(packages, 1))

    assert outcome.end is End.SWAPPED_BACK
    assert f"{kind} is not healthy in production" in outcome.says
    assert production(azure) == [packages[kind][0].sha256 for kind in Kind]


async def test_a_second_swap_that_is_refused_undoes_the_first(
    in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """The two applications are of one version always."""
    await run(in_azure, both(packages, 0))
    end = f"{FUNCTIONS}/slots/staging/slotsswap"
    azure.answers[end] = JSONResponse({"error": {"code": "Conflict"}}, status_code=409)
    outcome = await run(in_azure, both(packages, 1))

    assert outcome.end is End.SWAPPED_BACK
    assert production(azure) == [packages[kind][0].sha256 for kind in Kind]


async def test_after_a_swap_that_nobody_knows_of_nothing_more_is_swapped(
    in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """A person looks; another swap could undo one that never was."""
    await run(in_azure, both(packages, 0))
    azure.answers["GET /operations/1"] = JSONResponse({}, status_code=404)
    azure.asked.clear()
    outcome = await run(in_azure, both(packages, 1))

    assert outcome.end is End.BROKEN
    assert "Nobody knows whether app was swapped" in outcome.says
    assert len([one for one in azure.asked if one.endswith("slotsswap")]) == 1


async def test_where_nothing_ran_before_there_is_nothing_to_go_back_to(
    in_azure: AzureSlots, azure: AppService, packages: Packages
) -> None:
    """A first deployment that fails in production says that a person is needed."""
    azure.broken_in_production.add("app-")
    outcome = await run(in_azure, both(packages, 0))

    assert outcome.end is End.BROKEN
    assert "Swapping back did not mend it" in outcome.says


async def test_once_is_not_enough(
    in_azure: AzureSlots, azure: AppService, packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application that is healthy between two failures is not healthy."""
    turns = iter([True, False] * 50)
    real: Callable[..., list[dict[str, object]]] = azure._instances

    def flickering(*arguments: object) -> list[dict[str, object]]:
        return real(*arguments) if next(turns) else []

    monkeypatch.setattr(azure, "_instances", flickering)
    outcome = await run(in_azure, both(packages, 0), Patience(whole=0.1, pause=0.01, steady=3))

    assert outcome.end is End.STOPPED


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--applications", "a.json"],
        ["--packages-url", "https://x"],
        ["--rehearse", "r", "--packages-url", "https://x"],
    ],
)
def test_where_to_is_said_once(options: list[str], tmp_path: Path) -> None:
    """Azure or this machine, and nothing in between."""
    for kind in Kind:
        (tmp_path / f"{kind}.zip").write_bytes(b"")
        digest = sha256_of(tmp_path / f"{kind}.zip")
        (tmp_path / f"{kind}.sha256").write_text(f"{digest}  {kind}.zip\n")
    done = CliRunner().invoke(commands, ["deploy", str(tmp_path), *options])

    assert done.exit_code == 2
    assert "Say where:" in done.stderr
