"""Our credential: azure-identity's own clients against servers that speak Azure's protocols."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from azure.core.credentials import AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import AzureError, ClientAuthenticationError
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from secure_openai.clouds import CLOUDS
from secure_openai.credential import (
    MARGIN_SECONDS,
    RETRY_SECONDS,
    USABLE_SECONDS,
    Credential,
    credential_of,
)
from secure_openai.credential_settings import CredentialSettings
from secure_openai.errors import CredentialUnavailable
from secure_openai.outbound import Outbound
from secure_openai.testing.managed_identity import ManagedIdentity
from tests.azure_cli import AZ, AZD, stand_in
from tests.servers import listening, port_of, served
from tests.tls import make_tls, proxying

SCOPE = CLOUDS["public"].model_scope


@pytest.fixture(scope="module")
def key() -> RSAKey:
    """A signing key, made once."""
    return RSAKey.generate_key(2048, {"kid": "identity"})


@pytest.fixture
async def identity(key: RSAKey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ManagedIdentity]:
    """An App Service host: its endpoint is served and the environment says so."""
    made, bound = ManagedIdentity(key), listening()
    for name, value in made.environment(f"http://127.0.0.1:{port_of(bound)}").items():
        monkeypatch.setenv(name, value)
    async with served(made.app(), bound):
        yield made


@asynccontextmanager
async def opened(**overrides: object) -> AsyncIterator[Credential]:
    """Yield the credential that the environment names."""
    settings = CredentialSettings.load(None, **overrides)
    credential = credential_of(settings, Outbound.of(settings))
    try:
        yield credential
    finally:
        await credential.close()


async def test_an_identity_that_azure_does_not_give_is_told(identity: ManagedIdentity) -> None:
    """A wrong client id, and an endpoint that fails, are one sentence without what they said."""
    async with opened(azure_client_id="somebody else") as credential:
        with pytest.raises(CredentialUnavailable, match="no token to our managed identity"):
            await credential.bearer(SCOPE)
    identity.failing = 500
    async with opened() as credential:
        with pytest.raises(CredentialUnavailable) as caught:
            await credential.bearer(SCOPE)
        with pytest.raises(CredentialUnavailable, match="cannot vouch"):
            await credential.assertion("api://AzureADTokenExchange")
        with pytest.raises(AzureError):
            await credential.get_token(SCOPE)

    assert "not now" not in caught.value.detail


GARBAGE = {
    "a page": b"<html>gateway</html>",
    "nothing": b"",
    "another object": b"{}",
    "a list": b"[]",
    "no text": b"\xff\xfe",
    "too deep": b"[" * 100_000,
    "a number": b'{"access_token": 5, "expires_on": "4102444800", "resource": "x"}',
    "an empty one": b'{"access_token": "", "expires_on": "4102444800", "resource": "x"}',
    "a second header": b'{"access_token": "a\\r\\nX-Evil: 1", "expires_on": "4102444800"}',
    "no ASCII": '{"access_token": "t\u00f6ken", "expires_on": "4102444800"}'.encode(),
    "no time": b'{"access_token": "abc", "expires_on": "soon", "resource": "x"}',
    "no end": b'{"access_token": "abc", "expires_on": 1e999, "resource": "x"}',
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
async def test_an_endpoint_that_answers_garbage_gives_no_token(
    identity: ManagedIdentity, answer: bytes
) -> None:
    """What is no token is one sentence, to us and to Azure's clients; one after it works."""
    identity.instead = answer
    async with opened() as credential:
        with pytest.raises(CredentialUnavailable, match="no token to our managed identity"):
            await credential.bearer(SCOPE)
        with pytest.raises(CredentialUnavailable, match="cannot vouch"):
            await credential.assertion("api://AzureADTokenExchange")
        with pytest.raises(AzureError):
            await credential.get_token(SCOPE)
        identity.instead = None
        assert (await credential.bearer(SCOPE)).startswith("Bearer ")


async def test_a_token_is_asked_for_once(identity: ManagedIdentity) -> None:
    """However many wait, one request is under way; afterwards the token is at hand."""
    identity.delay = 0.05
    async with opened() as credential:
        first = await asyncio.gather(*(credential.bearer(SCOPE) for _ in range(50)))
        again = await credential.bearer(SCOPE)
        token = await credential.get_token(SCOPE)
        other = await credential.get_token_info(CLOUDS["public"].resource_manager_scope)

    assert {*first, again} == {f"Bearer {token.token}"}
    assert other.token != token.token
    assert identity.asked == ["https://cognitiveservices.azure.com", "https://management.azure.com"]


async def test_an_assertion_is_asked_for_each_time(identity: ManagedIdentity) -> None:
    """What vouches for the application is never one that we kept."""
    audience = CLOUDS["public"].federation_audience
    async with opened() as credential:
        vouched = [await credential.assertion(audience) for _ in range(3)]

    assert len(set(vouched)) == 3
    assert identity.asked == [audience] * 3


