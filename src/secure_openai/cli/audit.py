"""`secure-openai audit`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from secure_openai.cli.auditing import audit_at_hand
from secure_openai.cli.console import DEFAULT_DATA, NEGATIVE, DataOption, err, out, told_clearly
from secure_openai.posture.printable import printable

app = typer.Typer(help="Show, seal and verify the audit.", no_args_is_help=True)


@app.command()
def verify(data: DataOption = DEFAULT_DATA) -> None:
    """Say whether the audit is what was written; exit code 1 if it is not.

    Where the environment names an estate (SECURE_OPENAI_COSMOS_URL and its neighbours), it is that
    estate's: your own sign-in needs to read its database, its seals and the key's public half.

    [bold]Example[/bold]

      secure-openai audit verify
    """
    with told_clearly():
        kept = audit_at_hand(data)
        report = asyncio.run(kept.verify())
    for found in report.found:
        err.print(
            f"[red]✗[/red] {found.kind.value}: {escape(printable(found.sentence))}", soft_wrap=True
        )
    if report.unnamed:
        err.print(f"  … and {report.unnamed} more")
    if report.found:
        raise typer.Exit(NEGATIVE)
    out.print(
        f"[green]✓[/green] {report.records} records hold together; {report.seals} seals, the last "
        f"up to record {report.sealed}. That is the audit of {escape(kept.where)}.",
        soft_wrap=True,
    )
    if report.sealed < report.records:
        out.print(
            f"  The {report.records - report.sealed} after it could be cut off unseen: "
            "secure-openai audit seal"
        )


@app.command()
def seal(data: DataOption = DEFAULT_DATA) -> None:
    """Sign the chain as it stands, outside the database.

    [bold]Example[/bold]

      secure-openai audit seal
    """
    with told_clearly():
        made = asyncio.run(audit_at_hand(data).seal())
    sealed = sum(head.sequence for head in made.heads or ())
    out.print(f"Seal {made.number} reaches up to record {sealed}.")


@app.command()
def show(
    data: DataOption = DEFAULT_DATA,
    last: Annotated[int, typer.Option("--last", min=1, max=10_000, help="How many.")] = 20,
) -> None:
    """Show the last records: who, what, which deployment, the decision and why; never the text.

    [bold]Example[/bold]

      secure-openai audit show --last 50
    """
    with told_clearly():
        records = asyncio.run(audit_at_hand(data).last(last))
    if not records:
        out.print("Nothing is recorded yet.")
        return
    table = Table(box=None, padding=(0, 1))
    for name in ("no.", "at", "who", "what", "why"):
        table.add_column(name, no_wrap=True)
    table.add_column("deployment", overflow="fold")
    for record in records:
        event = record.event
        table.add_row(
            str(record.sequence),
            event.at.strftime("%m-%d %H:%M:%S"),
            _plain(event.principal.oid[-8:]) if event.principal else "-",
            _plain(event.action),
            _plain(event.reason, "" if event.decision == "allowed" else "red"),
            _plain(event.deployment or ""),
        )
    out.print(table)


def _plain(text: str, style: str = "") -> Text:
    """Return a text of a record, which somebody else may have written, as it may be shown."""
    return Text(printable(text), style)
