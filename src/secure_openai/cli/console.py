"""How the command line speaks, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from secure_openai.errors import ConfigurationError, SecureOpenAIError
from secure_openai.posture.report.lines import WIDTH, Line

NEGATIVE = 1
"""The command ran, and its answer is no."""

COULD_NOT_RUN = 2

_WIDEST = 120

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
    except SecureOpenAIError as error:
        tell(error)
        raise typer.Exit(COULD_NOT_RUN) from None


def tell(error: SecureOpenAIError) -> None:
    """Print an error of ours as one line for each problem."""
    if isinstance(error, ConfigurationError):
        problems = list(error.problems)
    else:
        problems = [error.detail or error.title]
    for problem in problems:
        err.print(f"[red]✗[/red] {escape(problem)}", soft_wrap=True)


def show(lines: Callable[[int], Iterable[Line]]) -> None:
    """Print styled lines, made for the width of the terminal, or of a page where there is none.

    Args:
        lines: Returns them for a width in columns.
    """
    for line in lines(min(out.width, _WIDEST) if out.is_terminal else WIDTH):
        out.print(Text.assemble(*line.parts), soft_wrap=True)


@contextmanager
def waiting(doing: str) -> Iterator[Callable[[str], None]]:
    """Say what goes on, where somebody looks on; yield what changes it."""
    if not err.is_terminal:
        yield _nobody_looks_on
        return
    with err.status(doing) as status:
        yield status.update


def _nobody_looks_on(_: str) -> None:
    """Say nothing."""


@contextmanager
def progressing(first: str) -> Iterator[Callable[[str, float | None], None]]:
    """Show progress: a bar in a terminal, a line for each step elsewhere.

    Args:
        first: What is said before anything is told.

    Yields:
        What is told the step, and how much of it is done where that is known.
    """
    if not out.is_terminal:
        said: set[str] = set()

        def say(what: str, done: float | None) -> None:
            # Where lines stay, the parts of a step that is counted would fill the page.
            if what not in said and not done:
                said.add(what)
                out.print(f"{what} …")

        yield say
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24))
    with Progress(*columns, console=out, transient=True) as progress:
        task = progress.add_task(first, total=None)

        def show(what: str, done: float | None) -> None:
            progress.update(
                task, description=what, total=None if done is None else 1.0, completed=done or 0.0
            )

        yield show
