"""`secure-openai verify`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from secure_openai.cli.console import DEFAULT_DATA, NEGATIVE, DataOption, err, out, told_clearly
from secure_openai.cli.token import access_token
from secure_openai.cli.verifying import Wanted, estate_is_named, verified
from secure_openai.credential_settings import plain_url
from secure_openai.delivery.verification.evidence import key_of, read_evidence, wrong_with
from secure_openai.environment import azure_host, given_values, is_loopback
from secure_openai.errors import StartError
from secure_openai.local.folder import Folder
from secure_openai.probes.asks import Identity
from secure_openai.terminal.sign_in import running_in

EPILOG: Final = """[bold]Examples[/bold]

The laptop's system, while it runs:

  secure-openai verify

From outside, by every name of the state:

  terraform show -json > state.json

  secure-openai verify https://chat.contoso.com --outside --estate state.json

From inside, with the estate's settings in the environment:

  secure-openai verify https://chat.contoso.com --inside --estate state.json --token token.txt

Later, without any network:

  secure-openai verify --evidence verification.json --key evidence-key.jwk

Exit codes: 0 everything holds, 1 there are findings, 2 something could not be seen or kept.
"""


def verify(
    url: Annotated[
        str, typer.Argument(help="The application's origin; unless named, the settings' or ours.")
    ] = "",
    outside: Annotated[
        bool, typer.Option("--outside", help="Nothing may answer, at any name of the estate.")
    ] = False,
    inside: Annotated[
        bool, typer.Option("--inside", help="Everything answers as it should, to whom it should.")
    ] = False,
    estate: Annotated[
        Path | None,
        typer.Option(help="State (terraform show -json) or outputs (terraform output -json)."),
    ] = None,
    assume: Annotated[
        Path | None, typer.Option(help="What prove was told with --assume: it is looked at.")
    ] = None,
    routes: Annotated[
        Path | None,
        typer.Option(help="Routes, as JSON; of the application in this folder by itself."),
    ] = None,
    identity: Annotated[
        Identity | None,
        typer.Option("--as", help="Ask each service as this identity; by itself on its host."),
    ] = None,
    token: Annotated[
        str, typer.Option(help="File with a person's access token; - reads it from input.")
    ] = "",
    output: Annotated[Path, typer.Option(help="Where the evidence goes.")] = Path(
        "verification.json"
    ),
    signing_key: Annotated[
        Path | None, typer.Option(help="A key of your own to sign with (PEM), made if missing.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Verify this evidence instead, offline.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The public key that you trust (JWK).")] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Look at an estate that stands, from outside or inside, and sign what was seen.

    From outside nothing may answer. From inside names are private, TLS holds, strangers are
    refused by every service and on every route, and a chat works. Nothing is changed. The evidence
    is one file; its digest goes into the audit where that can be written.
    """
    with told_clearly():
        if evidence is not None or key is not None:
            raise typer.Exit(_offline(evidence, key))
        origin = _origin(url, data)
        laptop = is_loopback(origin) and not azure_host() and not estate_is_named()
        wanted = Wanted(
            url=origin,
            where=_where(laptop=laptop, outside=outside, inside=inside),
            estate=estate,
            assume=assume,
            routes=routes,
            identity=identity,
            token=_token(token) or (_laptops_token(data, origin) if laptop else ""),
            data=data,
            signing_key=signing_key,
            output=output,
        )
        code = asyncio.run(verified(wanted))
    raise typer.Exit(code)


def _origin(url: str, data: Path) -> str:
    """Return the application's origin: as it is named, as settings say, or what runs in `data`."""
    named = url or given_values().get("public_url", "")
    if not named:
        try:
            return running_in(Folder(data)).url
        except StartError:
            raise StartError(
                "Name the application's address, such as https://chat.contoso.com, or start the "
                "laptop's system with secure-openai up."
            ) from None
    try:
        origin = plain_url(named)
    except ValueError as error:
        raise StartError(f"{named}: {error}.") from None
    if not origin.startswith("https:") and not is_loopback(origin):
        raise StartError(f"{named}: write an https address: a token would pass unprotected.")
    return origin


def _where(*, laptop: bool, outside: bool, inside: bool) -> str:
    """Return from where it is looked at."""
    if outside and inside:
        raise StartError("Look from --outside or from --inside, one after the other.")
    if laptop and outside:
        raise StartError("Nobody outside reaches this machine's own address: leave --outside out.")
    if laptop:
        return "laptop"
    return "inside" if inside or (azure_host() and not outside) else "outside"


def _token(written: str) -> str:
    if written == "-":
        return sys.stdin.read().strip()
    if not written:
        return ""
    try:
        return Path(written).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise StartError(f"{written} cannot be read ({type(error).__name__}).") from None


def _laptops_token(data: Path, origin: str) -> str:
    folder = Folder(data)
    running = running_in(folder)
    if running.url != origin:
        raise StartError(f"What runs in {data} is at {running.url}: verify that, or name --data.")
    return access_token(folder, running)


def _offline(evidence: Path | None, key: Path | None) -> int:
    if evidence is None or key is None:
        raise StartError("Name both: --evidence FILE, and the --key that you trust.")
    found = read_evidence(evidence)
    wrong = wrong_with(found, key_of(key))
    if wrong:
        err.print(f"[red]✗[/red] {escape(str(evidence))}: {escape(wrong)}.", soft_wrap=True)
        return NEGATIVE
    said = {name: escape(str(found.document.get(name, ""))) for name in SHOWN}
    out.print(
        f"[green]✓[/green] {escape(str(evidence))} is what was signed: {said['url']} from "
        f"{said['where']}, {said['ended']}: {said['verdict']}.",
        soft_wrap=True,
    )
    out.print(f"  SHA-256 {found.sha256}, by {escape(found.kid)}", soft_wrap=True)
    return 0


SHOWN: Final = ("url", "where", "ended", "verdict")
