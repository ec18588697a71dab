"""An authority that lies, fails or is away: what is believed of it, and what is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from secure_openai.errors import IdentityProviderUnavailable, SignInFailed, Unauthenticated
from secure_openai.identity.authorization import AuthorizationClient
from secure_openai.identity.keys import KeySource
from secure_openai.identity.tokens import TokenValidator
from secure_openai.local.identity_provider.app import IdentityProvider
from secure_openai.local.identity_provider.directory import PEOPLE, WEB_CLIENT_ID
from secure_openai.local.identity_provider.grants import s256
from tests.identity.conftest import APPLICATION_URL, validating
from tests.servers import listening, port_of, served


class Authority:
    """An authority that says what it is told to say."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.metadata: Any = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
        }
        self.keys: Any = {"keys": []}
        self.token: Callable[[dict[str, str]], Response] = lambda form: Response(status_code=500)

    def app(self) -> Starlette:
        """Return the authority as an application."""

        async def metadata(request: Request) -> Response:
            return (
                self.metadata
                if isinstance(self.metadata, Response)
                else JSONResponse(self.metadata)
            )

        async def keys(request: Request) -> Response:
            return JSONResponse(self.keys)

        async def token(request: Request) -> Response:
            form = await request.form()
            return self.token({name: str(value) for name, value in form.items()})

        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", metadata),
                Route("/keys", keys),
                Route("/token", token, methods=["POST"]),
            ]
        )


@asynccontextmanager
async def an_authority() -> AsyncIterator[tuple[Authority, KeySource]]:
    """Serve an authority, and ask it."""
    bound = listening()
    authority = Authority(f"http://localhost:{port_of(bound)}")
    async with served(authority.app(), bound), aiohttp.ClientSession() as http:
        source = KeySource(authority.issuer, http=http)
        yield authority, source
        await source.aclose()


LIES: dict[str, Any] = {
    "another issuer": {"issuer": "https://evil.example"},
    "no issuer": {"issuer": None},
    "no token endpoint": {"token_endpoint": None},
    "an https authority's endpoint elsewhere": {"token_endpoint": "ftp://evil.example/token"},
    "an endpoint that is no text": {"jwks_uri": 7},
}


@pytest.mark.parametrize("lie", LIES)
async def test_metadata_that_does_not_hold_is_not_believed(lie: str) -> None:
    """The issuer must be the one asked, and its endpoints of its own scheme."""
    async with an_authority() as (authority, source):
        authority.metadata |= LIES[lie]
        with pytest.raises(IdentityProviderUnavailable):
            await source.metadata()


@pytest.mark.parametrize(
    "answer",
    [
        Response(status_code=500),
        Response(b"not json"),
        JSONResponse([1]),
        RedirectResponse("http://127.0.0.1:9/elsewhere"),
        JSONResponse({"issuer": "x" * 300_000}),
    ],
)
async def test_answers_that_are_no_metadata_are_not_believed(answer: Response) -> None:
    """Errors, other JSON, redirects and floods are an authority that is away."""
    async with an_authority() as (authority, source):
        authority.metadata = answer
        with pytest.raises(IdentityProviderUnavailable):
            await source.metadata()


async def test_only_signing_keys_of_a_fit_size_are_taken() -> None:
    """Short keys, other kinds, other uses and nonsense are passed over."""
    good = RSAKey.generate_key(2048, auto_kid=True)
    with pytest.warns(Warning, match="2048"):
        short = RSAKey.generate_key(1024, auto_kid=True)
    curve = ECKey.generate_key("P-256", auto_kid=True)
    async with an_authority() as (authority, source):
        authority.keys = {
            "keys": [
                "nonsense",
                short.as_dict(private=False),
                curve.as_dict(private=False),
                {**good.as_dict(private=False), "kid": "encryption", "use": "enc"},
                {**good.as_dict(private=False), "kid": 7},
                {"kty": "RSA", "kid": "empty"},
                {"kty": "RSA", "kid": "wrong", "n": "!" * 400, "e": "AQAB"},
                good.as_dict(private=False),
            ]
        }
        assert (await source.key(str(good.kid))).thumbprint() == good.thumbprint()
        for kid in (short.kid, curve.kid, "encryption", "empty", "wrong"):
            with pytest.raises(Unauthenticated):
                await source.key(str(kid))


@pytest.mark.parametrize("keys", [{"keys": []}, {"keys": "x"}, {}])
async def test_no_keys_at_all_is_an_authority_that_is_away(keys: Any) -> None:
    """An empty set never replaces what is known."""
    good = RSAKey.generate_key(2048, auto_kid=True)
    async with an_authority() as (authority, source):
        authority.keys = keys
        with pytest.raises(IdentityProviderUnavailable):
            await source.key("any")
        authority.keys = {"keys": [good.as_dict(private=False)]}
        await source.key(str(good.kid))
        authority.keys = keys
        with pytest.raises(Unauthenticated):
            await source.key("another")
        assert await source.key(str(good.kid))


