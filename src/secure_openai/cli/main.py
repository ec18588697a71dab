"""All commands, one file each."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from secure_openai import __version__
from secure_openai.posture import collector

SAID: Final = {
    "up": "Start the whole system on this machine: sign-in, model and application.",
    "down": "Stop the system that runs in a data folder; nothing is lost.",
    "reset": "Remove everything kept in a data folder: conversations, audit, keys, the "
    "unpacked model.",
    "backup": "Copy what is kept, also while the system runs; the copy is itself a data folder.",
    "chat": "Ask a model through the gateway: one question, or a conversation.",
    "token": "Print an access token for OpenAI clients, signing in first if need be.",
    "check": "Check settings, the policy file and the appearance file, and say every "
    "problem at once.",
    "serve": "Serve the application with the settings of the environment.",
    "prove": "Prove of an estate, before it exists, that it is private, keyless and "
    "least-privileged.",
    "new": "Begin an application of your own: code, tests, policy, estate and pipeline "
    "in one folder.",
    "routes": "List every route of an application and who may call it, as JSON, from its code.",
    "package": "Make what Azure runs: one zip with everything in it, the same bytes each time.",
    "plans": "Apply what was approved.",
    "deploy": "Deploy both packages: into staging, looked at there, swapped, and swapped "
    "back by itself.",
    "doctor": "Say what would stop an estate from being built, before anything is, and "
    "what mends it.",
    "verify": "Look at an estate that stands, from outside or inside, and sign what was seen.",
    "audit": "Show, seal and verify the audit.",
    "jobs": "List and run the jobs: erasure, retention, retirement, roll-up, seal.",
    "deployments": "Show, create and delete deployments.",
    "models": "What Azure offers, and what quota is left.",
    "keys": "The laptop's issuer's signing keys.",
}
"""The commands, each a module of this package with a function of its name, or a group `app`; and
what the list of them says of each, as the command itself does."""

NAMES: Final = tuple(SAID)


class Commands(TyperGroup):
    """Commands that are loaded when somebody asks for them.

    What `serve` needs takes a second to load, and nobody who runs `prove` should wait for it.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = dict.fromkeys(NAMES, None)  # type: ignore[assignment]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands, for which none need be loaded."""
        known = self.commands
        self.commands = {name: TyperCommand(name, help=said) for name, said in SAID.items()}
        try:
            super().format_help(ctx, formatter)
        finally:
            self.commands = known

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
