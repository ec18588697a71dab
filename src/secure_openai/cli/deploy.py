"""`secure-openai deploy`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from secure_openai.cli.azure import resource_manager
from secure_openai.cli.console import COULD_NOT_RUN, NEGATIVE, err, out, told_clearly
from secure_openai.delivery.azure.place import read_place
from secure_openai.delivery.deployment import End, Outcome, Patience
from secure_openai.delivery.deployment import deploy as deployed
from secure_openai.delivery.placed import PlacedPackage, packages_in
from secure_openai.delivery.rehearsal import Rehearsal
from secure_openai.delivery.slots import Slots
from secure_openai.errors import DeliveryError

EPILOG: Final = """[bold]Examples[/bold]

Rehearse on this machine, without Azure:

  secure-openai deploy dist --rehearse slots

Into a closed estate, with your own sign-in or a pipeline's:

  terraform -chdir=infra output -json applications > applications.json

  secure-openai deploy dist --applications applications.json --packages-url https://stchatpkg1a2b3.blob.core.windows.net/packages
"""

DEFAULT_PORT: Final = 8500
PAUSE_SECONDS: Final = 10.0
REHEARSAL_PAUSE_SECONDS: Final = 1.0


def deploy(
    packages: Annotated[Path, typer.Argument(help="The folder that secure-openai package wrote.")],
    applications: Annotated[
        Path | None, typer.Option(help="The estate's output applications, as JSON.")
    ] = None,
    packages_url: Annotated[
        str | None, typer.Option(help="Bootstrap's output packages.container_url.")
    ] = None,
    rehearse: Annotated[
        Path | None, typer.Option(help="A folder on this machine that acts as the slots.")
    ] = None,
    port: Annotated[
        int, typer.Option(help="Of a rehearsal; the two ports after it are used too.")
    ] = DEFAULT_PORT,
    wait: Annotated[
        float, typer.Option(help="Seconds until what is not healthy is given up.", min=1)
    ] = 600.0,
    pause: Annotated[
        float | None,
        typer.Option(
            help="Seconds between two looks; 10 unless given, and 1 in a rehearsal.", min=0.1
        ),
    ] = None,
) -> None:
    """Deploy both packages: into staging, looked at there, swapped, and swapped back by itself.

    Ends with 0 where they are live, with 1 where production runs what it ran before, with 2 if it
    could not be tried, with 3 where a person is needed.
    """
    usual = PAUSE_SECONDS if rehearse is None else REHEARSAL_PAUSE_SECONDS
    patience = Patience(whole=wait, pause=usual if pause is None else pause)
    with told_clearly():
        found = packages_in(packages)
        if rehearse is not None and applications is None and packages_url is None:
            outcome = asyncio.run(_rehearsed(Rehearsal(rehearse, port), found, patience))
        elif rehearse is None and applications is not None and packages_url is not None:
            outcome = asyncio.run(_in_azure(applications, packages_url, found, patience))
        else:
            raise DeliveryError(
                "Say where: --applications and --packages-url for Azure, or --rehearse FOLDER for "
                "this machine."
            )
    _say(outcome)


async def _rehearsed(
    rehearsal: Rehearsal, packages: list[PlacedPackage], patience: Patience
) -> Outcome:
    try:
        await rehearsal.start()
        return await _run(rehearsal, packages, patience)
    finally:
        await rehearsal.aclose()


async def _in_azure(
    applications: Path, packages_url: str, packages: list[PlacedPackage], patience: Patience
) -> Outcome:
    async with resource_manager() as rest:
        # Azure's clients are an extra, which the credential has just asked for.
        from secure_openai.delivery.azure.slots import AzureSlots  # noqa: PLC0415

        slots = AzureSlots(read_place(applications, packages_url), rest)
        return await _run(slots, packages, patience)


async def _run(slots: Slots, packages: list[PlacedPackage], patience: Patience) -> Outcome:
    return await deployed(
        slots, packages, tell=lambda what: out.print(f"{what} …"), patience=patience
    )


def _say(outcome: Outcome) -> None:
    if outcome.end is End.LIVE:
        out.print(f"[green]✓[/green] {outcome.says}")
        return
    err.print(f"[red]✗[/red] {outcome.end}: {escape(outcome.says)}", soft_wrap=True)
    raise typer.Exit(COULD_NOT_RUN + 1 if outcome.end is End.BROKEN else NEGATIVE)