async def test_old_keys_are_fetched_again_in_the_background() -> None:
    """After an hour a known key still answers at once, and a fetch has begun."""
    now = [0.0]
    good = RSAKey.generate_key(2048, auto_kid=True)
    async with an_authority() as (authority, _), aiohttp.ClientSession() as http:
        source = KeySource(authority.issuer, http=http, now=lambda: now[0])
        authority.keys = {"keys": [good.as_dict(private=False)]}
        await source.key(str(good.kid))
        now[0] = 4000.0
        await source.key(str(good.kid))
        await asyncio.sleep(0)
        assert source.refreshes == 2
        await source.aclose()


def client_of(
    authority: str, keys: KeySource, **more: Any
) -> tuple[AuthorizationClient, TokenValidator]:
    """Return the client as the application makes it."""
    tokens = validating(authority, keys)
    made = AuthorizationClient(
        authority=authority, client_id=WEB_CLIENT_ID, tokens=tokens, keys=keys, **more
    )
    return made, tokens


ANSWERS: dict[str, tuple[Response, type[Exception]]] = {
    "refused": (JSONResponse({"error": "invalid_grant"}, status_code=400), SignInFailed),
    "no ID token": (JSONResponse({"access_token": "x", "token_type": "Bearer"}), SignInFailed),
    "an ID token that is no text": (
        JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": 7}),
        SignInFailed,
    ),
    "a forged ID token": (
        JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": "a.b.c"}),
        SignInFailed,
    ),
    "failing": (Response(status_code=500), IdentityProviderUnavailable),
    "not JSON": (Response(b"hello"), IdentityProviderUnavailable),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_exchanges_that_give_nothing_are_told_apart(answer: str) -> None:
    """A refusal means signing in again; a failure means trying later."""
    response, expected = ANSWERS[answer]
    async with an_authority() as (authority, source):
        authority.token = lambda form: response
        client, _ = client_of(authority.issuer, source)
        with pytest.raises(expected):
            await client.redeem(code="c", code_verifier="v", nonce="n", redirect_uri="http://x")
        with pytest.raises(expected):
            await client.refresh("r")
        await client.aclose()


async def test_an_exchange_carries_a_fresh_assertion_where_there_is_one() -> None:
    """In Azure the managed identity vouches for us, anew each time; there is no secret."""
    seen: list[dict[str, str]] = []
    made = iter(["first", "second"])

    async def assertion() -> str:
        return next(made)

    def token(form: dict[str, str]) -> Response:
        seen.append(form)
        return JSONResponse({"error": "invalid_grant"}, status_code=400)

    async with an_authority() as (authority, source):
        authority.token = token
        client, _ = client_of(authority.issuer, source, client_assertion=assertion)
        for _ in range(2):
            with pytest.raises(SignInFailed):
                await client.refresh("r")
        await client.aclose()

    assert [form["client_assertion"] for form in seen] == ["first", "second"]
    assert all(form["client_assertion_type"].endswith(":jwt-bearer") for form in seen)
    assert not any("client_secret" in form for form in seen)


async def test_signing_out_without_an_authority_leads_home() -> None:
    """An authority that is away, or ends no sessions, does not keep anyone here signed in."""
    async with an_authority() as (authority, source):
        client, _ = client_of(authority.issuer, source)
        assert await client.sign_out_address(return_to="http://x/out") == "http://x/out"
        await client.aclose()
    async with aiohttp.ClientSession() as http:
        away = KeySource("http://localhost:9", http=http)
        client, _ = client_of("http://localhost:9", away)
        assert await client.sign_out_address(return_to="http://x/out") == "http://x/out"
        await client.aclose()


async def test_a_nonce_of_another_sign_in_is_refused(
    provider: IdentityProvider, keys: KeySource
) -> None:
    """The ID token must carry the nonce that this sign-in began with."""
    from secure_openai.local.identity_provider.authorize import check_authorize

    verifier, callback = "v" * 64, f"{APPLICATION_URL}/auth/callback"
    asked = check_authorize(
        {
            "client_id": WEB_CLIENT_ID,
            "redirect_uri": callback,
            "response_type": "code",
            "scope": "openid profile offline_access",
            "state": "s",
            "nonce": "theirs",
            "code_challenge": s256(verifier),
            "code_challenge_method": "S256",
        },
        application_url=APPLICATION_URL,
    )
    client, _ = client_of(provider.issuer, keys)
    for nonce, holds in (("ours", False), ("theirs", True)):
        code = provider.grants.code(asked, PEOPLE[1].oid, "session")
        redeeming = client.redeem(
            code=code, code_verifier=verifier, nonce=nonce, redirect_uri=callback
        )
        if holds:
            assert (await redeeming).principal.id.oid == PEOPLE[1].oid
        else:
            with pytest.raises(SignInFailed, match="another sign-in"):
                await redeeming
    await client.aclose()
