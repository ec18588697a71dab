"""All commands, one file each."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from secure_openai import __version__
from secure_openai.posture import collector

NAMES: Final = (
    "up",
    "down",
    "reset",
    "backup",
    "chat",
    "token",
    "check",
    "serve",
    "prove",
    "new",
    "routes",
    "package",
    "plans",
    "deploy",
    "doctor",
    "verify",
    "audit",
    "jobs",
    "deployments",
    "models",
    "keys",
)
"""The commands, each a module of this package with a function of its name, or a group `app`."""


class Commands(TyperGroup):
    """Commands that are loaded when somebody asks for them.

    What `serve` needs takes a second to load, and nobody who runs `prove` should wait for it.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = dict.fromkeys(NAMES, None)  # type: ignore[assignment]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, loaded; None where there is none of that name."""
        if self.commands.get(cmd_name, "") is None:
            self.commands[cmd_name] = _loaded(cmd_name)
        return super().get_command(ctx, cmd_name)


@collector.paused()
def _loaded(name: str) -> Any:
    module = import_module(f"secure_openai.cli.{name}")
    parent = typer.Typer(callback=lambda: None, add_completion=False)
    if hasattr(module, "app"):
        parent.add_typer(module.app, name=name)
    else:
        parent.command(name, epilog=getattr(module, "EPILOG", None))(getattr(module, name))
    group: Any = get_command(parent)
    return group.commands[name]


app = typer.Typer(
    cls=Commands,
    name="secure-openai",
    help="Build applications on Azure OpenAI that a security reviewer will sign.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog="Begin with: secure-openai up",
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's callback
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Build applications on Azure OpenAI that a security reviewer will sign."""
