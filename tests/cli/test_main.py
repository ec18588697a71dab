"""The command line itself: what it offers, and that it loads no more than was asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from secure_openai import cli
from secure_openai.cli.main import NAMES, app
from tests.system import environment

NO_COMMANDS = {"__init__", "__main__", "console", "main"}


def test_every_module_is_a_command() -> None:
    """A command that is written is offered, and shows its help."""
    modules = {path.stem for path in Path(cli.__path__[0]).glob("*.py")} - NO_COMMANDS
    assert sorted(NAMES) == sorted(modules)
    for name in NAMES:
        result = CliRunner().invoke(app, [name, "--help"])
        assert result.exit_code == 0, result.output


def test_all_commands_are_listed() -> None:
    """In the order in which they are used."""
    output = CliRunner().invoke(app, ["--help"]).output
    places = [output.index(f" {name} ") for name in NAMES]
    assert sorted(places) == places


def test_a_command_that_is_none_is_refused_with_the_nearest_one() -> None:
    """Nothing is loaded to say so."""
    result = CliRunner().invoke(app, ["prov"])
    assert result.exit_code == 2
    assert "'prove'" in result.output


def test_a_command_does_not_load_what_others_need() -> None:
    """Whoever proves an estate does not wait for the web application to load."""
    program = (
        "import sys; from secure_openai.cli.main import app\n"
        "app(['prove', '--help'], standalone_mode=False)\n"
        "assert not {'fastapi', 'uvicorn', 'aiohttp'} & sys.modules.keys()"
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
