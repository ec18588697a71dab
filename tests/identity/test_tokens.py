"""Attacks on tokens, each refused by its own rule; then what is accepted."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import RSAKey

from secure_openai.errors import IdentityProviderUnavailable, Unauthenticated
from secure_openai.identity import tokens as tokens_module
from secure_openai.identity.keys import KeySource
from secure_openai.identity.signature import SignedToken
from secure_openai.identity.tokens import TEXT_CLAIMS, TIME_CLAIMS, TokenValidator
from secure_openai.local.identity_provider.app import IdentityProvider
from secure_openai.local.identity_provider.directory import PEOPLE, TENANT_ID, WEB_CLIENT_ID
from secure_openai.local.identity_provider.signing_keys import rotate
from secure_openai.types import Principal, PrincipalId, PrincipalKind
from tests.identity.conftest import Clock, validating

ADA = PEOPLE[0]


def claims(provider: IdentityProvider, **change: Any) -> dict[str, Any]:
    """Return the claims of a person's good access token, changed; `None` removes one."""
    now = int(time.time())
    good = {
        "iss": provider.issuer,
        "aud": WEB_CLIENT_ID,
        "exp": now + 600,
        "nbf": now,
        "iat": now,
        "tid": TENANT_ID,
        "oid": ADA.oid,
        "sub": "pairwise",
        "ver": "2.0",
        "scp": "access_as_user",
        "idtyp": "user",
        "roles": ["user"],
        "azp": "client",
        "name": "Ada",
        "preferred_username": "ada@contoso.example",
    }
    return {name: value for name, value in (good | change).items() if value is not None}


def signed(
    provider: IdentityProvider,
    content: dict[str, Any],
    *,
    key: Any = None,
    header: dict[str, Any] | None = None,
) -> str:
    """Return a token signed by the issuer's key, or by another."""
    key = key or provider.keys.current
    fields = {"alg": "RS256", "typ": "JWT", "kid": provider.keys.current.kid, **(header or {})}
    fields = {name: value for name, value in fields.items() if value is not None}
    return jwt.encode(fields, content, key, algorithms=["RS256", "RS512", "HS256", "PS256"])


