"""Each module by itself: its example applies, its README is generated, its files are in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from secure_openai.posture.architecture.modules import folders, readme
from secure_openai.posture.simulation import Workspace
from tests.infra.estate import INFRA

FOLDERS = folders(INFRA)
DECLARED = re.compile(r'^(?:variable|output) "(\w+)"', re.MULTILINE)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda one: one.name)
def test_its_example_applies_plans_again_empty_and_is_destroyed(folder: Path) -> None:
    """What the README shows works as it stands."""
    example = folder / "example"
    files = [] if example.is_dir() else [folder / "example.tfvars"]
    with Workspace(example if example.is_dir() else folder, var_files=files) as workspace:
        workspace.validate()
        workspace.apply()

        assert workspace.plan().is_empty
        workspace.destroy()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda one: one.name)
def test_its_readme_is_the_generated_one(folder: Path) -> None:
    """The committed README cannot rot."""
    assert (folder / "README.md").read_text() == readme(folder), (
        "generate it: python -m secure_openai.posture.architecture.modules"
    )


@pytest.mark.parametrize("folder", [INFRA, *FOLDERS], ids=lambda one: one.name)
@pytest.mark.parametrize("name", ["variables.tf", "outputs.tf"])
def test_its_variables_and_outputs_are_in_order(folder: Path, name: str) -> None:
    """They stand alphabetically, each with a description."""
    text = (folder / name).read_text()
    names = DECLARED.findall(text)

    assert names == sorted(names)
    assert text.count("  description = ") >= len(names)


def test_the_terraform_is_valid_whatever_the_variables_are() -> None:
    """`terraform validate` has nothing to say, not even a warning."""
    with Workspace(INFRA) as workspace:
        assert workspace.validate() == ()


def test_the_terraform_is_formatted() -> None:
    """`terraform fmt` would change nothing."""
    with Workspace(INFRA) as workspace:
        found = workspace.unformatted()

    assert found == ()


def test_no_lock_file_of_stand_ins_is_committed() -> None:
    """Its hashes would stop every real `init`; whoever deploys commits what a registry signed."""
    for path in INFRA.rglob(".terraform.lock.hcl"):
        for provider in path.read_text().split("\nprovider ")[1:]:
            assert '"zh:' in provider, path
