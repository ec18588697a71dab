"""`secure-openai up`: everything, on this machine."""

from __future__ import annotations

import shutil
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from secure_openai.cli.console import (
    DEFAULT_DATA,
    NEGATIVE,
    DataOption,
    err,
    out,
    progressing,
    told_clearly,
)
from secure_openai.delivery.project import own_policy, project_in
from secure_openai.errors import ConfigurationError
from secure_openai.local.identity_provider.directory import PEOPLE
from secure_openai.local.up import (
    AZURE,
    DEFAULT_PORT,
    Options,
    Stopped,
    System,
    stopping_on_signals,
)


def up(
    port: Annotated[
        int, typer.Option("--port", help="Of the application; the two ports after it are used too.")
    ] = DEFAULT_PORT,
    data: DataOption = DEFAULT_DATA,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="A GGUF file, the http address of an OpenAI-compatible API, or scripted. "
            "The small local model unless given.",
            envvar="SECURE_OPENAI_MODEL",
        ),
    ] = None,
    azure: Annotated[
        bool,
        typer.Option(
            "--azure",
            help="Ask Azure OpenAI as who is signed in with az or azd. "
            "SECURE_OPENAI_MODEL_ACCOUNTS names the accounts.",
        ),
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the application in a browser.")
    ] = True,
) -> None:
    """Start the whole system on this machine: sign-in, model and application.

    In a folder with secure-openai.toml, it is the application that it names, under its policy.

    [bold]Examples[/bold]

      secure-openai up
      secure-openai up --port 9000 --data ~/secure-chat
      secure-openai up --model ~/models/qwen3-4b.gguf
      secure-openai up --model scripted --no-browser
      secure-openai up --azure
    """
    if azure and model is not None:
        raise typer.BadParameter("write --azure or --model, not both")
    with told_clearly(), stopping_on_signals():
        policy = own_policy(project_in(Path())).get("policy", "")
        system = System(Options(port, Path(data), AZURE if azure else model, policy))
        try:
            with progressing("Starting") as progress:
                system.tell(progress)
                system.start()
            pages = system.serves("/signed-out")
            out.print(_ready(system, pages=pages))
            if browser and pages:
                webbrowser.open(system.options.url)
            _watch(system)
        except Stopped:
            out.print("Stopping …")
        finally:
            system.stop()
    out.print("Stopped. What you wrote is kept in the data folder.")


def _watch(system: System) -> None:
    try:
        system.watch()
    except ConfigurationError as error:
        err.print(f"[red]✗[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(NEGATIVE) from None


def command() -> str:
    """Return what to type for this program: its name where that is found, else its path."""
    if shutil.which("secure-openai"):
        return "secure-openai"
    beside = Path(sys.executable).with_name("secure-openai")
    with suppress(ValueError):
        return str(beside.relative_to(Path.cwd()))
    return str(beside)


def _ready(system: System, *, pages: bool) -> Panel:
    """Say where to go and who one may be: to pages, to the gateway, or to routes of one's own."""
    options = system.options
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    where = "Open" if pages else "It answers at"
    facts.add_row(where, Text(options.url, style="bold link " + options.url))
    people = Table.grid(padding=(0, 2))
    for person in PEOPLE:
        people.add_row(person.name, Text(", ".join(person.roles) or "no role", style="dim"))
    facts.add_row("Sign in as" if pages else "Who may ask", people)
    small = options.model is None
    about = " (very small: it shows the way, not what a model can do)" if small else ""
    facts.add_row("Model", Text(system.model_name + about))
    facts.add_row("Data", Text(str(system.folder.path)))
    elsewhere = "" if options.data == Path(DEFAULT_DATA) else f" --data {options.data}"
    token = Text(f"{command()} token{elsewhere}")
    if system.serves("/openai/v1/models"):
        facts.add_row("OpenAI clients", Text(f"{options.url}/openai/v1"))
        facts.add_row("A token for them", token)
    else:
        facts.add_row("Its routes", Text(f"{command()} routes"))
        facts.add_row("A token", token)
    return Panel(
        Group(facts, Text("\nCtrl-C stops everything.", style="dim")),
        title="Ready",
        title_align="left",
        border_style="green",
        expand=False,
        padding=(1, 2),
    )
