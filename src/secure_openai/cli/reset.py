"""`secure-openai reset`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from secure_openai.cli.console import COULD_NOT_RUN, DEFAULT_DATA, DataOption, out, told_clearly
from secure_openai.errors import StartError
from secure_openai.local.folder import Folder


def reset(
    data: DataOption = DEFAULT_DATA,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove everything kept in a data folder: conversations, audit, keys, the unpacked model.

    Removes only what is ours, and nothing while the system runs.

    [bold]Examples[/bold]

      secure-openai reset
      secure-openai reset --yes --data ~/secure-chat
    """
    folder = Folder(data)
    with told_clearly():
        folder.require_ours()
        if not yes:
            if not sys.stdin.isatty():
                raise StartError("This removes everything kept: say so with --yes.")
            if not typer.confirm(f"Remove everything kept in {folder.path}?"):
                raise typer.Exit(COULD_NOT_RUN)
        folder.remove()
    out.print(f"Removed what was kept in {folder.path}.")