async def test_nothing_secret_is_written(
    identity: ManagedIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a log of any level nor a repr holds a token or the endpoint's secret."""
    with caplog.at_level(logging.DEBUG):
        async with opened() as credential:
            bearer = await credential.bearer(SCOPE)
            vouched = await credential.assertion("api://AzureADTokenExchange")
            written = repr(credential) + caplog.text
            identity.failing = 400
            with pytest.raises(CredentialUnavailable):
                await credential.bearer("https://other.example/.default")

    written += caplog.text
    assert "azure" in caplog.text
    for secret in (bearer.removeprefix("Bearer "), vouched, identity.header):
        assert secret not in written


async def test_a_waiter_who_leaves_takes_nobody_along(identity: ManagedIdentity) -> None:
    """Cancelling one who waits for a token cancels neither the request nor the others."""
    identity.delay = 0.1
    async with opened() as credential:
        leaving = asyncio.create_task(credential.bearer(SCOPE))
        staying = asyncio.create_task(credential.bearer(SCOPE))
        await asyncio.sleep(0.02)
        leaving.cancel()

        assert (await staying).startswith("Bearer ")
        assert len(identity.asked) == 1


@dataclass
class Issuer:
    """A source whose clock and failures the test decides: time is a fault not made otherwise."""

    now: float = 1_000_000.0
    seconds: float = 3600.0
    refresh_after: int | None = None
    fails: bool = False
    given: int = 0
    options: list[TokenRequestOptions | None] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """Give the next token, or fail."""
        self.options.append(options)
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise ClientAuthenticationError(message="secret")
        self.given += 1
        return AccessTokenInfo(
            f"t{self.given}",
            int(self.now + self.seconds),
            refresh_on=None if self.refresh_after is None else int(self.now) + self.refresh_after,
        )

    async def close(self) -> None:
        """Do nothing."""


async def held(issuer: Issuer) -> tuple[Credential, str]:
    """Return a credential that has its first token."""
    credential = Credential(issuer, name="test", now=lambda: issuer.now)
    return credential, await credential.bearer(SCOPE)


async def test_a_token_is_renewed_while_it_still_holds() -> None:
    """Within the margin the old token is given at once, and the next one fetched behind it."""
    issuer = Issuer()
    credential, _ = await held(issuer)
    issuer.now += issuer.seconds - MARGIN_SECONDS - 1
    assert await credential.bearer(SCOPE) == "Bearer t1"
    await asyncio.sleep(0)
    assert issuer.given == 1

    issuer.now += 1
    assert await credential.bearer(SCOPE) == "Bearer t1"
    await asyncio.sleep(0.01)
    assert await credential.bearer(SCOPE) == "Bearer t2"


async def test_the_issuers_own_time_of_renewal_is_kept() -> None:
    """Where the issuer says when to renew, that is when."""
    issuer = Issuer(refresh_after=600)
    credential, _ = await held(issuer)
    issuer.now += 600
    await credential.bearer(SCOPE)
    await asyncio.sleep(0.01)

    assert issuer.given == 2


async def test_a_failed_renewal_takes_nothing_away(caplog: pytest.LogCaptureFixture) -> None:
    """The token at hand serves until its very end; renewal is tried again after a pause."""
    issuer = Issuer()
    credential, _ = await held(issuer)
    issuer.fails, issuer.now = True, issuer.now + issuer.seconds - MARGIN_SECONDS
    for _ in range(5):
        assert await credential.bearer(SCOPE) == "Bearer t1"
        await asyncio.sleep(0.01)
    assert len(issuer.options) == 2

    issuer.now += RETRY_SECONDS
    assert await credential.bearer(SCOPE) == "Bearer t1"
    await asyncio.sleep(0.01)
    assert len(issuer.options) == 3

    issuer.now += MARGIN_SECONDS - RETRY_SECONDS - USABLE_SECONDS
    assert await credential.bearer(SCOPE) == "Bearer t1"
    issuer.now += USABLE_SECONDS
    with pytest.raises(CredentialUnavailable):
        await credential.bearer(SCOPE)
    issuer.fails = False
    assert await credential.bearer(SCOPE) == "Bearer t2"
    assert "secret" not in caplog.text


async def test_a_token_about_to_end_is_waited_for() -> None:
    """A token with seconds left is not sent on its way if a fresh one can be had."""
    issuer = Issuer()
    credential, _ = await held(issuer)
    issuer.now += issuer.seconds - USABLE_SECONDS

    assert await credential.bearer(SCOPE) == "Bearer t2"


async def test_a_challenge_is_passed_on() -> None:
    """Claims that a service demands are asked for, whatever is at hand."""
    issuer = Issuer()
    credential, _ = await held(issuer)
    token = await credential.get_token(SCOPE, claims="c", tenant_id="t", enable_cae=True)

    assert token.token == "t2"
    assert issuer.options[-1] == {"claims": "c", "tenant_id": "t", "enable_cae": True}
    assert (await credential.get_token(SCOPE, tenant_id="t", enable_cae=True)).token == "t2"


async def test_closing_stops_a_renewal() -> None:
    """Nothing goes on after the end; who waited is cancelled."""
    issuer = Issuer(gate=asyncio.Event())
    async with Credential(issuer, name="test") as credential:
        waiting = asyncio.create_task(credential.bearer(SCOPE))
        await asyncio.sleep(0.01)
    assert not waiting.done()
    await credential.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize(
    ("commands", "token"),
    [({"az": AZ, "azd": AZD}, "from az"), ({"azd": AZD}, "from azd"), ({}, None)],
)
async def test_a_developer_is_who_signed_in(
    commands: dict[str, str], token: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a laptop az answers, else azd; without either the sentence says so. It cannot vouch."""
    for name, says in commands.items():
        stand_in(tmp_path, name, says)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    async with opened() as credential:
        if token is None:
            with pytest.raises(
                CredentialUnavailable, match=r"developer's sign-in .*Sign in: az login"
            ):
                await credential.bearer(SCOPE)
        else:
            assert await credential.bearer(SCOPE) == f"Bearer {token}"
        with pytest.raises(CredentialUnavailable, match="cannot vouch"):
            await credential.assertion("api://AzureADTokenExchange")


@dataclass
class Internet:
    """GitHub's and Entra's token endpoints, as a job sees them."""

    exchanges: list[tuple[str, str, dict[str, list[str]]]] = field(default_factory=list)
    audiences: list[str] = field(default_factory=list)
    says: object = field(default_factory=lambda: {"value": "vouched by GitHub"})

    def app(self) -> Starlette:
        """Return both as one ASGI application."""
        return Starlette(
            routes=[
                Route("/job/idtoken", self.github),
                Route("/{tenant}/oauth2/v2.0/token", self.entra, methods=["POST"]),
            ]
        )

    async def github(self, request: Request) -> Response:
        """Give a job its token."""
        if request.headers.get("authorization") != "Bearer ask":
            return Response(status_code=401)
        self.audiences.append(request.query_params["audience"])
        assert request.query_params["id"] == "7"
        return JSONResponse(self.says)

    async def entra(self, request: Request) -> Response:
        """Exchange an assertion."""
        form = parse_qs((await request.body()).decode())
        self.exchanges.append((request.headers["host"], request.path_params["tenant"], form))
        return JSONResponse(
            {"access_token": f"a{len(self.exchanges)}", "expires_in": 3600, "token_type": "Bearer"}
        )


@pytest.mark.parametrize("name", list(CLOUDS))
async def test_a_pipeline_exchanges_githubs_token(name: str, tmp_path: Path) -> None:
    """The cloud decides authority and audience; every client leaves by the proxy."""
    cloud = CLOUDS[name]
    host = cloud.authority.removeprefix("https://")
    tls = make_tls(tmp_path, host, "jobs.example")
    internet, bound = Internet(), listening()
    async with served(internet.app(), bound, tls=tls), proxying(port_of(bound)) as proxy:
        pipeline = {
            "azure_client_id": "client",
            "azure_tenant_id": "tenant",
            "pipeline_token_url": "https://jobs.example/job/idtoken?id=7",
            "pipeline_token_request": "ask",
            "proxy": proxy.url,
            "ca_bundle": tls.ca,
            "cloud": name,
        }
        async with opened(**pipeline) as credential:
            assert await credential.bearer(cloud.model_scope) == "Bearer a1"
            assert await credential.bearer(cloud.resource_manager_scope) == "Bearer a2"
            internet.says = {"value": None}
            with pytest.raises(CredentialUnavailable):
                await credential.bearer("https://third.example/.default")
        async with opened(**pipeline | {"pipeline_token_request": "wrong"}) as credential:
            with pytest.raises(CredentialUnavailable, match="pipeline"):
                await credential.bearer(cloud.model_scope)

    assert set(proxy.asked) == {f"{host}:443", "jobs.example:443"}
    assert internet.audiences == [cloud.federation_audience] * 3
    hosts, tenants, forms = zip(*internet.exchanges, strict=True)
    assert (set(hosts), set(tenants)) == ({host}, {"tenant"})
    assert [form["scope"] for form in forms] == [
        [cloud.model_scope],
        [cloud.resource_manager_scope],
    ]
    for form in forms:
        assert form["client_assertion"] == ["vouched by GitHub"]
        assert form["client_id"] == ["client"]
        assert form["client_assertion_type"][0].endswith(":jwt-bearer")


async def test_time_is_the_worlds_own(identity: ManagedIdentity) -> None:
    """A token that Azure gives holds as long as Azure says."""
    async with opened() as credential:
        token = await credential.get_token(SCOPE)

    assert time.time() + 3590 < token.expires_on <= time.time() + 3601
