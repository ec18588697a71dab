"""Attacks on the laptop's issuer, then what it grants."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from secure_openai.errors import StartError
from secure_openai.local.identity_provider import grants as grants_module
from secure_openai.local.identity_provider.__main__ import identity_provider
from secure_openai.local.identity_provider.app import IdentityProvider
from secure_openai.local.identity_provider.authorize import AuthorizeError, check_authorize
from secure_openai.local.identity_provider.directory import (
    COMMAND_LINE_CLIENT_ID,
    DAEMON,
    WEB_CLIENT_ID,
)
from secure_openai.local.identity_provider.grants import (
    AuthorizationRequest,
    GrantError,
    Grants,
    s256,
)
from secure_openai.local.identity_provider.signing_keys import SigningKeys, rotate
from secure_openai.testing.person import named
from tests.servers import listening, port_of, served
from tests.system import environment

APPLICATION_URL = "http://localhost:1"
CALLBACK = f"{APPLICATION_URL}/auth/callback"
VERIFIER = "v" * 64
GOOD = {
    "client_id": WEB_CLIENT_ID,
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid profile offline_access",
    "state": "s",
    "nonce": "n",
    "code_challenge": s256(VERIFIER),
    "code_challenge_method": "S256",
}


@pytest.fixture
async def provider(identity_folder: Path) -> AsyncIterator[IdentityProvider]:
    """The issuer over real HTTP."""
    bound = listening()
    made = identity_provider(
        identity_folder,
        public_url=f"http://localhost:{port_of(bound)}",
        application_url=APPLICATION_URL,
    )
    async with served(made.app(), bound):
        yield made


@pytest.fixture
async def http(provider: IdentityProvider) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser of one's own."""
    base = f"{provider.base}/oauth2/v2.0/"
    async with httpx2.AsyncClient(base_url=base, trust_env=False) as opened:
        yield opened


async def code_for(http: httpx2.AsyncClient, provider: IdentityProvider, **change: str) -> str:
    """Return a code for Uma."""
    page = await http.get("authorize", params=GOOD | change)
    if page.status_code == 200:
        handle = page.text.split('name="handle" value="')[1].split('"')[0]
        form = {"oid": named("Uma").oid, "handle": handle}
        page = await http.post("choose", data=form, headers={"Origin": provider.public_url})
    return parse_qs(urlsplit(page.headers["location"]).query)["code"][0]


def exchange(code: str) -> dict[str, str]:
    """Return the form that redeems a code."""
    return {
        "grant_type": "authorization_code",
        "client_id": WEB_CLIENT_ID,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }


SHOWN_HERE: list[dict[str, str]] = [
    {"client_id": "another"},
    {"client_id": ""},
    {"redirect_uri": ""},
    {"redirect_uri": "https://evil.example/auth/callback"},
    {"redirect_uri": CALLBACK + "/../x"},
    {"redirect_uri": CALLBACK + "?x=y"},
    {"redirect_uri": "http://localhost:1.evil.example/auth/callback"},
    {"redirect_uri": "http://127.0.0.1:5/"},
    {"client_id": COMMAND_LINE_CLIENT_ID},
    {"client_id": COMMAND_LINE_CLIENT_ID, "redirect_uri": "http://localhost/"},
    {"client_id": COMMAND_LINE_CLIENT_ID, "redirect_uri": "http://localhost:x/"},
    {"client_id": COMMAND_LINE_CLIENT_ID, "redirect_uri": "https://localhost:5/"},
    {"client_id": COMMAND_LINE_CLIENT_ID, "redirect_uri": "http://u@localhost:5/"},
    {"client_id": COMMAND_LINE_CLIENT_ID, "redirect_uri": "http://localhost:5/x"},
    {"client_id": COMMAND_LINE_CLIENT_ID, "redirect_uri": "http://localhost:5/?a"},
    {"client_id": COMMAND_LINE_CLIENT_ID, "redirect_uri": "http://localhost:5/#a"},
    {"client_id": COMMAND_LINE_CLIENT_ID, "redirect_uri": "http://10.0.0.1:5/"},
    {"client_id": COMMAND_LINE_CLIENT_ID, "redirect_uri": "http://127.0.0.1:5/"},
    {"client_id": COMMAND_LINE_CLIENT_ID, "redirect_uri": "http://LOCALHOST:5/"},
]
SENT_BACK: list[tuple[dict[str, str], str]] = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"code_challenge": ""}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": ""}, "invalid_request"),
    ({"scope": "profile"}, "invalid_scope"),
    ({"state": ""}, "invalid_request"),
    ({"prompt": "none"}, "login_required"),
]


async def test_requests_from_nowhere_are_shown_here_and_sent_nowhere(
    http: httpx2.AsyncClient,
) -> None:
    """An unknown client or address is never redirected to."""
    for change in SHOWN_HERE:
        answer = await http.get("authorize", params=GOOD | change)
        assert answer.status_code == 400, change
        assert "location" not in answer.headers
        assert "evil" not in answer.text


