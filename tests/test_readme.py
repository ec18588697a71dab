"""Every command of the README runs here, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import token_of
from tests.system import running

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def test_the_readme_has_two_commands_and_one_program() -> None:
    """What is shown is what the tests below run; a block more needs a test more."""
    assert [block for block in BLOCKS if block[0] == "sh"] == [
        ("sh", "make up\n"),
        ("sh", "make test\n"),
    ]
    assert [kind for kind, _ in BLOCKS] == ["sh", "sh", "python"]


def test_the_verbs_are_the_makefiles() -> None:
    """`make help` lists both commands; CI calls the second."""
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert "make up " in shown
    assert "make test " in shown
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_make_up_passes_its_options_on() -> None:
    """`make up ARGS='--port 9000'` reaches the command line."""
    planned = subprocess.run(
        ["make", "--dry-run", "up", "ARGS=--port 9000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "secure-openai up --port 9000" in planned


@pytest.mark.process
def test_the_program_prints_an_answer(tmp_path: Path) -> None:
    """The Python block runs as it stands, but for the port and the data folder."""
    (program,) = [text for kind, text in BLOCKS if kind == "python"]
    with running(tmp_path / "data") as system:
        token_of(system)
        program = program.replace("http://localhost:8400", system.url)
        environment = os.environ | {
            "SECURE_OPENAI_DATA": str(system.data),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        ended = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )

    assert ended.returncode == 0, ended.stderr
    assert "capital of France" in ended.stdout


def test_every_link_leads_somewhere() -> None:
    """Relative links of the README and the docs name files that exist."""
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
