"""The command line itself: what it offers, and that it loads no more than was asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from secure_openai import cli
from secure_openai.cli.main import NAMES, SAID, app
from tests.system import environment


def written() -> Iterator[str]:
    """Yield the modules that hold a command: a function of their name, or a group."""
    for path in Path(cli.__path__[0]).glob("*.py"):
        if path.stem not in {"__init__", "__main__", "main"}:
            module = import_module(f"secure_openai.cli.{path.stem}")
            if hasattr(module, "app") or hasattr(module, path.stem):
                yield path.stem


def test_every_command_that_is_written_is_offered() -> None:
    """It shows its help."""
    assert sorted(NAMES) == sorted(written())
    for name in NAMES:
        result = CliRunner().invoke(app, [name, "--help"])
        assert result.exit_code == 0, result.output


def test_all_commands_are_listed() -> None:
    """In the order in which they are used."""
    output = CliRunner().invoke(app, ["--help"]).output
    places = [output.index(f" {name} ") for name in NAMES]
    assert sorted(places) == places


def test_the_list_says_of_a_command_what_it_says_of_itself() -> None:
    """The list loads no command, so both are written; they do not differ."""
    group: Any = get_command(app)
    own = {name: group.get_command(None, name).help.split("\n\n")[0] for name in NAMES}
    assert {name: " ".join(said.split()) for name, said in own.items()} == SAID


def test_a_command_that_is_none_is_refused_with_the_nearest_one() -> None:
    """Nothing is loaded to say so."""
    result = CliRunner().invoke(app, ["prov"])
    assert result.exit_code == 2
    assert "'prove'" in result.output


@pytest.mark.parametrize(
    ("asked", "others"),
    [
        ("prove", {"fastapi", "aiohttp", "secure_openai.posture.simulation.workspace"}),
        ("deployments", {"fastapi", "secure_openai.assembly"}),
        ("", {f"secure_openai.cli.{name}" for name in NAMES}),
    ],
)
def test_a_command_does_not_load_what_others_need(asked: str, others: set[str]) -> None:
    """Whoever proves a state waits for no web application, and a list of commands for none."""
    program = (
        "import sys; from secure_openai.cli.main import app\n"
        f"app({[*asked.split(), '--help']}, standalone_mode=False)\n"
        f"others = {others}\n"
        "assert not others & sys.modules.keys(), others & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
