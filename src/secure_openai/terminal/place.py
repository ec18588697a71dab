"""Which gateway is meant, and where one signs in to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from secure_openai.clouds import CLOUDS
from secure_openai.credential_settings import CredentialSettings, plain_url
from secure_openai.environment import is_loopback
from secure_openai.errors import SettingsError
from secure_openai.local.command_line_sign_in import Client
from secure_openai.local.folder import Folder
from secure_openai.local.token_cache import TokenCache
from secure_openai.outbound import Outbound
from secure_openai.terminal.sign_in import SignIn, laptop_client, running_in


@dataclass(frozen=True, slots=True)
class Named:
    """A gateway as a person names it; empty members were not named.

    Attributes:
        url: Its origin.
        authority: The issuer that signs people in.
        tenant: Tenant whose issuer that is, at Azure's public cloud.
        client_id: The command line's there.
        scope: The gateway's.
    """

    url: str = ""
    authority: str = ""
    tenant: str = ""
    client_id: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A gateway that can be asked.

    Attributes:
        url: Its origin.
        sign_in: Gives tokens for it.
        outbound: The way to it.
    """

    url: str
    sign_in: SignIn
    outbound: Outbound


def place_of(
    named: Named,
    *,
    data: Path,
    home: Path,
    tell: Callable[[str], None],
    device_code: bool,
    again: bool,
) -> Place:
    """Return the gateway that is named, or else the one that runs in `data`.

    Args:
        named: What was named.
        data: The laptop's data folder.
        home: Where sign-ins at gateways elsewhere are kept.
        tell: Told what the person has to do.
        device_code: Whether the browser is elsewhere.
        again: Whether to ask who it is, whatever is kept.

    Raises:
        SettingsError: It is named in part, or cannot be trusted with a token.
        StartError: Nothing runs in `data`.
    """
    outbound = Outbound()
    if named == Named():
        folder = Folder(data)
        running = running_in(folder)
        url, client = running.url, laptop_client(running)
    else:
        url, client = _elsewhere(named)
        outbound = Outbound.of(CredentialSettings.load())
        folder = Folder(home)
        folder.prepare()
    sign_in = SignIn(
        client, TokenCache(folder), tell, device_code=device_code, again=again, outbound=outbound
    )
    return Place(url, sign_in, outbound)


def _elsewhere(named: Named) -> tuple[str, Client]:
    authority = named.authority
    if named.tenant and not authority:
        authority = f"{CLOUDS['public'].authority}/{named.tenant}/v2.0"
    problems = [
        f"A gateway elsewhere needs {option}: {why}."
        for value, option, why in (
            (named.url, "--url", "its address"),
            (authority, "--tenant or --authority", "where its people sign in"),
            (named.client_id, "--client-id", "Terraform's output command_line_client_id"),
            (named.scope, "--scope", "what its tokens are for, as in api://ID/access_as_user"),
        )
        if not value
    ]
    if named.tenant and named.authority:
        problems.append("--tenant and --authority say the same: name one of them.")
    for option, address in (("--url", named.url), ("--authority", authority)):
        if address and (wrong := _wrong(address)):
            problems.append(f"{option}: {wrong}.")
    if named.url and not problems and urlsplit(named.url.rstrip("/")).path:
        problems.append("--url: write the origin only, without a path.")
    if problems:
        raise SettingsError(*problems)
    return plain_url(named.url), Client(plain_url(authority), named.client_id, named.scope)


def _wrong(address: str) -> str:
    """Return why tokens are not sent to an address; empty where they may be."""
    try:
        plain_url(address)
    except ValueError as error:
        return str(error)
    if urlsplit(address).scheme != "https" and not is_loopback(address):
        return "write an https address: a token would pass unprotected"
    return ""
