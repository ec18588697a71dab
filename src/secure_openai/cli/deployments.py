"""`secure-openai deployments`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.markup import escape
from rich.table import Table

from secure_openai.cli.console import (
    DEFAULT_DATA,
    NEGATIVE,
    DataOption,
    err,
    out,
    told_clearly,
)
from secure_openai.cli.managing import (
    AccountOption,
    JsonOption,
    Work,
    manage,
    the_account,
    the_accounts,
    write_json,
)
from secure_openai.errors import StartError
from secure_openai.model.management.interface import (
    DeploymentManagement,
    Kind,
    ManagedDeployment,
    Progress,
    State,
    Wanted,
)
from secure_openai.model.management.operations import Operation, finished
from secure_openai.model.management.shown import deployment_json, progress_json

app = typer.Typer(help="Show, create and delete deployments.", no_args_is_help=True)

INTERRUPTED = 130
"""What a shell says of a command that was ended by Ctrl-C."""

NameArgument = Annotated[str, typer.Argument(help="The deployment's name.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until Azure has done it.")]


class _Verb(NamedTuple):
    doing: str
    done: str


_VERBS = {
    Kind.CREATE: _Verb("Creating", "created"),
    Kind.DELETE: _Verb("Deleting", "deleted"),
}


@app.command("list")
def list_deployments(
    account: AccountOption = None, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False
) -> None:
    """Show the deployments of the accounts.

    [bold]Examples[/bold]

      secure-openai deployments list
      secure-openai deployments list --account main --json
    """

    async def work(management: DeploymentManagement) -> list[ManagedDeployment]:
        keys = the_accounts(management, account)
        return [one for key in keys for one in await management.deployments(key)]

    with told_clearly():
        found = manage(data, work)
    if as_json:
        write_json([deployment_json(one) for one in found])
        return
    table = Table(box=None, padding=(0, 1))
    for name in ("account", "name", "model", "version", "sold as"):
        table.add_column(name, no_wrap=True)
    table.add_column("capacity", justify="right", no_wrap=True)
    for name in ("state", "content filter"):
        table.add_column(name, no_wrap=True)
    for one in found:
        capacity = "" if one.capacity is None else str(one.capacity)
        state = one.state if one.state == "Succeeded" else f"[yellow]{escape(one.state)}[/yellow]"
        filtered = one.content_filter or ""
        table.add_row(
            one.account, one.name, one.model, one.version, one.sku, capacity, state, filtered
        )
    out.print(table)


@app.command()
def show(
    name: NameArgument,
    account: AccountOption = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Show one deployment.

    [bold]Example[/bold]

      secure-openai deployments show chat --account main
    """
    with told_clearly():
        found = manage(data, lambda to: to.deployment(the_account(to, account), name))
    if as_json:
        write_json(deployment_json(found))
        return
    out.print(_facts(found))


