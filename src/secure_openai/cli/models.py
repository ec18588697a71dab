"""`secure-openai models`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from secure_openai.cli.console import DEFAULT_DATA, DataOption, out, told_clearly
from secure_openai.cli.managing import AccountOption, JsonOption, manage, the_accounts, write_json
from secure_openai.model.management.interface import (
    DeploymentManagement,
    OfferedModel,
    Quota,
    Source,
)
from secure_openai.model.management.shown import model_json, quota_json

app = typer.Typer(help="What Azure offers, and what quota is left.", no_args_is_help=True)

ModelOption = Annotated[
    str, typer.Option("--model", help="Only names with this in them, such as gpt-5.")
]


@app.command("list")
def list_models(
    account: AccountOption = None,
    model: ModelOption = "",
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Show the models that each account's region offers, and when their versions retire.

    [bold]Examples[/bold]

      secure-openai models list
      secure-openai models list --account main --model gpt-5 --json
    """

    async def work(management: DeploymentManagement) -> list[tuple[str, OfferedModel]]:
        return [
            (key, one)
            for key in the_accounts(management, account)
            for one in await management.models(key)
            if model in one.name
        ]

    with told_clearly():
        found = manage(data, work)
    if as_json:
        write_json([{"account": key, **model_json(one)} for key, one in found])
        return
    table = Table(box=None, padding=(0, 1))
    for name in ("account", "model", "version", "stage", "retires", "then"):
        table.add_column(name, no_wrap=True)
    table.add_column("sold as", overflow="fold")
    for key, one in found:
        retires = one.retirement
        # Two sources, told apart: Azure's word is final, the table's is as old as this program.
        dated = "" if retires is None else retires.on.isoformat()
        if retires is not None and retires.source is Source.TABLE:
            dated += " [dim](table)[/dim]"
        table.add_row(
            key,
            one.name,
            one.version + (" *" if one.default else ""),
            one.stage,
            dated,
            (retires.instead or "") if retires else "",
            ", ".join(sku.name for sku in one.skus),
        )
    out.print(table)
    out.print("[dim]* what is deployed if no version is named[/dim]")


@app.command()
def quota(
    account: AccountOption = None,
    model: ModelOption = "",
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Show what each region has left; standard SKUs count thousands of tokens a minute.

    [bold]Examples[/bold]

      secure-openai models quota
      secure-openai models quota --model gpt-5.1 --json
    """

    async def work(management: DeploymentManagement) -> list[Quota]:
        found: dict[tuple[str, str], Quota] = {}
        for key in the_accounts(management, account):
            # Accounts of one region share its quota.
            found |= {(one.region, one.name): one for one in await management.quota(key)}
        return [one for one in found.values() if model in one.name]

    with told_clearly():
        found = manage(data, work)
    if as_json:
        write_json([quota_json(one) for one in found])
        return
    table = Table(box=None, padding=(0, 1))
    for name in ("region", "quota"):
        table.add_column(name, no_wrap=True)
    for name in ("used", "limit", "left"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        left = f"{one.left:g}" if one.left else "[red]0[/red]"
        table.add_row(one.region, one.name, f"{one.used:g}", f"{one.limit:g}", left)
    out.print(table)
