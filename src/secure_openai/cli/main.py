"""All commands, one file each."""

from __future__ import annotations

from typing import Annotated

import typer

from secure_openai import __version__
from secure_openai.cli import (
    audit,
    backup,
    check,
    deployments,
    down,
    keys,
    models,
    prove,
    reset,
    serve,
    token,
    up,
)

app = typer.Typer(
    name="secure-openai",
    help="Build applications on Azure OpenAI that a security reviewer will sign.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog="Begin with: secure-openai up",
)

app.command("up")(up.up)
app.command("down")(down.down)
app.command("reset")(reset.reset)
app.command("backup")(backup.backup)
app.command("token")(token.token)
app.command("check")(check.check)
app.command("serve")(serve.serve)
app.command("prove", epilog=prove.EPILOG)(prove.prove)
app.add_typer(audit.app, name="audit")
app.add_typer(deployments.app, name="deployments")
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")


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


def main() -> None:
    """Run the command line."""
    app()
