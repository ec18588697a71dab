"""`secure-openai package`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from secure_openai.cli.console import out, progressing, told_clearly
from secure_openai.delivery.package import Kind, Package, make_package
from secure_openai.delivery.project import project_in
from secure_openai.delivery.target import PLATFORM, PYTHON, Target
from secure_openai.errors import DeliveryError

EPILOG: Final = """[bold]Examples[/bold]

What App Service and Functions run, from a clone or from the folder that secure-openai new made:

  secure-openai package app --output dist --wheels .wheels

  secure-openai package functions --output dist --wheels .wheels

For another Python than the estate's, with a policy of your own beside the framework:

  secure-openai package app --output dist --python 3.12 --policy policy.toml
"""

_MEGABYTE: Final = 1_000_000


def package(
    kind: Annotated[Kind, typer.Argument(help="Which of the two applications.")],
    output: Annotated[Path, typer.Option(help="The folder to write to.")],
    python: Annotated[str, typer.Option(help="The version of Python there.")] = PYTHON,
    platform: Annotated[
        str, typer.Option(help="linux_x86_64 or linux_aarch64; App Service is the first.")
    ] = PLATFORM,
    folder: Annotated[Path, typer.Option(help="The application's own folder.")] = Path(),
    wheels: Annotated[
        Path | None,
        typer.Option(help="A folder that keeps what was fetched, for the next package."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="A policy for the framework's own chat, from a clone.")
    ] = None,
) -> None:
    """Make what Azure runs: one zip with everything in it, the same bytes each time.

    Beside it lie its digest and its bill of materials. Ends with 0, or with 2 if it cannot be made.
    """
    with told_clearly():
        target = Target(python, platform)
        project = project_in(folder)
        if project is not None and policy is not None:
            raise DeliveryError(
                "--policy is for the framework's own chat: an application's own stands in its "
                "secure-openai.toml."
            )
        with progressing("Beginning") as progress:
            made = make_package(
                kind,
                output,
                target=target,
                project=project,
                policy=policy,
                fetched=wheels,
                progress=progress,
            )
    out.print(_facts(made, target))


def _facts(made: Package, target: Target) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    facts.add_row("Package", Text(str(made.path)))
    facts.add_row("For", Text(f"Python {target.python} on {target.platform}"))
    facts.add_row("Carries", Text(f"{made.parts} distributions, listed in {made.bill}"))
    size, unpacked = made.size / _MEGABYTE, made.unpacked / _MEGABYTE
    facts.add_row("Size", Text(f"{size:.1f} MB, {unpacked:.1f} MB unpacked"))
    facts.add_row("SHA-256", Text(made.sha256))
    return facts
