"""Workflows: pinned, without a secret, and refusing to plan where providers are not locked."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.infra.estate import INFRA, ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PLAN = (ROOT / ".github" / "workflows" / "plan.yml").read_text()
RELEASE = ROOT / ".github" / "workflows" / "release.yml"
USES = re.compile(r"^ +uses: (.*)$", re.MULTILINE)
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
SOURCE = re.compile(r'^ +source += "([^"]+)"', re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that asks for the estate's providers."""
    shutil.copy(INFRA / "terraform.tf", tmp_path)
    return tmp_path


def lock(*providers: str) -> str:
    """Return a lock file in Terraform's words."""
    return "# This file is maintained automatically.\n" + "".join(
        f'\nprovider "registry.example/{name}" {{\n  version = "1.0.0"\n  hashes  = ["h1:x"]\n}}\n'
        for name in providers
    )


def refused(folder: Path) -> str:
    """Run the first step on a folder; return what it says, or nothing where the job goes on."""
    done = subprocess.run(
        [ROOT / ".ci" / "locked", folder], capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) == (done.stderr == "")
    assert done.stdout == ""
    return done.stderr


def test_without_a_lock_file_the_first_step_refuses(folder: Path) -> None:
    """It says in one sentence which file is missing and what makes it."""
    said = refused(folder)

    assert said.startswith(f"{folder}/.terraform.lock.hcl is missing: run 'terraform ")
    assert "providers lock" in said
    assert said.count("\n") == 1


def test_with_every_provider_locked_the_job_goes_on(folder: Path) -> None:
    """The file that Terraform wrote is all that is asked for."""
    providers = SOURCE.findall((folder / "terraform.tf").read_text())
    (folder / ".terraform.lock.hcl").write_text(lock(*providers))

    assert len(providers) == 4
    assert refused(folder) == ""


def test_a_lock_file_that_leaves_a_provider_out_is_refused(folder: Path) -> None:
    """A provider that was added later is named, one that only resembles it does not count."""
    first, *others = SOURCE.findall((folder / "terraform.tf").read_text())
    (folder / ".terraform.lock.hcl").write_text(lock(*others, f"not{first}"))

    assert f"does not lock {first}: run 'terraform " in refused(folder)


def test_nothing_of_azure_is_asked_before_the_refusal() -> None:
    """After the check-out the script is the first step, and `init` takes the lock file as it is."""
    steps = re.split(r"^      - ", PLAN, flags=re.MULTILINE)[1:]

    assert "actions/checkout@" in steps[0]
    assert "run: .ci/locked infra" in steps[1]
    init = next(number for number, step in enumerate(steps) if " init " in step)
    assert init > 1
    assert "-lockfile=readonly" in steps[init]
    assert "-lock=false" in next(step for step in steps if " plan " in step)
    assert "secure-openai prove" in steps[-1]


def test_a_release_is_held_to_the_real_providers_and_signs_in_nowhere() -> None:
    """Every test of the estate runs there, without state and without a right."""
    text = RELEASE.read_text()
    steps = re.findall(r"^        run: (.*)$", text, re.MULTILINE)

    assert steps == [
        "terraform -chdir=infra init -backend=false -input=false",
        "terraform -chdir=infra test",
        "terraform -chdir=infra/bootstrap init -backend=false -input=false",
        "terraform -chdir=infra/bootstrap validate",
    ]
    assert "id-token" not in text
    assert "ARM_" not in text
    assert sorted(one.parent for one in INFRA.rglob("*.tftest.hcl")) == [INFRA / "tests"] * 3


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda one: one.name)
def test_a_workflow_is_pinned_and_keeps_no_secret(path: Path) -> None:
    """Actions by their commit; nothing is allowed but what a job says; no secret is read."""
    text = path.read_text()

    assert [one for one in USES.findall(text) if not PINNED.fullmatch(one)] == []
    assert "\npermissions: {}\n" in text
    assert "secrets." not in text
    assert "pull_request_target" not in text
    if "id-token: write" in text:
        assert "\n    environment: " in text
        assert "pull_request:" not in text