def unsigned(content: dict[str, Any], header: dict[str, Any]) -> str:
    """Return a token with an empty signature."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part(header)}.{part(content)}."


def with_hmac(content: dict[str, Any], secret: bytes, *, kid: str) -> str:
    """Return a token whose HMAC key is the issuer's public key (RFC 8725, 2.1)."""
    head = unsigned(content, {"alg": "HS256", "typ": "JWT", "kid": kid}).rstrip(".")
    digest = hmac.new(secret, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


NOW = int(time.time())
ATTACKS: dict[str, tuple[dict[str, Any], str]] = {
    "foreign tenant": ({"tid": "another"}, "another tenant"),
    "foreign audience": ({"aud": "another"}, "another audience"),
    "audience as a list": ({"aud": [WEB_CLIENT_ID]}, "lacks the claim aud"),
    "Graph's audience": ({"aud": "00000003-0000-0000-c000-000000000000"}, "another audience"),
    "foreign issuer": ({"iss": "https://login.microsoftonline.com/x/v2.0"}, "another issuer"),
    "expired": ({"exp": NOW - 3600}, "has expired"),
    "not valid yet": ({"nbf": NOW + 3600}, "not valid yet"),
    "issued in the future": ({"iat": NOW + 3600}, "issued in the future"),
    "version 1": ({"ver": "1.0"}, "not of version 2.0"),
    "times as text": ({"exp": "9999999999"}, "lacks the claim exp"),
    "times as true": ({"exp": True}, "lacks the claim exp"),
    "no scope": ({"scp": None}, "not an access token"),
    "another scope": ({"scp": "user.read openid"}, "lacks the scope"),
    "a longer scope": ({"scp": "access_as_user2"}, "lacks the scope"),
    "scope as a list": ({"scp": ["access_as_user"]}, "not an access token"),
    "ID token": ({"scp": None, "idtyp": None, "nonce": "n"}, "not an access token"),
    "application without a role": ({"idtyp": "app", "scp": None, "roles": None}, "holds no role"),
    "application as administrator": (
        {"idtyp": "app", "scp": None, "roles": ["admin", "user"]},
        "holds no role",
    ),
    "application and person at once": ({"idtyp": "app", "roles": ["service"]}, "at once"),
    "a client of an unknown kind": ({"azpacr": "3"}, "something unknown of the client"),
    "a client that proves itself by a number": ({"azpacr": 1}, "something unknown of the client"),
    "a client that proves itself by a list": ({"azpacr": ["0"]}, "something unknown"),
    "unknown kind": ({"idtyp": "device"}, "not an access token"),
    "roles as text": ({"roles": "admin"}, "not a list"),
    "roles of numbers": ({"roles": [1]}, "not a list"),
    **{f"no {name}": ({name: None}, f"lacks the claim {name}") for name in TEXT_CLAIMS},
    **{f"empty {name}": ({name: ""}, f"lacks the claim {name}") for name in TEXT_CLAIMS},
    **{f"no {name}": ({name: None}, f"lacks the claim {name}") for name in TIME_CLAIMS},
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_claims_that_do_not_hold_are_refused(
    provider: IdentityProvider, validator: TokenValidator, attack: str
) -> None:
    """A token with one wrong claim is refused, and the refusal names the rule."""
    change, said = ATTACKS[attack]
    content = claims(provider)
    content.update(change)
    content = {name: value for name, value in content.items() if value is not None}

    with pytest.raises(Unauthenticated) as caught:
        await validator.access_token(signed(provider, content))

    assert said in caught.value.detail


async def test_keys_and_algorithms_that_are_not_ours_are_refused(
    provider: IdentityProvider, validator: TokenValidator
) -> None:
    """Another key, another algorithm, no signature, or a header that wants more: all refused."""
    good = claims(provider)
    public = provider.keys.current.as_pem(private=False)
    foreign = RSAKey.generate_key(2048)
    kid = provider.keys.current.kid
    token = signed(provider, good)
    head, body, signature = token.split(".")
    tampered = base64.urlsafe_b64encode(json.dumps(good | {"oid": "x"}).encode()).decode()
    attacks = {
        "foreign key under our kid": (signed(provider, good, key=foreign), "signature"),
        "RS512": (signed(provider, good, header={"alg": "RS512"}), "algorithm"),
        "PS256": (signed(provider, good, header={"alg": "PS256"}), "algorithm"),
        "HS256 with the public key": (
            with_hmac(good, public, kid=str(kid)),
            "algorithm",
        ),
        "none": (unsigned(good, {"alg": "none", "kid": kid}), "algorithm"),
        "None in capitals": (unsigned(good, {"alg": "nOnE", "kid": kid}), "algorithm"),
        "no algorithm": (unsigned(good, {"kid": kid}), ""),
        "no kid": (signed(provider, good, header={"kid": None}), "name its key"),
        "unknown kid": (signed(provider, good, header={"kid": "invented"}), "not known"),
        "changed body": (f"{head}.{tampered.rstrip('=')}.{signature}", "signature"),
        "no signature": (f"{head}.{body}.", "signature"),
        "not a token": ("not-a-token", "not a JSON Web Token"),
        "empty": ("", "not a JSON Web Token"),
        "two parts": (f"{head}.{body}", "not a JSON Web Token"),
        "not ASCII": ("é.é.é", "not a JSON Web Token"),
        "oversized": ("a" * 20_000, "too large"),
        "critical extension": (unsigned(good, {"alg": "RS256", "kid": kid, "crit": ["x"]}), "ext"),
    }
    for name, (attack, said) in attacks.items():
        with pytest.raises(Unauthenticated) as caught:
            await validator.access_token(attack)
        assert said in caught.value.detail, name
        assert token.split(".")[2] not in caught.value.detail


async def test_a_key_in_the_header_is_not_used(
    provider: IdentityProvider, validator: TokenValidator
) -> None:
    """`jwk` and `jku` in a header do not bring their own trust."""
    foreign = RSAKey.generate_key(2048)
    header = {"jwk": foreign.as_dict(private=False), "jku": "https://evil.example/keys"}
    fields = {"alg": "RS256", "kid": provider.keys.current.kid, **header}
    registry = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    token = jwt.encode(fields, claims(provider), foreign, registry=registry)

    with pytest.raises(Unauthenticated):
        await validator.access_token(token)


async def test_a_person_is_recognised(
    provider: IdentityProvider, validator: TokenValidator
) -> None:
    """A good token gives tenant and object id, known roles of people, and who asked for it."""
    token = signed(provider, claims(provider, roles=["admin", "user", "service", "Other"]))

    assert await validator.access_token(token) == Principal(
        id=PrincipalId(TENANT_ID, ADA.oid),
        kind=PrincipalKind.PERSON,
        roles=frozenset({"admin", "user"}),
        name="Ada",
        username="ada@contoso.example",
        client_id="client",
    )


async def test_a_person_without_a_role_is_recognised_as_such(
    provider: IdentityProvider, validator: TokenValidator
) -> None:
    """Roles are what routes ask for; a token without any is still a person's."""
    principal = await validator.access_token(signed(provider, claims(provider, roles=None)))

    assert principal.roles == frozenset()


async def test_an_application_is_recognised(
    provider: IdentityProvider, validator: TokenValidator
) -> None:
    """An application's own token holds applications' roles only."""
    content = claims(provider, idtyp="app", scp=None, roles=["service", "admin"])
    principal = await validator.access_token(signed(provider, content))

    assert principal.kind is PrincipalKind.APPLICATION
    assert principal.roles == {"service"}


@pytest.mark.parametrize(
    ("proof", "kind", "roles"),
    [
        ("0", PrincipalKind.PERSON, frozenset({"admin", "user"})),
        ("1", PrincipalKind.ON_BEHALF, frozenset({"user"})),
        ("2", PrincipalKind.ON_BEHALF, frozenset({"user"})),
    ],
)
async def test_who_asks_on_behalf_of_a_person_is_told_apart(
    provider: IdentityProvider,
    validator: TokenValidator,
    proof: str,
    kind: PrincipalKind,
    roles: frozenset[str],
) -> None:
    """A service that asks for a person is the person with less: nobody administers through it."""
    content = claims(provider, roles=["admin", "user"], azpacr=proof)
    principal = await validator.access_token(signed(provider, content))

    assert (principal.id.oid, principal.kind, principal.roles) == (ADA.oid, kind, roles)


async def test_small_clock_differences_are_forgiven(
    provider: IdentityProvider, validator: TokenValidator
) -> None:
    """A minute either way holds."""
    now = int(time.time())
    token = signed(provider, claims(provider, exp=now - 30, nbf=now + 30, iat=now + 30))

    assert (await validator.access_token(token)).id.oid == ADA.oid


async def test_the_issuer_keeps_its_tokens_apart(
    provider: IdentityProvider, validator: TokenValidator
) -> None:
    """Its ID token signs in and calls nothing; its access token calls and signs nobody in."""
    id_token = provider.issuance.id_token(ADA, WEB_CLIENT_ID, "nonce")
    access_token = provider.issuance.access_token(ADA, WEB_CLIENT_ID, for_api=True)
    graph_token = provider.issuance.access_token(ADA, WEB_CLIENT_ID, for_api=False)

    assert (await validator.id_token(id_token, nonce="nonce")).roles == {"admin", "user"}
    assert (await validator.access_token(access_token)).id.oid == ADA.oid
    with pytest.raises(Unauthenticated, match="not an access token"):
        await validator.access_token(id_token)
    with pytest.raises(Unauthenticated, match="where an ID token belongs"):
        await validator.id_token(access_token, nonce=None)
    with pytest.raises(Unauthenticated, match="another audience"):
        await validator.access_token(graph_token)
    with pytest.raises(Unauthenticated, match="another sign-in"):
        await validator.id_token(id_token, nonce="another")


async def test_invented_kids_cannot_exhaust_the_provider(
    provider: IdentityProvider, validator: TokenValidator, keys: KeySource, monotonic: Clock
) -> None:
    """A hundred tokens with invented keys cause a few refreshes; a good token never waits."""
    good = signed(provider, claims(provider))
    await validator.access_token(good)
    attacks = [
        signed(provider, claims(provider), header={"kid": f"invented-{number}"})
        for number in range(100)
    ]
    results = await asyncio.gather(
        *(validator.access_token(attack) for attack in attacks), return_exceptions=True
    )

    assert all(isinstance(result, Unauthenticated) for result in results)
    assert keys.refreshes <= 3
    monotonic.now += 3600
    await asyncio.gather(
        *(validator.access_token(attack) for attack in attacks), return_exceptions=True
    )
    assert keys.refreshes <= 6
    assert (await validator.access_token(good)).id.oid == ADA.oid


async def test_a_rotation_is_picked_up_and_a_dropped_key_forgotten(
    provider: IdentityProvider,
    validator: TokenValidator,
    monotonic: Clock,
) -> None:
    """After a rotation both keys hold; once the old one vanishes, so do its verified tokens."""
    old = signed(provider, claims(provider))
    await validator.access_token(old)
    folder = provider.keys._path.parent
    rotate(folder)
    monotonic.now += 60
    fresh = signed(provider, claims(provider))

    assert (await validator.access_token(fresh)).id.oid == ADA.oid
    assert (await validator.access_token(old)).id.oid == ADA.oid
    rotate(folder, drop_old=True)
    monotonic.now += 60
    await validator.access_token(signed(provider, claims(provider)))
    with pytest.raises(Unauthenticated, match="not known"):
        await validator.access_token(old)


async def test_verifications_are_remembered_for_a_while_and_bounded(
    provider: IdentityProvider,
    keys: KeySource,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A token is verified once in five minutes at most, and never after it expires."""
    clock = Clock()
    clock.now = time.time()
    decoded: list[int] = []

    def counted(token: str) -> SignedToken:
        decoded.append(1)
        return SignedToken(token)

    monkeypatch.setattr(tokens_module, "SignedToken", counted)
    monkeypatch.setattr(tokens_module, "CACHE_ENTRIES", 2)
    validator = validating(provider.issuer, keys, clock)
    many = [signed(provider, claims(provider, uti=str(number))) for number in range(3)]
    await validator.access_token(many[0])
    await validator.access_token(many[0])
    assert len(decoded) == 1
    clock.now += 301
    await validator.access_token(many[0])
    assert len(decoded) == 2
    await validator.access_token(many[1])
    await validator.access_token(many[2])
    await validator.access_token(many[0])
    assert len(decoded) == 5
    clock.now += 700
    with pytest.raises(Unauthenticated, match="expired"):
        await validator.access_token(many[0])


async def test_only_a_token_that_held_is_known_without_a_wait(
    provider: IdentityProvider, keys: KeySource, monotonic: Clock
) -> None:
    """It is known for five minutes, and no longer than it holds or its key is published."""
    clock = Clock()
    clock.now = time.time()
    validator = validating(provider.issuer, keys, clock)
    token, other = (signed(provider, claims(provider, uti=str(number))) for number in range(2))
    refused = signed(provider, claims(provider, aud="somebody else"))
    with pytest.raises(Unauthenticated):
        await validator.access_token(refused)
    assert [validator.seen(one) for one in (token, refused, "", "\ud800")] == [None] * 4

    principal = await validator.access_token(token)
    assert [validator.seen(one) for one in (token, other, f"{token}=")] == [principal, None, None]
    clock.now += 301
    assert validator.seen(token) is None

    await validator.access_token(token)
    rotate(provider.keys._path.parent, drop_old=True)
    monotonic.now += 60
    await validator.access_token(signed(provider, claims(provider)))
    assert validator.seen(token) is None


async def test_a_provider_that_is_away_is_said_and_comes_back(
    provider: IdentityProvider, validator: TokenValidator, keys: KeySource, monotonic: Clock
) -> None:
    """Without any key the answer is 503, not 401; when the provider returns, tokens hold."""
    token = signed(provider, claims(provider))
    real = keys._authority
    keys._authority = "http://localhost:9/t/v2.0"
    with pytest.raises(IdentityProviderUnavailable):
        await validator.access_token(token)
    keys._authority = real
    monotonic.now += 60

    assert (await validator.access_token(token)).id.oid == ADA.oid
