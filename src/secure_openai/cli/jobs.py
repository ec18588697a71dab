"""`secure-openai jobs`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from secure_openai.assembly import assemble
from secure_openai.cli.console import (
    DEFAULT_DATA,
    NEGATIVE,
    DataOption,
    err,
    out,
    told_clearly,
)
from secure_openai.environment import given_values, model_accounts, policy_file
from secure_openai.errors import RequestError
from secure_openai.jobs.catalogue import JOBS, Job
from secure_openai.local.folder import Folder
from secure_openai.local.identity_provider.directory import TENANT_ID, WEB_CLIENT_ID
from secure_openai.local.up import DEFAULT_PORT
from secure_openai.model_settings import ModelSettings
from secure_openai.settings import ModelSource, Settings
from secure_openai.telemetry.runs import FAILED
from secure_openai.types import JsonObject, utc_now

LOOKS_AT_MODELS = frozenset({"retirement"})
"""Jobs that need to know which models answer."""

app = typer.Typer(
    help="List and run the jobs: erasure, retention, retirement, roll-up, seal.",
    no_args_is_help=True,
)


@app.command("list")
def list_jobs() -> None:
    """Show every job: what it does, and when it runs next by itself.

    On a laptop the application runs them while it is up, in Azure the Function App does.

    [bold]Example[/bold]

      secure-openai jobs list
    """
    table = Table(box=None, padding=(0, 1))
    for name in ("job", "schedule (UTC)", "next"):
        table.add_column(name, no_wrap=True)
    table.add_column("what it does", overflow="fold")
    now = utc_now()
    for job in JOBS.values():
        following = job.times.after(now).strftime("%m-%d %H:%M")
        table.add_row(job.name, job.schedule, following, job.does)
    out.print(table)


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="Which job: see secure-openai jobs list.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Run a job once and say what it did; it may run elsewhere at the same time.

    It works on what the environment's settings name or, where they name nothing, on the data folder
    of a laptop. The exit code is 1 if something could not be done, 2 if the job could not run.

    [bold]Examples[/bold]

      secure-openai jobs run retention
      secure-openai jobs run seal --data /srv/secure-openai
    """
    with told_clearly():
        job = _job(name)
        with err.status(f"{job.name}: {job.does} …"):
            report = asyncio.run(_with_assembly(data, job))
    for what, count in report.items():
        out.print(f"{what.replace('_', ' ')}: {count}")
    if report.get(FAILED):
        raise typer.Exit(NEGATIVE)


def _job(name: str) -> Job:
    if name not in JOBS:
        raise RequestError(f"There is no job {name}: write one of {', '.join(JOBS)}.")
    return JOBS[name]


async def _with_assembly(data: Path, job: Job) -> JsonObject:
    async with assemble(_settings(data, models=job.name in LOOKS_AT_MODELS)) as assembly:
        return await job.run(assembly)


def _settings(data: Path, *, models: bool) -> Settings:
    """Return the settings of the environment or, where it has none, of the laptop's folder.

    Args:
        data: The laptop's folder.
        models: Whether models matter: those of `up --azure` are looked at by our own sign-in.

    Raises:
        SettingsError: The environment has some that are not usable.
        StartError: The folder is none of ours.
    """
    if "authority" in given_values():
        return Settings.load()
    folder = Folder(data)
    folder.require_ours()
    running = folder.running()
    # Nobody is signed in and no model is asked: who would be is written because settings are whole.
    answering: dict[str, object] = {"model_source": ModelSource.SCRIPTED}
    if models and model_accounts():
        chosen = ModelSettings.load(model_source=ModelSource.AZURE)
        answering = {name: getattr(chosen, name) for name in ModelSettings.model_fields}
    return Settings.load(
        {},
        public_url=running.url if running else f"http://localhost:{DEFAULT_PORT}",
        authority=running.authority if running else f"http://localhost:{DEFAULT_PORT + 1}/v2.0",
        tenant_id=TENANT_ID,
        client_id=WEB_CLIENT_ID,
        data=folder.path,
        policy=policy_file(),
        **answering,
    )
