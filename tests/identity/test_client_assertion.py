"""Sign-in without a client secret: each exchange carries a fresh assertion that must hold."""

from __future__ import annotations

import re
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from secure_openai.app import create_app
from secure_openai.assembly import Assembly
from secure_openai.clouds import CLOUDS
from secure_openai.errors import (
    CredentialUnavailable,
    IdentityProviderUnavailable,
    SignInFailed,
)
from secure_openai.identity.authorization import AuthorizationClient
from secure_openai.identity.keys import KeySource
from secure_openai.local.identity_provider.__main__ import identity_provider
from secure_openai.local.identity_provider.app import IdentityProvider
from secure_openai.local.identity_provider.client_assertion import FederatedCredential
from secure_openai.local.identity_provider.directory import TENANT_ID, WEB_CLIENT_ID
from secure_openai.settings import Settings
from secure_openai.testing.managed_identity import ManagedIdentity
from secure_openai.testing.person import named, sign_in
from tests.identity.conftest import validating
from tests.servers import listening, port_of, served
from tests.tls import make_tls

AUDIENCE = CLOUDS["public"].federation_audience
APPLICATION_URL = "http://localhost:1"


@pytest.fixture(scope="module")
def identity() -> ManagedIdentity:
    """The managed identity that vouches."""
    return ManagedIdentity(RSAKey.generate_key(2048, {"kid": "identity"}))


@pytest.fixture
async def provider(
    identity_folder: Path, identity: ManagedIdentity
) -> AsyncIterator[IdentityProvider]:
    """An issuer that asks the web application for the identity's assertion."""
    bound = listening()
    plain = identity_provider(
        identity_folder,
        public_url=f"http://localhost:{port_of(bound)}",
        application_url=APPLICATION_URL,
    )
    made = replace(plain, federated=trusting(identity))
    async with served(made.app(), bound):
        yield made


def trusting(identity: ManagedIdentity) -> FederatedCredential:
    """Return the federated credential of an identity."""
    return FederatedCredential(identity.key, identity.issuer, identity.subject, AUDIENCE)


@dataclass
class Browser:
    """Someone who signs in, up to the code."""

    provider: IdentityProvider
    client: AuthorizationClient
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    async def code(self) -> str:
        """Return the code that the issuer sends the browser back with."""
        address = await self.client.authorization_address(
            state="s",
            nonce=self.nonce,
            code_verifier=self.verifier,
            redirect_uri=f"{APPLICATION_URL}/auth/callback",
        )
        origin = self.provider.public_url
        async with httpx2.AsyncClient(trust_env=False) as http:
            page = await http.get(address)
            found = re.search(r'name="handle" value="([^"]+)"', page.text)
            assert found is not None
            answer = await http.post(
                f"{origin}/{TENANT_ID}/oauth2/v2.0/choose",
                data={"oid": named("Uma").oid, "handle": found.group(1)},
                headers={"Origin": origin},
            )
        return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    async def redeem(self, code: str) -> Any:
        """Exchange a code."""
        return await self.client.redeem(
            code=code,
            code_verifier=self.verifier,
            nonce=self.nonce,
            redirect_uri=f"{APPLICATION_URL}/auth/callback",
        )


@asynccontextmanager
async def browsing(
    provider: IdentityProvider, assertion: Callable[[], Awaitable[str]] | None
) -> AsyncIterator[Browser]:
    """Yield someone whose application vouches by `assertion`."""
    async with aiohttp.ClientSession() as http:
        keys = KeySource(provider.issuer, http=http)
        tokens = validating(provider.issuer, keys)
        client = AuthorizationClient(
            authority=provider.issuer,
            client_id=WEB_CLIENT_ID,
            tokens=tokens,
            keys=keys,
            client_assertion=assertion,
        )
        yield Browser(provider, client)
        await client.aclose()
        await keys.aclose()


def saying(token: str) -> Callable[[], Awaitable[str]]:
    """Return what gives one assertion every time."""

    async def assertion() -> str:
        return token

    return assertion


STRANGER = RSAKey.generate_key(2048, {"kid": "identity"})
NOW = int(time.time())
TOMORROW = 86_400
"""Seconds: a suite that imports this first may come to it late."""

