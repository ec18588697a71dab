"""Signing in from the command line: refusals, absences, and tokens kept and renewed."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from secure_openai.errors import IdentityProviderUnavailable, SignInFailed
from secure_openai.local import command_line_sign_in as sign_in_module
from secure_openai.local.command_line_sign_in import (
    Client,
    Tokens,
    refresh,
    sign_in_by_browser,
    sign_in_by_device,
)
from secure_openai.local.folder import Folder
from secure_openai.local.identity_provider import app as app_module
from secure_openai.local.identity_provider.__main__ import identity_provider
from secure_openai.local.identity_provider.app import IdentityProvider
from secure_openai.local.identity_provider.directory import (
    COMMAND_LINE_CLIENT_ID,
    PEOPLE,
    WEB_CLIENT_ID,
)
from secure_openai.local.token_cache import TokenCache
from secure_openai.testing.person import choose
from tests.servers import listening, port_of, served


@pytest.fixture
async def provider(identity_folder: Path) -> AsyncIterator[IdentityProvider]:
    """The issuer over real HTTP."""
    bound = listening()
    made = identity_provider(
        identity_folder,
        public_url=f"http://localhost:{port_of(bound)}",
        application_url="http://localhost:1",
    )
    async with served(made.app(), bound):
        yield made


@pytest.fixture
def client(provider: IdentityProvider) -> Client:
    """The command line's client."""
    scope = f"{WEB_CLIENT_ID}/access_as_user"
    return Client(provider.issuer, COMMAND_LINE_CLIENT_ID, scope)


async def by_browser(client: Client) -> Tokens:
    """Sign in as Uma, visiting what the command line opens."""
    visits: list[asyncio.Task[None]] = []

    async def visit(address: str) -> None:
        redirect = parse_qs(urlsplit(address).query)["redirect_uri"][0]
        async with httpx2.AsyncClient(trust_env=False) as http:
            # A stray request, and an answer of someone else's, do not end the wait.
            assert "did not succeed" in (await http.get(redirect)).text
            foreign = await http.get(redirect, params={"code": "x", "state": "foreign"})
            assert "did not succeed" in foreign.text
            page = await http.get(address)
            assert "signed in" in (await choose(http, page, "Uma")).text

    tokens = await sign_in_by_browser(
        client, lambda a: visits.append(asyncio.create_task(visit(a)))
    )
    await asyncio.gather(*visits)
    return tokens


async def test_a_browser_sign_in_gives_tokens_that_renew(client: Client) -> None:
    """The refresh token gives the next access token, once."""
    tokens = await by_browser(client)
    assert tokens.expires > time.time() + 3000
    assert tokens.refresh_token is not None
    renewed = await refresh(client, tokens.refresh_token)
    assert renewed.access_token != tokens.access_token
    with pytest.raises(SignInFailed):
        await refresh(client, tokens.refresh_token)


@pytest.mark.parametrize("taken", [0, sign_in_module.PORTS_TRIED])
async def test_nobody_else_stands_where_the_code_comes_back(
    client: Client, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """Both loopbacks are taken, or the sign-in does not begin: a browser may choose either."""
    opened: list[str] = []
    real = socket.socket.bind
    tries = iter(range(10_000))

    def bind(self: socket.socket, address: tuple[str, int]) -> None:
        if self.family == socket.AF_INET6 and next(tries) < taken:
            raise OSError(errno.EADDRINUSE, "taken")
        real(self, address)

    monkeypatch.setattr(socket, "socket", type("Bound", (socket.socket,), {"bind": bind}))
    monkeypatch.setattr(sign_in_module, "WAIT_SECONDS", 0.05)
    with pytest.raises(SignInFailed) as failed:
        await sign_in_by_browser(client, opened.append)

    if taken:
        assert "--device-code" in failed.value.detail
        assert opened == []
    else:
        (redirect,) = parse_qs(urlsplit(opened[0]).query)["redirect_uri"]
        assert urlsplit(redirect).hostname == "localhost"
        assert urlsplit(redirect).path == ""


async def test_a_refusal_and_an_absence_end_the_wait(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error from the authority, and nobody at all, are each a sentence."""

    def refuse(address: str) -> None:
        query = parse_qs(urlsplit(address).query)

        async def answer() -> None:
            async with httpx2.AsyncClient(trust_env=False) as http:
                denied = {"error": "access_denied", "state": query["state"][0]}
                await http.get(query["redirect_uri"][0], params=denied)

        visits.append(asyncio.create_task(answer()))

    visits: list[asyncio.Task[None]] = []
    with pytest.raises(SignInFailed, match="refused"):
        await sign_in_by_browser(client, refuse)
    await asyncio.gather(*visits)
    monkeypatch.setattr(sign_in_module, "WAIT_SECONDS", 0.05)
    with pytest.raises(SignInFailed, match="Nobody signed in"):
        await sign_in_by_browser(client, lambda address: None)


async def test_a_device_waits_for_its_person(
    client: Client, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pending goes on, allowed gives tokens, a code that ran out ends."""
    monkeypatch.setattr(app_module, "DEVICE_INTERVAL", 0.05)
    said: list[str] = []
    waiting = asyncio.create_task(sign_in_by_device(client, said.append))
    while not said:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert not waiting.done()
    device = provider.grants.device_of(said[0].split("code ")[1].rstrip("."))
    assert device is not None
    device.oid = PEOPLE[1].oid
    assert (await waiting).access_token

    monkeypatch.setattr("secure_openai.local.identity_provider.grants.DEVICE_SECONDS", -1)
    with pytest.raises(SignInFailed, match="expired"):
        await sign_in_by_device(client, said.append)


async def test_a_client_that_is_unknown_gets_no_device_code(provider: IdentityProvider) -> None:
    """The authority's refusal is told before anything is shown."""
    said: list[str] = []
    with pytest.raises(SignInFailed, match="refused"):
        await sign_in_by_device(Client(provider.issuer, "another", "s"), said.append)
    assert said == []


async def test_an_authority_that_is_away_is_said() -> None:
    """Every way of signing in says that the service cannot be reached."""
    away = Client("http://localhost:9/t/v2.0", "c", "s")
    with pytest.raises(IdentityProviderUnavailable):
        await sign_in_by_browser(away, lambda address: None)
    with pytest.raises(IdentityProviderUnavailable):
        await sign_in_by_device(away, lambda said: None)
    with pytest.raises(IdentityProviderUnavailable):
        await refresh(away, "r")


async def test_tokens_are_kept_for_their_client_and_renewed(client: Client, tmp_path: Path) -> None:
    """A fresh one is handed out, an old one renewed, another client's or a broken file ignored."""
    folder = Folder(tmp_path / "data")
    folder.prepare()
    cache = TokenCache(folder)
    assert await cache.usable(client) is None
    tokens = await by_browser(client)
    cache.keep(client, tokens)
    assert await cache.usable(client) == tokens
    assert await cache.usable(Client(client.authority, "another", "s")) is None
    old = Tokens(tokens.access_token, time.time() + 10, tokens.refresh_token)
    cache.keep(client, old)
    renewed = await cache.usable(client)
    assert renewed is not None
    assert renewed.access_token != old.access_token
    assert await cache.usable(client) == renewed
    cache.keep(client, old)
    assert await cache.usable(client) is None
    cache.keep(client, Tokens("x", 0, None))
    assert await cache.usable(client) is None
    folder.write_private("tokens.json", "{")
    assert await cache.usable(client) is None
