"""`secure-openai audit`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from secure_openai.cli.console import DEFAULT_DATA, NEGATIVE, DataOption, err, out, told_clearly
from secure_openai.errors import StartError
from secure_openai.jobs.seal import seal as seal_audit
from secure_openai.local.folder import Folder
from secure_openai.store.audit import AuditRecord
from secure_openai.store.seals import Seal, Seals
from secure_openai.store.signing import FileSigner
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.verification import verify_database
from secure_openai.store.verification import Report

app = typer.Typer(help="Show, seal and verify the audit.", no_args_is_help=True)


def _folder(data: Path) -> Folder:
    folder = Folder(data)
    folder.require_ours()
    if not folder.database.exists():
        raise StartError(f"There is no audit in {folder.path} yet.")
    return folder


@app.command()
def verify(data: DataOption = DEFAULT_DATA) -> None:
    """Say whether the audit is what was written; exit code 1 if it is not.

    [bold]Example[/bold]

      secure-openai audit verify
    """
    with told_clearly():
        report = asyncio.run(_verify(_folder(data)))
    for found in report.found:
        err.print(f"[red]✗[/red] {found.kind.value}: {found.sentence}", soft_wrap=True)
    if report.unnamed:
        err.print(f"  … and {report.unnamed} more")
    if report.found:
        raise typer.Exit(NEGATIVE)
    out.print(
        f"[green]✓[/green] {report.records} records hold together; {report.seals} seals, the last "
        f"up to record {report.sealed}."
    )
    if report.sealed < report.records:
        out.print(
            f"  The {report.records - report.sealed} after it could be cut off unseen: "
            "secure-openai audit seal"
        )


async def _verify(folder: Folder) -> Report:
    # With our own key at hand no other one is trusted, whatever lies beside the seals.
    keys = [FileSigner.open(folder.seal_key).public_key] if folder.seal_key.exists() else None
    return await verify_database(folder.database, Seals.in_folder(folder.seals).all(keys))


@app.command()
def seal(data: DataOption = DEFAULT_DATA) -> None:
    """Sign the chain as it stands, outside the database.

    [bold]Example[/bold]

      secure-openai audit seal
    """
    with told_clearly():
        folder = _folder(data)
        made = asyncio.run(_seal(folder))
    sealed = sum(head.sequence for head in made.heads or ())
    out.print(f"Seal {made.number} reaches up to record {sealed}.")


async def _seal(folder: Folder) -> Seal:
    database = await Database.open(folder.database)
    try:
        audit = await SqliteAuditStore.open(database)
        try:
            signer = FileSigner.open(folder.seal_key)
            return await seal_audit(audit, Seals.in_folder(folder.seals), signer)
        finally:
            await audit.aclose()
    finally:
        await database.aclose()


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
        records = asyncio.run(_last(_folder(data), last))
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
            event.principal.oid[-8:] if event.principal else "-",
            event.action,
            event.reason if event.decision == "allowed" else f"[red]{event.reason}[/red]",
            event.deployment or "",
        )
    out.print(table)


async def _last(folder: Folder, count: int) -> list[AuditRecord]:
    database = await Database.open(folder.database)
    try:
        audit = await SqliteAuditStore.open(database)
        try:
            records: list[AuditRecord] = []
            for head in await audit.heads():
                after = max(0, head.sequence - count)
                records += (await audit.records(head.chain, after=after, limit=count)).items
            return records
        finally:
            await audit.aclose()
    finally:
        await database.aclose()