BAD: dict[str, Callable[[ManagedIdentity], str]] = {
    "empty": lambda _: "",
    "no token": lambda _: "not a token",
    "unsigned": lambda _: "eyJhbGciOiJub25lIn0.e30.",
    "signed by someone else": lambda one: replace(one, key=STRANGER).token(AUDIENCE),
    "signed with a shared secret": lambda one: jwt.encode(
        {"alg": "HS256"},
        {"iss": one.issuer, "sub": one.subject, "aud": AUDIENCE, "exp": NOW + TOMORROW, "jti": "1"},
        OctKey.import_key("x" * 32),
    ),
    "expired": lambda one: one.token(AUDIENCE, exp=NOW - 1),
    "without an end": lambda one: one.token(AUDIENCE, exp=None),
    "not yet": lambda one: one.token(AUDIENCE, nbf=NOW + TOMORROW),
    "of another identity": lambda one: one.token(AUDIENCE, sub="somebody"),
    "of another tenant": lambda one: one.token(AUDIENCE, iss="https://login.example/v2.0"),
    "for another service": lambda one: one.token("https://cognitiveservices.azure.com"),
    "for the other cloud": lambda one: one.token(CLOUDS["usgovernment"].federation_audience),
    "without an identifier": lambda one: one.token(AUDIENCE, jti=""),
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_assertion_signs_nobody_in(
    provider: IdentityProvider, identity: ManagedIdentity, kind: str
) -> None:
    """An assertion that does not hold is refused; the code is not used up by it."""
    async with browsing(provider, saying(BAD[kind](identity))) as someone:
        code = await someone.code()
        with pytest.raises(SignInFailed):
            await someone.redeem(code)
    async with browsing(provider, saying(identity.token(AUDIENCE))) as good:
        good.verifier, good.nonce = someone.verifier, someone.nonce

        assert (await good.redeem(code)).principal.name == "Uma User"


async def test_without_an_assertion_nobody_signs_in(provider: IdentityProvider) -> None:
    """The application's client id alone proves nothing."""
    async with browsing(provider, None) as someone:
        with pytest.raises(SignInFailed):
            await someone.redeem(await someone.code())


async def test_an_assertion_that_was_used_is_refused(
    provider: IdentityProvider, identity: ManagedIdentity
) -> None:
    """The same one a second time signs nobody in, and renews nothing."""
    async with browsing(provider, saying(identity.token(AUDIENCE))) as someone:
        signed_in = await someone.redeem(await someone.code())
        assert signed_in.refresh_token is not None
        with pytest.raises(SignInFailed):
            await someone.client.refresh(signed_in.refresh_token)
        with pytest.raises(SignInFailed):
            await someone.redeem(await someone.code())


async def test_each_exchange_carries_a_fresh_one(
    provider: IdentityProvider, identity: ManagedIdentity
) -> None:
    """Code and refresh token are each redeemed with an assertion of their own."""
    asked = []

    async def assertion() -> str:
        asked.append(identity.token(AUDIENCE))
        return asked[-1]

    async with browsing(provider, assertion) as someone:
        signed_in = await someone.redeem(await someone.code())
        for _ in range(2):
            signed_in = await someone.client.refresh(signed_in.refresh_token)

    assert len(set(asked)) == 3
    assert signed_in.principal.roles == {"user"}


async def test_an_identity_that_cannot_vouch_is_told(provider: IdentityProvider) -> None:
    """Without an assertion nothing is sent; sign-in is unavailable, not refused."""

    async def none() -> str:
        raise CredentialUnavailable("Our managed identity cannot vouch for the application.")

    async with browsing(provider, none) as someone:
        with pytest.raises(IdentityProviderUnavailable, match="cannot vouch"):
            await someone.redeem(await someone.code())


async def test_an_azure_host_signs_in_by_its_identity(
    tmp_path: Path,
    identity_folder: Path,
    identity: ManagedIdentity,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Settings alone make it: App Service's endpoint vouches, over TLS that the bundle trusts."""
    identity.asked.clear()
    application, issuer, host = listening(), listening(), listening()
    url = f"http://localhost:{port_of(application)}"
    tls = make_tls(tmp_path, "localhost")
    provider = replace(
        identity_provider(
            identity_folder,
            public_url=f"https://localhost:{port_of(issuer)}",
            application_url=url,
        ),
        federated=trusting(identity),
    )
    for name, value in identity.environment(f"http://127.0.0.1:{port_of(host)}").items():
        monkeypatch.setenv(name, value)
    settings = Settings.load(
        None,
        public_url=url,
        authority=provider.issuer,
        tenant_id=TENANT_ID,
        client_id=WEB_CLIENT_ID,
        data=tmp_path / "data",
        model_source="scripted",
        ca_bundle=tls.ca,
        federation_audience=AUDIENCE,
    )
    app = create_app(settings)
    trusted = ssl.create_default_context(cafile=tls.ca)
    async with (
        served(identity.app(), host),
        served(provider.app(), issuer, tls=tls),
        served(app, application),
        httpx2.AsyncClient(verify=trusted, trust_env=False) as http,
    ):
        page = await sign_in(http, url, "Uma")
        me = await http.get(f"{url}/api/me")
        assembly = app.state.assembly
        assert isinstance(assembly, Assembly)
        written = repr(assembly.credential) + repr(settings)

    assert (page.status_code, me.json()["name"]) == (200, "Uma User")
    assert identity.asked == [AUDIENCE]
    assert identity.header not in written