async def test_requests_that_break_a_rule_are_told_to_their_client(
    http: httpx2.AsyncClient,
) -> None:
    """Every other rule is an OAuth error at the registered address, with the state."""
    for change, error in SENT_BACK:
        answer = await http.get("authorize", params=GOOD | change)
        assert answer.status_code == 303, change
        assert answer.headers["location"].startswith(f"{CALLBACK}?")
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        assert query["error"] == [error]


def test_the_command_line_may_use_any_port_of_loopback() -> None:
    """RFC 8252: the port is chosen when it is needed."""
    asked = GOOD | {"client_id": COMMAND_LINE_CLIENT_ID, "redirect_uri": "http://localhost:5/"}

    assert check_authorize(asked, application_url=APPLICATION_URL).state == "s"
    with pytest.raises(AuthorizeError):
        check_authorize({}, application_url=APPLICATION_URL)


async def test_choices_made_elsewhere_do_not_count(
    http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """A foreign origin, an unknown person, a used or invented handle: no code, no session."""
    ours = {"Origin": provider.public_url}
    attacks: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"oid": named("Ada").oid}, ours),
        ({"oid": named("Ada").oid, "handle": "invented"}, ours),
        ({"oid": "someone"}, ours),
        ({}, ours),
        ({"oid": named("Ada").oid}, {"Origin": "https://evil.example"}),
        ({"oid": named("Ada").oid}, {"Origin": APPLICATION_URL}),
        ({"oid": named("Ada").oid}, {}),
    ]
    for form, headers in attacks:
        answer = await http.post("choose", data=form, headers=headers)
        assert answer.status_code == 400
        assert "issuer_session" not in http.cookies
        device = await http.post("deviceauth", data=form, headers=headers)
        assert device.status_code == 400


TOKEN_ATTACKS: list[tuple[dict[str, str], str]] = [
    ({"grant_type": "password"}, "unsupported_grant_type"),
    ({"grant_type": ""}, "unsupported_grant_type"),
    ({"client_id": "another"}, "invalid_client"),
    ({"client_id": ""}, "invalid_client"),
    ({"code": "invented"}, "invalid_grant"),
    ({"code_verifier": "w" * 64}, "invalid_grant"),
    ({"code_verifier": ""}, "invalid_grant"),
    ({"redirect_uri": CALLBACK + "x"}, "invalid_grant"),
    ({"client_id": COMMAND_LINE_CLIENT_ID}, "invalid_grant"),
    ({"grant_type": "refresh_token", "refresh_token": "invented"}, "invalid_grant"),
    ({"grant_type": "client_credentials", "client_id": DAEMON.client_id}, "invalid_client"),
    (
        {
            "grant_type": "client_credentials",
            "client_id": DAEMON.client_id,
            "client_secret": "guess",
        },
        "invalid_client",
    ),
    ({"grant_type": "client_credentials", "client_id": WEB_CLIENT_ID}, "invalid_client"),
    (
        {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "guess"},
        "invalid_grant",
    ),
]


