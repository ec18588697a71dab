"""`secure-openai deploy`."""

from __future__ import annotations

import asyncio
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from secure_openai.cli.applying import A_PERSON_IS_NEEDED, Wanted, applied, prepared
from secure_openai.cli.azure import resource_manager
from secure_openai.cli.console import NEGATIVE, err, out, progressing, told_clearly
from secure_openai.delivery.azure.place import Place, container_of, place_of, read_place
from secure_openai.delivery.deployment import End, Outcome, Patience
from secure_openai.delivery.deployment import deploy as deployed
from secure_openai.delivery.package import Kind, make_package
from secure_openai.delivery.placed import PlacedPackage, packages_in, taken
from secure_openai.delivery.project import project_in
from secure_openai.delivery.rehearsal import Rehearsal
from secure_openai.delivery.slots import Slots
from secure_openai.delivery.target import Target
from secure_openai.errors import DeliveryError, SecureOpenAIError

EPILOG: Final = """[bold]Examples[/bold]

Rehearse on this machine, without Azure:

  secure-openai deploy dist --rehearse slots

Into a closed estate, with your own sign-in or a pipeline's:

  terraform -chdir=infra output -json applications > applications.json

  secure-openai deploy dist --applications applications.json --packages-url https://stchatpkg1a2b3.blob.core.windows.net/packages

The estate first, as the pipeline does it: planned, proven, approved by typing its name, applied:

  secure-openai deploy dist --estate infra --var-file private.tfvars --packages-url https://stchatpkg1a2b3.blob.core.windows.net/packages

Without a terminal that prints a digest and ends. Whoever approves it runs the same with:

  --approve DIGEST
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
    estate: Annotated[
        Path | None,
        typer.Option(help="A Terraform folder that is planned, proven and applied before."),
    ] = None,
    var_file: Annotated[list[Path] | None, typer.Option(help="Variables of the estate.")] = None,
    backend_config: Annotated[
        Path | None, typer.Option(help="Where its state is kept: bootstrap's output backend.")
    ] = None,
    assume: Annotated[
        Path | None, typer.Option(help="What lies outside the estate and is vouched for.")
    ] = None,
    approve: Annotated[
        str | None, typer.Option(help="The digest of the plan that waits; only that is applied.")
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

    With --estate the estate is planned, proven, approved and applied before, and packages that are
    not there are made.

    Ends with 0 where they are live, with 1 where production runs what it ran before, with 2 if it
    could not be tried, with 3 where a person is needed.
    """
    usual = PAUSE_SECONDS if rehearse is None else REHEARSAL_PAUSE_SECONDS
    patience = Patience(whole=wait, pause=usual if pause is None else pause)
    with told_clearly(), tempfile.TemporaryDirectory(prefix="packages-") as private:
        if estate is not None:
            _require_alone(applications, rehearse, packages_url)
            assert packages_url is not None  # noqa: S101 - it was required
            container = container_of(packages_url)
            wanted = Wanted(estate, container, var_file or (), backend_config, assume)
            outcome = _whole(wanted, approve, packages, Path(private), patience)
            _say(outcome)
            return
        if var_file or backend_config or assume or approve:
            raise DeliveryError(
                "--var-file, --backend-config, --assume and --approve belong to --estate."
            )
        found = taken(packages_in(packages), Path(private))
        if rehearse is not None and applications is None and packages_url is None:
            outcome = asyncio.run(_rehearsed(Rehearsal(rehearse, port), found, patience))
        elif rehearse is None and applications is not None and packages_url is not None:
            place = read_place(applications, packages_url)
            outcome = asyncio.run(_in_azure(place, found, patience))
        else:
            raise DeliveryError(
                "Say where: --applications and --packages-url for Azure, --estate and "
                "--packages-url for all of it, or --rehearse FOLDER for this machine."
            )
    _say(outcome)


def _require_alone(
    applications: Path | None, rehearse: Path | None, packages_url: str | None
) -> None:
    """Return if nothing else is wanted beside an estate, before hours are spent on it.

    Raises:
        DeliveryError: Something is, or where packages wait is not said.
    """
    if applications is not None or rehearse is not None:
        raise DeliveryError("--estate knows where its applications are: leave the other one out.")
    if packages_url is None:
        raise DeliveryError(
            "--estate needs --packages-url, bootstrap's output packages.container_url."
        )
    container_of(packages_url)


def _whole(
    wanted: Wanted,
    approve: str | None,
    folder: Path,
    private: Path,
    patience: Patience,
) -> Outcome:
    """Bring the estate to be, and the packages into it."""
    prepared(wanted, private)
    asyncio.run(_require_clients())
    found = taken(_made(folder), private)
    applications = applied(wanted, found, approve, private)
    if [one.sha256 for one in packages_in(folder)] != [one.sha256 for one in found]:
        raise DeliveryError(
            "The packages are others than before the estate was applied: nothing was deployed. "
            "Find out who wrote them, and run this again without --approve."
        )
    place = place_of(applications, wanted.packages_url, named="The estate's output applications")
    try:
        return asyncio.run(_in_azure(place, found, patience))
    except SecureOpenAIError as error:
        raise DeliveryError(
            f"{error.detail or error.title} The estate is applied; run this again without "
            "--approve for the applications."
        ) from None


async def _require_clients() -> None:
    """Return if what talks to Azure is installed, and its settings are usable; nothing is sent."""
    async with resource_manager():
        import_module("secure_openai.delivery.azure.slots")


def _made(folder: Path) -> list[PlacedPackage]:
    """Return both packages, made where they are not there."""
    for kind in Kind:
        if not (folder / f"{kind}.zip").exists():
            with progressing(f"Packaging {kind}") as progress:
                make_package(
                    kind, folder, target=Target(), project=project_in(Path()), progress=progress
                )
    return packages_in(folder)


async def _rehearsed(
    rehearsal: Rehearsal, packages: list[PlacedPackage], patience: Patience
) -> Outcome:
    try:
        await rehearsal.start()
        return await _run(rehearsal, packages, patience)
    finally:
        await rehearsal.aclose()


async def _in_azure(place: Place, packages: list[PlacedPackage], patience: Patience) -> Outcome:
    async with resource_manager() as rest:
        # Azure's clients are an extra, which the credential has just asked for.
        from secure_openai.delivery.azure.slots import AzureSlots  # noqa: PLC0415

        slots = AzureSlots(place, rest)
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
    raise typer.Exit(A_PERSON_IS_NEEDED if outcome.end is End.BROKEN else NEGATIVE)
