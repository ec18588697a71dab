"""Commands of ours as somebody wrote them down, and whether the command line takes them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import typer

from secure_openai.cli.main import app

_OURS = re.compile(r"(?:^|[\s|(])(?:[\w./]*/)?secure-openai ([^|)#;&]*)")


def commands_in(text: str) -> Iterator[list[str]]:
    """Yield the words after `secure-openai` of every command in a text of a shell."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("#"):
            continue
        for said in _OURS.findall(line):
            if not said.startswith("COMMAND"):
                yield shlex.split(said.replace("…", "X").partition(" > ")[0])


class NotTaken(AssertionError):
    """The command line does not take what was written down."""


def take(words: list[str]) -> None:
    """Let the command line read the words, and do nothing.

    Raises:
        NotTaken: A command or an option is not there, one that must be is missing, or a value is
            none that the option takes.
    """
    command = typer.main.get_command(app)
    context, left = typer.Context(command), list(words)
    try:
        while hasattr(command, "resolve_command"):
            _, command, left = command.resolve_command(context, left)
            context = typer.Context(command, parent=context)
        if "--help" not in left:
            command.make_context(command.name, left, parent=context.parent)
    except Exception as error:  # typer's own errors have no public base
        raise NotTaken(f"secure-openai {shlex.join(words)}: {error}") from error
