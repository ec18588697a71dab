"""`secure-openai new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from secure_openai.cli.console import out, told_clearly
from secure_openai.delivery.new import Template, make_application

EPILOG: Final = """[bold]Examples[/bold]

The smallest application, in a folder of its own:

  secure-openai new contoso-answers

The full chat under a policy of your own, and a service that others call with tokens:

  secure-openai new contoso-chat --template chat

  secure-openai new contoso-api --template api --in ~/applications
"""


def new(
    name: Annotated[str, typer.Argument(help="Of the application and its folder.")],
    template: Annotated[Template, typer.Option(help="What to begin with.")] = Template.STARTER,
    parent: Annotated[Path, typer.Option("--in", help="Where the folder shall stand.")] = Path(),
) -> None:
    """Begin an application of your own: code, tests, policy, estate and pipeline in one folder.

    Ends with 0, or with 2 if it cannot be made; then nothing is left.
    """
    with told_clearly():
        folder = make_application(name, template, parent)
    steps = Table.grid(padding=(0, 2))
    steps.add_row("make up", Text("it runs on this machine, with sign-in and a small model"))
    steps.add_row("make test", Text("its tests, the refusals first"))
    steps.add_row("make prove", Text("its estate is private, before it exists"))
    out.print(Text(f"Made {folder} from the template {template}.\n"), soft_wrap=True)
    out.print(Text(f"cd {folder}"), soft_wrap=True)
    out.print(steps)