async def test_codes_are_worth_nothing_to_others(
    http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Each wrong exchange is the OAuth error for it, and a code tried once is used up."""
    for change, error in TOKEN_ATTACKS:
        code = await code_for(http, provider)
        answer = await http.post("token", data=exchange(code) | change)
        assert (answer.status_code, answer.json()["error"]) == (400, error), change
        assert answer.headers["cache-control"] == "no-store"


async def test_a_replayed_code_ends_what_it_gave(
    http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """The second use is refused, and the refresh token of the first with it (RFC 9700, 4.5)."""
    code = await code_for(http, provider)
    first = (await http.post("token", data=exchange(code))).json()
    assert (await http.post("token", data=exchange(code))).status_code == 400
    refresh = {
        "grant_type": "refresh_token",
        "client_id": WEB_CLIENT_ID,
        "refresh_token": first["refresh_token"],
    }
    assert (await http.post("token", data=refresh)).status_code == 400


async def test_refresh_tokens_rotate_and_end_with_the_session(
    http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Each works once; after sign-out at the issuer none does."""
    code = await code_for(http, provider)
    tokens: dict[str, Any] = (await http.post("token", data=exchange(code))).json()

    def refresh(token: str) -> dict[str, str]:
        return {"grant_type": "refresh_token", "client_id": WEB_CLIENT_ID, "refresh_token": token}

    second = (await http.post("token", data=refresh(tokens["refresh_token"]))).json()
    assert "id_token" in second
    again = await http.post("token", data=refresh(tokens["refresh_token"]))
    assert again.status_code == 400
    out = await http.get("logout")
    assert (out.status_code, "signed out" in out.text) == (200, True)
    assert (await http.post("token", data=refresh(second["refresh_token"]))).status_code == 400


async def test_sign_out_goes_back_only_where_it_was_registered(http: httpx2.AsyncClient) -> None:
    """An open redirect is not offered."""
    for address in ("https://evil.example", f"{APPLICATION_URL}/signed-out.evil", ""):
        answer = await http.get("logout", params={"post_logout_redirect_uri": address})
        assert (answer.status_code, answer.headers.get("location")) == (200, None)
    good = f"{APPLICATION_URL}/signed-out"
    answer = await http.get("logout", params={"post_logout_redirect_uri": good})
    assert answer.headers["location"] == good


async def test_one_choice_serves_until_asked_again(
    http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Within the issuer's session no one is asked, unless `prompt` says so."""
    await code_for(http, provider)
    silent = await http.get("authorize", params=GOOD | {"prompt": "none"})
    assert "code=" in silent.headers["location"]
    for prompt in ("login", "select_account"):
        page = await http.get("authorize", params=GOOD | {"prompt": prompt})
        assert page.status_code == 200


async def test_pages_are_fenced(http: httpx2.AsyncClient) -> None:
    """No script, no frame, no foreign style; nothing is kept by caches."""
    page = await http.get("authorize", params=GOOD)

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text


async def test_a_page_names_what_a_browser_loads(
    http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Its style and its icon, which it would ask for elsewhere in vain; both are there."""
    page = await http.get("authorize", params=GOOD)
    loaded = re.findall(r'<link rel="(\w+)" href="([^"]+)">', page.text)

    assert [name for name, _ in loaded] == ["icon", "stylesheet"]
    for _, address in loaded:
        assert (await http.get(f"{provider.public_url}{address}")).status_code == 200


async def test_foreign_hosts_and_devices_are_refused(
    http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """DNS rebinding does not reach the issuer; only the command line signs in by device."""
    answer = await http.get("authorize", params=GOOD, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    device = await http.post("devicecode", data={"client_id": WEB_CLIENT_ID})
    assert device.json()["error"] == "invalid_client"


def asked() -> AuthorizationRequest:
    """Return a checked request."""
    return check_authorize(GOOD, application_url=APPLICATION_URL)


def test_what_is_promised_expires() -> None:
    """Handles, codes, refresh tokens, devices and sessions all end by their time."""
    now = [1000.0]
    grants = Grants(now=lambda: now[0])
    handle = grants.remember(asked())
    code = grants.code(asked(), "oid", "session")
    now[0] += 61
    with pytest.raises(GrantError, match="expired"):
        grants.redeem(code, client_id=WEB_CLIENT_ID, redirect_uri=CALLBACK, code_verifier=VERIFIER)
    device_code, device = grants.begin_device(COMMAND_LINE_CLIENT_ID, "openid")
    with pytest.raises(GrantError) as pending:
        grants.poll_device(device_code, client_id=COMMAND_LINE_CLIENT_ID)
    assert pending.value.code == "authorization_pending"
    assert grants.device_of(f" {device.user_code.lower()[:4]}-{device.user_code[4:]}") is device
    session = grants.begin_session("oid")
    assert grants.session(session) == "oid"
    assert grants.session(None) is None
    now[0] += 1000
    assert grants.take(handle) is None
    assert grants.device_of(device.user_code) is None
    with pytest.raises(GrantError) as expired:
        grants.poll_device(device_code, client_id=COMMAND_LINE_CLIENT_ID)
    assert expired.value.code == "expired_token"
    now[0] += 13 * 3600
    assert grants.session(session) is None


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever only begins pushes out the oldest, and fills no memory."""
    monkeypatch.setattr(grants_module, "LARGEST_COUNT", 3)
    grants = Grants()
    handles = [grants.remember(asked()) for _ in range(4)]

    assert grants.take(handles[0]) is None
    assert grants.take(handles[3]) == asked()


def test_keys_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    """A broken file, and none at all, are a sentence."""
    with pytest.raises(StartError, match="start the system once"):
        rotate(tmp_path)
    keys = SigningKeys(tmp_path)
    (tmp_path / "signing-keys.json").write_text("{")
    with pytest.raises(StartError, match="cannot be read"):
        _ = keys.current


@pytest.mark.parametrize(
    ("arguments", "extra", "said"),
    [
        (["--host", "0.0.0.0"], {}, "not a loopback address"),
        (["--host", "10.1.2.3"], {}, "not a loopback address"),
        (["--public-url", "http://login.contoso.com"], {}, "not on loopback"),
        (["--application-url", "https://chat.contoso.com"], {}, "not on loopback"),
        ([], {"WEBSITE_INSTANCE_ID": "x"}, "Azure host"),
        ([], {"IDENTITY_ENDPOINT": "x"}, "Azure host"),
    ],
)
@pytest.mark.process
def test_the_issuer_never_leaves_the_laptop(
    tmp_path: Path, arguments: list[str], extra: dict[str, str], said: str
) -> None:
    """Any address but loopback, and any sign of Azure, stops the start."""
    base = {
        "--host": "127.0.0.1",
        "--port": "1",
        "--data": str(tmp_path / "identity"),
        "--public-url": "http://localhost:1",
        "--application-url": "http://localhost:2",
    }
    if arguments:
        base[arguments[0]] = arguments[1]
    flat = [part for pair in base.items() for part in pair]
    ended = subprocess.run(
        [sys.executable, "-m", "secure_openai.local.identity_provider", *flat],
        capture_output=True,
        text=True,
        env=environment(**extra),
        timeout=30,
        check=False,
    )

    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