@app.command()
def create(
    name: NameArgument,
    model: Annotated[str, typer.Option("--model", help="Such as gpt-5.1.")],
    capacity: Annotated[
        int | None,
        typer.Option("--capacity", help="Thousands of tokens a minute for standard SKUs."),
    ] = None,
    account: AccountOption = None,
    version: Annotated[
        str | None, typer.Option("--model-version", help="Azure's default unless given.")
    ] = None,
    sku: Annotated[
        str | None, typer.Option("--sku", help="DataZoneStandard where it is sold.")
    ] = None,
    content_filter: Annotated[
        str | None,
        typer.Option(
            "--content-filter", help="A policy of the account; the estate's unless given."
        ),
    ] = None,
    wait: WaitOption = True,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Create a deployment: everything that can be checked is checked before anything is sent.

    [bold]Examples[/bold]

      secure-openai deployments create answers --model gpt-5.1 --capacity 50
      secure-openai deployments create answers --model gpt-5.1 --account main --sku GlobalStandard
    """

    async def work(management: DeploymentManagement) -> Progress:
        wanted = Wanted(
            the_account(management, account), name, model, version, sku, capacity, content_filter
        )
        return await _ended(management, await management.create(wanted), wait=wait)

    _tell(_followed(data, work, name), as_json=as_json)


@app.command()
def delete(
    name: NameArgument,
    account: AccountOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    wait: WaitOption = True,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Delete a deployment, after showing it and asking for its name.

    [bold]Examples[/bold]

      secure-openai deployments delete answers
      secure-openai deployments delete answers --account main --yes
    """
    with told_clearly():
        found = manage(data, lambda to: to.deployment(the_account(to, account), name))
        if not yes:
            _confirm(found)

    async def work(management: DeploymentManagement) -> Progress:
        begun = await management.delete(found.account, name, confirm=name, etag=found.etag)
        return await _ended(management, begun, wait=wait)

    _tell(_followed(data, work, name), as_json=as_json)


@app.command()
def wait(
    name: NameArgument,
    account: AccountOption = None,
    deletion: Annotated[
        bool, typer.Option("--deletion", help="It is being deleted, not created.")
    ] = False,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Wait until Azure has created a deployment, or deleted it; for one begun before.

    [bold]Examples[/bold]

      secure-openai deployments wait answers
      secure-openai deployments wait answers --deletion
    """
    kind = Kind.DELETE if deletion else Kind.CREATE

    async def work(management: DeploymentManagement) -> Progress:
        operation = Operation(kind, the_account(management, account), name)
        return await _ended(management, await management.ask(operation.token), wait=True)

    _tell(_followed(data, work, name), as_json=as_json)


def _confirm(found: ManagedDeployment) -> None:
    err.print(_facts(found))
    if not sys.stdin.isatty():
        raise StartError("A deletion asks for the deployment's name: add --yes in scripts.")
    typed = typer.prompt("Type the deployment's name to delete it", default="", err=True)
    if typed != found.name:
        err.print("Nothing was deleted.")
        raise typer.Exit(NEGATIVE)


def _facts(found: ManagedDeployment) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for label, value in deployment_json(found).items():
        if value is not None and label != "etag":
            table.add_row(label.replace("_", " "), escape(str(value)))
    return table


async def _ended(management: DeploymentManagement, begun: Progress, *, wait: bool) -> Progress:
    """Follow an operation to its end, if that is wanted, and say on standard error that it runs."""
    if not wait:
        return begun
    with _shown(f"{_VERBS[begun.kind].doing} {begun.name} …"):
        return await finished(management, begun)


@contextmanager
def _shown(doing: str) -> Iterator[None]:
    """Show that something goes on: a spinner in a terminal, a line elsewhere."""
    if not err.is_terminal:
        err.print(doing)
        yield
        return
    with err.status(doing):
        yield


def _followed(data: Path, work: Work[Progress], name: str) -> Progress:
    with told_clearly():
        try:
            return manage(data, work)
        except KeyboardInterrupt:
            err.print(
                f"Azure goes on. See how it stands with: secure-openai deployments wait {name}",
                soft_wrap=True,
            )
            raise typer.Exit(INTERRUPTED) from None


def _tell(progress: Progress, *, as_json: bool) -> None:
    if as_json:
        write_json(progress_json(progress))
    elif progress.state is State.SUCCEEDED:
        out.print(f"[green]✓[/green] {progress.name} is {_VERBS[progress.kind].done}.")
    elif progress.state is State.UNDER_WAY:
        deletion = " --deletion" if progress.kind is Kind.DELETE else ""
        out.print(
            f"Azure is at it. Wait for the end with: secure-openai deployments wait "
            f"{progress.name}{deletion}",
            soft_wrap=True,
        )
    else:
        why = progress.detail or "Someone has stopped it."
        err.print(f"[red]✗[/red] {escape(why)}", soft_wrap=True)
    if progress.state in {State.FAILED, State.CANCELED}:
        raise typer.Exit(NEGATIVE)
