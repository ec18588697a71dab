"""The way out: one proxy, one set of certificates, and no word from the environment."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from secure_openai.credential_settings import CredentialSettings
from secure_openai.errors import StartError
from secure_openai.outbound import Outbound, body_of
from tests.servers import listening, port_of, served
from tests.tls import make_tls, proxying


async def hello(request: Request) -> Response:
    """Answer, with a cookie."""
    return PlainTextResponse("hello" * 100, headers={"Set-Cookie": "a=b"})


HELLO = Starlette(routes=[Route("/", hello)])


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("https://login.microsoftonline.com/t", True),
        ("https://OAI.privatelink.example/x", False),
        ("https://privatelink.example/x", True),
        ("https://cosmos.example:443/", False),
        ("http://127.0.0.1:8402/v1", False),
        ("http://localhost:8402/v1", False),
        ("https://evilcosmos.example/", True),
    ],
)
def test_the_proxy_is_for_what_is_not_named(url: str, proxied: bool) -> None:
    """Named hosts, domains that begin with a dot, and loopback are reached directly."""
    outbound = Outbound("http://proxy:1", (".privatelink.example", "cosmos.example"))

    assert outbound.proxy_for(url) == ("http://proxy:1" if proxied else None)
    assert Outbound().proxy_for(url) is None


async def test_clients_leave_by_the_proxy_and_trust_its_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session reaches a name only by the proxy; without the bundle it trusts nobody there."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    tls = make_tls(tmp_path, "service.example")
    bound = listening()
    async with served(HELLO, bound, tls=tls), proxying(port_of(bound)) as proxy:
        url = "https://service.example/"
        settings = CredentialSettings.load({}, proxy=proxy.url, ca_bundle=tls.ca)
        async with Outbound.of(settings).session(url) as session, session.get(url) as response:
            assert await body_of(response, largest_bytes=500) == b"hello" * 100
            assert not len(session.cookie_jar)
        async with Outbound(proxy.url).session(url) as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(url)

    assert proxy.asked[0] == "service.example:443"


async def test_a_body_over_its_limit_is_not_read() -> None:
    """Whoever answers too much is refused."""
    bound = listening()
    async with (
        served(HELLO, bound),
        Outbound().session() as session,
        session.get(f"http://127.0.0.1:{port_of(bound)}/") as response,
    ):
        with pytest.raises(ValueError, match="too large"):
            await body_of(response, largest_bytes=499)


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_a_bundle_that_is_none_stops_the_start(content: str | None, tmp_path: Path) -> None:
    """A missing or broken file is named, with what to write instead."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StartError, match="PEM certificates"):
        _ = Outbound(ca_bundle=path).ssl_context


def test_a_proxys_password_is_not_shown() -> None:
    """Neither settings nor what is made of them show it."""
    settings = CredentialSettings.load({}, proxy="http://me:secret@proxy:1")

    assert "secret" not in repr(settings) + repr(Outbound.of(settings))
