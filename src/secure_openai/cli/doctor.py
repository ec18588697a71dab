"""`secure-openai doctor`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from secure_openai.cli.console import show, told_clearly, waiting
from secure_openai.credential_settings import CredentialSettings
from secure_openai.credential_source import credential_for
from secure_openai.delivery.doctor.examination import Diagnosis, Progress, examined
from secure_openai.delivery.doctor.needs import Needs
from secure_openai.delivery.doctor.report import as_json, text_lines
from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.errors import StartError
from secure_openai.outbound import Outbound
from secure_openai.types import utc_now

EPILOG: Final = """[bold]Examples[/bold]

Before the first apply, with your own sign-in (az login):

  secure-openai doctor infra --var-file infra/environments/private.tfvars

In another subscription than the variables say, for a program:

  secure-openai doctor infra --var-file mine.tfvars --subscription ID --format json

Exit codes: 0 nothing is in the way, 1 there are findings, 2 something could not be asked.
"""

_GUID: Final = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class Format(StrEnum):
    """How the diagnosis is written."""

    TEXT = "text"
    JSON = "json"


def doctor(
    path: Annotated[
        Path, typer.Argument(help="A Terraform folder, or a state of `terraform show -json`.")
    ] = Path("infra"),
    var_file: Annotated[list[Path] | None, typer.Option(help="Variables of a folder.")] = None,
    subscription: Annotated[
        str,
        typer.Option(help="The subscription; the configuration's unless said."),
    ] = "",
    tenant: Annotated[str, typer.Option(help="The tenant; the configuration's unless said.")] = "",
    written_as: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TEXT,
) -> None:
    """Say what would stop an estate from being built, before anything is, and what mends it.

    Names, regions, models and networks come from the configuration, simulated; Azure is asked with
    your own sign-in, and nothing is changed there.
    """
    with told_clearly():
        for option, value in (("--subscription", subscription), ("--tenant", tenant)):
            if value and not _GUID.fullmatch(value):
                raise StartError(f"{option} is a GUID: az account show says it.")
        with waiting("Reading what would be built …"):
            needs = Needs.read(path, var_file or ())
        chosen = (subscription or needs.subscription).lower()
        if not chosen:
            raise StartError(f"{path} names no subscription: add --subscription.")
        with _counted() as progress:
            diagnosis = asyncio.run(_examined(needs, chosen, tenant, progress))
    if written_as is Format.JSON:
        typer.echo(as_json(diagnosis), nl=False)
    else:
        show(lambda width: text_lines(diagnosis, width))
    raise typer.Exit(diagnosis.exit_code)


async def _examined(needs: Needs, subscription: str, tenant: str, progress: Progress) -> Diagnosis:
    settings = CredentialSettings.load(cloud=needs.cloud)
    if tenant:
        settings = CredentialSettings.load(cloud=needs.cloud, azure_tenant_id=tenant)
    outbound = Outbound.of(settings)
    credential = credential_for(settings, outbound)
    assert credential is not None  # noqa: S101 - such settings use a credential
    facts = settings.cloud_facts
    try:
        async with ResourceManager(
            outbound,
            credential.bearer,
            origin=facts.resource_manager,
            scope=facts.resource_manager_scope,
            graph=facts.graph,
        ) as manager:
            return await examined(
                needs,
                manager,
                subscription=subscription,
                tenant=tenant or needs.tenant,
                today=utc_now().date(),
                progress=progress,
            )
    finally:
        await credential.close()


@contextmanager
def _counted() -> Iterator[Progress]:
    with waiting("Asking Azure …") as update:
        yield lambda done, of: update(f"Asking Azure … {done} of {of}")
