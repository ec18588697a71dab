"""`secure-openai prove`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from secure_openai.cli.console import told_clearly
from secure_openai.cli.proving import DEFAULT_PATH, Cloud, Format, proven

EPILOG: Final = """[bold]Examples[/bold]

Prove a folder of Terraform, without an account:

  secure-openai prove infra --var-file infra/environments/private.tfvars

Prove what lives, and write a page for the reviewer:

  terraform show -json > state.json

  secure-openai prove state.json --format html --output report.html

Ask for one way through the estate:

  secure-openai prove state.json --explain "web -> cosmos"
"""


def prove(
    path: Annotated[
        Path,
        typer.Argument(help="A Terraform folder, or a state or plan of `terraform show -json`."),
    ] = DEFAULT_PATH,
    var_file: Annotated[list[Path] | None, typer.Option(help="Variables of a folder.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="The folder that a plan was made from.")
    ] = None,
    cloud: Annotated[Cloud | None, typer.Option(help="Otherwise inferred from locations.")] = None,
    assume: Annotated[
        Path | None, typer.Option(help="What lies outside and is vouched for.")
    ] = None,
    baseline: Annotated[Path | None, typer.Option(help="Findings that were accepted.")] = None,
    written_as: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TEXT,
    output: Annotated[Path | None, typer.Option(help="A file to write to.")] = None,
    question: Annotated[
        str | None, typer.Option("--explain", help='One way, such as "internet -> cosmos".')
    ] = None,
) -> None:
    """Prove of an estate, before it exists, that it is private, keyless and least-privileged.

    Ends with 0 if every statement is proven, 1 if there are findings, 2 if it cannot be told.
    """
    with told_clearly():
        code = proven(
            path,
            var_file=var_file or (),
            config=config,
            cloud=cloud,
            assume=assume,
            baseline=baseline,
            written_as=written_as,
            output=output,
            question=question,
        )
    raise typer.Exit(code)
