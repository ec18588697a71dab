"""How the command line speaks, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from secure_openai.errors import ConfigurationError, SecureOpenAIError

NEGATIVE = 1
"""The command ran, and its answer is no."""

COULD_NOT_RUN = 2

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

DataOption = Annotated[
    Path, typer.Option("--data", help="The data folder.", envvar="SECURE_OPENAI_DATA")
]
DEFAULT_DATA = Path(".data")


@contextmanager
def told_clearly() -> Iterator[None]:
    """Print an error of ours as one line for each problem, without a traceback, and exit."""
    try:
        yield
    except ConfigurationError as error:
        for problem in error.problems:
            err.print(f"[red]✗[/red] {escape(problem)}", soft_wrap=True)
        raise typer.Exit(COULD_NOT_RUN) from None
    except SecureOpenAIError as error:
        err.print(f"[red]✗[/red] {escape(error.detail or error.title)}", soft_wrap=True)
        raise typer.Exit(COULD_NOT_RUN) from None
