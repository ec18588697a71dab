"""`secure-openai routes`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from secure_openai.applications import load
from secure_openai.cli.console import NEGATIVE, err, out, told_clearly
from secure_openai.delivery.project import project_in
from secure_openai.delivery.verification.doors import routes_of
from secure_openai.edge.access import declared
from secure_openai.edge.rooms import EVERY
from secure_openai.errors import StartError

EPILOG: Final = """[bold]Examples[/bold]

Of the application in this folder, for secure-openai verify --routes:

  secure-openai routes --output routes.json

In its tests, so that who may call what is not changed unseen:

  secure-openai routes --check routes.json
"""


def routes(
    application: Annotated[
        str,
        typer.Argument(
            help="MODULE:NAME of an application; unless named, the folder's or the framework's own."
        ),
    ] = "",
    output: Annotated[Path | None, typer.Option(help="A file to write to.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="A file that must say the same; nothing is written.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="The application's own folder.")] = Path(),
) -> None:
    """List every route of an application and who may call it, as JSON, from its code.

    It is the roles of whom any may, "signed in" for whoever is, or "public". Nothing is started.
    Ends with 0, with 1 where --check finds a difference, or with 2 where the application does not
    say of every route who may call it.
    """
    with told_clearly():
        if output is not None and check is not None:
            raise StartError("Write the list with --output, or compare it with --check.")
        found = _routes(application, folder)
        if check is not None:
            _compare(found, routes_of(check), check)
            return
        text = json.dumps(found, indent=2) + "\n"
        if output is None:
            typer.echo(text, nl=False)
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StartError(f"{output} cannot be written ({error.strerror}).") from None
    out.print(f"{len(found)} routes written to {escape(str(output))}.", soft_wrap=True)


def _routes(application: str, folder: Path) -> dict[str, list[str]]:
    if not application:
        project = project_in(folder)
        application = "" if project is None else project.application
    if application:
        return load(application, folder).routes()
    return declared(route for router in EVERY for route in router.routes)


def _compare(found: dict[str, list[str]], written: dict[str, list[str]], path: Path) -> None:
    """Return if a list says what the code says.

    Raises:
        typer.Exit: It does not; each route that differs is named.
    """
    differing = [
        f"{route}: {_who(found, route)} in the code, {_who(written, route)} in {path}"
        for route in sorted(found.keys() | written.keys())
        if found.get(route) != written.get(route)
    ]
    if not differing:
        out.print(f"{path} says who may call each of the {len(found)} routes.", soft_wrap=True)
        return
    for one in differing:
        err.print(f"[red]✗[/red] {escape(one)}.", soft_wrap=True)
    err.print(
        f"Where the code is right, write it: secure-openai routes --output {escape(str(path))}",
        soft_wrap=True,
    )
    raise typer.Exit(NEGATIVE)


def _who(routes: dict[str, list[str]], route: str) -> str:
    """Return who may call a route, in words."""
    return " or ".join(map(str, routes[route])) if route in routes else "not there"
