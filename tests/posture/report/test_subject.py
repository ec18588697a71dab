"""What was read has a digest that another can compute."""

from __future__ import annotations

import copy
import shutil
import subprocess
from pathlib import Path

import pytest

from secure_openai.errors import ProofError
from secure_openai.posture.estate import Estate
from secure_openai.posture.report.subject import digest, digest_of, inputs
from tests.posture.mutants import resources
from tests.posture.report.conftest import State

COMMAND = (
    "find . -type f -not -path '*/.*' -not -name '*.tfstate' -not -name '*.tfstate.backup' "
    "| LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
)
"""As docs/prove.md says it."""


def folder(place: Path) -> Path:
    """Return a folder with what counts and what does not."""
    for name in ("main.tf", "modules/a/main.tf", "modules/a-b/x y.tf", "Zone.tf", "table.json"):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}")
    for name in (".terraform/plugin", ".hidden", "terraform.tfstate", "a.tfstate.backup"):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left out")
    return place


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="sha256sum is missing")
def test_a_folders_digest_is_what_the_shell_computes(tmp_path: Path) -> None:
    """A reviewer needs none of our code to check it."""
    place = folder(tmp_path)
    said = subprocess.run(
        ["sh", "-c", COMMAND], cwd=place, capture_output=True, text=True, check=True
    )

    assert digest(place) == said.stdout.split()[0]


@pytest.mark.parametrize("name", ["link.tf", "modules/a/link.tf", "linked"])
def test_a_link_below_a_folder_is_refused(name: str, tmp_path: Path) -> None:
    """What it leads to may change behind the digest; the sentence names the place."""
    place = folder(tmp_path / "infra")
    outside = tmp_path / "outside"
    outside.mkdir()
    (place / name).symlink_to(outside)

    with pytest.raises(ProofError, match=f"{place / name} is a link"):
        digest(place)


def test_the_documented_command_is_the_tested_one() -> None:
    """docs/prove.md tells it."""
    documented = (Path(__file__).parents[3] / "docs" / "prove.md").read_text()

    assert " ".join(COMMAND.split()) in " ".join(documented.replace("\\\n", " ").split())


def test_a_folders_digest_changes_with_what_counts_alone(tmp_path: Path) -> None:
    """State and what is hidden are not configuration."""
    place = folder(tmp_path)
    before = digest(place)
    (place / "terraform.tfstate").write_text("other")
    (place / ".terraform" / "plugin").write_text("other")
    assert digest(place) == before
    (place / "table.json").write_text("other")
    assert digest(place) != before


def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """Not with a traceback."""
    with pytest.raises(ProofError, match="cannot be read"):
        inputs([("state or plan", tmp_path / "nothing.json")])


def test_what_was_not_given_is_no_input() -> None:
    """An option that was left out is not listed."""
    assert inputs([("assumptions", None)]) == ()


def test_an_estates_digest_follows_its_values_and_not_their_order(state: State) -> None:
    """Two readings of one configuration have the same."""
    shuffled = copy.deepcopy(state)
    for module in shuffled["values"]["root_module"]["child_modules"]:
        module["resources"].reverse()
    changed = copy.deepcopy(state)
    resources(changed)[0]["values"]["name"] = "other"

    assert digest_of(Estate.of(shuffled)) == digest_of(Estate.of(state))
    assert digest_of(Estate.of(changed)) != digest_of(Estate.of(state))
