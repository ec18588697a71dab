"""A plain command line of `prove` is read at once, as the whole command line reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from secure_openai.cli import prove as command
from secure_openai.cli.proving import DEFAULT_PATH, OPTIONS, Cloud, Format, plain

PLAIN: list[list[str]] = [
    [],
    ["infra"],
    ["state.json", "--format", "json"],
    ["--format=json", "state.json"],
    ["infra", "--var-file", "a.tfvars", "--var-file=b.tfvars"],
    ["plan.json", "--config", "infra", "--cloud", "usgovernment"],
    ["--assume", "a.json", "--baseline", "b.json", "x", "--output", "y z"],
    ["state.json", "--explain", "web -> cosmos"],
    ["state.json", "--explain=a=b"],
]
"""Command lines that are read at once."""

OTHERS: list[list[str]] = [
    ["--help"],
    ["-h"],
    ["one", "two"],
    ["--format", "xml"],
    ["--format", "JSON"],
    ["--format"],
    ["--format="],
    ["--cloud", "china"],
    ["--format", "json", "--format", "text"],
    ["--", "infra"],
    ["--var-file", "--format"],
    ["--output", "-"],
    ["--unknown", "x"],
    ["--form", "json"],
    [""],
]
"""Command lines that are left to typer."""


def as_typer_reads(words: list[str]) -> dict[str, Any]:
    """Return the arguments that typer gives to the command."""
    app = typer.Typer(add_completion=False)
    app.command()(command.prove)
    context = get_command(app).make_context("prove", list(words))
    return {name: value for name, value in context.params.items() if value not in (None, [], ())}


@pytest.mark.parametrize("words", PLAIN, ids=" ".join)
def test_a_plain_line_is_read_as_typer_reads_it(words: list[str]) -> None:
    """Every option that the line may hold, in both ways of writing it."""
    found = plain(words)
    assert found is not None
    assert {"path": DEFAULT_PATH, "written_as": Format.TEXT, **found} == as_typer_reads(words)


@pytest.mark.parametrize("words", OTHERS, ids=" ".join)
def test_what_is_not_plain_is_left_to_typer(words: list[str]) -> None:
    """It has the help and the complaints."""
    assert plain(words) is None


def test_every_option_of_the_command_is_known() -> None:
    """None is read in one way only, and each gives the same argument."""
    app = typer.Typer(add_completion=False)
    app.command()(command.prove)
    params = get_command(app).params
    options = {
        name: str(one.name)
        for one in params
        for name in one.opts
        if name.startswith("--") and name != "--help"
    }
    assert options == {name: argument for name, (argument, _) in OPTIONS.items()}
    assert OPTIONS["--cloud"][1] is Cloud
    assert OPTIONS["--format"][1] is Format


def run(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "secure_openai.cli", "prove", *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | more,
    )


def test_an_error_is_one_sentence(tmp_path: Path) -> None:
    """Exit 2, and nothing on the standard output."""
    done = run(tmp_path / "none.json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("✗ ")
    assert "Traceback" not in done.stderr


def test_colours_are_for_terminals_and_who_asks(tmp_path: Path) -> None:
    """A file or another program gets none."""
    given = tmp_path / "state.json"
    key = {"address": "azurerm_key_vault.a", "mode": "managed", "type": "azurerm_key_vault"}
    module = {"resources": [{**key, "values": {"name": "kv"}}]}
    given.write_text(json.dumps({"format_version": "1.0", "values": {"root_module": module}}))
    plainly = run(given)
    assert plainly.returncode == 1
    assert "\x1b[" not in plainly.stdout
    assert "\x1b[" in run(given, FORCE_COLOR="1").stdout


def test_what_is_not_asked_for_is_not_loaded() -> None:
    """Neither the packages that read command lines and draw on terminals, nor what validates."""
    code = (
        "import sys; from secure_openai.cli.proving import plain; plain(['infra']);"
        "print([one for one in ('pydantic', 'rich', 'typer', 'jinja2', 'grpc', 'asyncio')"
        " if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
