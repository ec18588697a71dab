"""`secure-openai check`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from secure_openai.appearance import Appearance
from secure_openai.cli.console import NEGATIVE, out, told_clearly
from secure_openai.credential_source import credential_for
from secure_openai.environment import appearance_file, function_host
from secure_openai.errors import ConfigurationError, StartError
from secure_openai.outbound import Outbound
from secure_openai.policy.decision import Policy
from secure_openai.probes.asks import Identity
from secure_openai.probes.estate import answers_of
from secure_openai.probes.probe import Answer, Outcome, Prober
from secure_openai.settings import Settings, policy_file


def check(
    policy: Annotated[
        Path | None,
        typer.Argument(help="A policy file to check by itself, without any settings."),
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask each service of Azure too, with our credential."),
    ] = False,
    identity: Annotated[
        Identity | None,
        typer.Option("--as", help="Whose roles are asked for; this host's unless said."),
    ] = None,
    public: Annotated[
        bool,
        typer.Option("--public", help="The estate is public on purpose: ask public addresses."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")] = False,
) -> None:
    """Check settings, the policy file and the appearance file, and say every problem at once.

    With --live each service is asked by its name, with our credential: whether the name resolves
    to a private address, whether its certificate is trusted, and whether we are let in, or which
    role is missing. Nothing is changed. Exit code 1 where anything is not as it should be.

    [bold]Examples[/bold]

      secure-openai check policy.toml
      secure-openai check
      secure-openai check --live
    """
    with told_clearly():
        if policy is not None:
            Policy.load(policy)
            out.print("The policy is usable.")
            return
        settings = _loaded()
        if not live:
            out.print("Settings and policy are usable.")
            return
        chosen = identity or (Identity.FUNCTIONS if function_host() else Identity.WEB)
        answers = asyncio.run(_asked(settings, chosen, public=public))
    if as_json:
        typer.echo(json.dumps([_row(answer) for answer in answers], indent=2))
    else:
        _print(answers, chosen)
    if any(answer.outcome is not Outcome.GOOD for answer in answers):
        raise typer.Exit(NEGATIVE)


def _loaded() -> Settings:
    """Return the settings.

    Raises:
        ConfigurationError: Every problem of settings, policy and appearance.
    """
    problems: list[str] = []
    settings = None
    try:
        settings = Settings.load()
    except ConfigurationError as error:
        problems.extend(error.problems)
    for read in (lambda: Policy.load(policy_file()), lambda: Appearance.load(appearance_file())):
        try:
            read()
        except ConfigurationError as error:
            problems.extend(error.problems)
    if settings is None or problems:
        raise ConfigurationError(*problems)
    return settings


async def _asked(settings: Settings, identity: Identity, *, public: bool) -> list[Answer]:
    outbound = Outbound.of(settings)
    credential = credential_for(settings, outbound)
    if credential is None:
        raise StartError(
            "Nothing here asks Azure: these settings keep everything on this machine. Name an "
            "estate's services (terraform output), or leave --live out."
        )
    try:
        prober = Prober(outbound, credential.bearer, public=public)
        return await answers_of(settings, identity, prober)
    finally:
        await credential.close()


def _print(answers: list[Answer], identity: Identity) -> None:
    table = Table(box=None, padding=(0, 1))
    for name in ("", "service", "name", "address", "TLS", "access"):
        table.add_column(name, overflow="fold")
    for answer in answers:
        good = answer.outcome is Outcome.GOOD
        access = answer.ask.role or "answers" if good else f"[red]{answer.outcome}[/red]"
        address = ", ".join(answer.addresses)
        table.add_row(
            "[green]✓[/green]" if good else "[red]✗[/red]",
            escape(answer.ask.service),
            escape(answer.ask.host),
            f"{answer.way} {address}".strip(),
            answer.tls or "-",
            access,
        )
    out.print(table)
    bad = [answer for answer in answers if answer.outcome is not Outcome.GOOD]
    for answer in bad:
        out.print(
            f"[red]✗[/red] {escape(answer.ask.service)}, {escape(answer.ask.host)}: "
            f"{escape(answer.says)}.",
            soft_wrap=True,
        )
    if not bad:
        out.print(f"Everything answers as the {identity.value} application needs it.")


def _row(answer: Answer) -> dict[str, object]:
    return {
        "service": answer.ask.service,
        "host": answer.ask.host,
        "addresses": list(answer.addresses),
        "way": answer.way,
        "tls": answer.tls,
        "role": answer.ask.role,
        "outcome": answer.outcome.value,
        "says": answer.says,
    }
