"""Signing in by browser: attacks on the way there and back, then the way itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from secure_openai.edge.cookies import session_cookie, sign_in_cookie
from secure_openai.sessions import local_path
from secure_openai.settings import Settings
from secure_openai.testing.person import choose, named, sign_in
from tests.world import World

PAGE = {"Accept": "text/html"}


async def code_and_state(http: httpx2.AsyncClient, world: World, name: str) -> dict[str, str]:
    """Sign in up to the issuer's answer, and return it without delivering it."""
    begun = await http.get(f"{world.url}/sign-in")
    page = await http.get(begun.headers["location"])
    origin = world.provider.public_url
    form = {"oid": named(name).oid, "handle": page.text.split('name="handle" value="')[1][:43]}
    path = f"{world.provider.base}/oauth2/v2.0/choose"
    answer = await http.post(path, data=form, headers={"Origin": origin})
    assert answer.status_code == 303
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return {key: values[0] for key, values in query.items()}


async def test_a_sign_in_leads_back_to_where_one_was(world: World) -> None:
    """The session cookie is HttpOnly and Lax, opaque, and leads back to the page asked for."""
    async with world.client() as http:
        page = await http.get("/sign-in?return_to=/conversations/x", follow_redirects=True)
        answer = await choose(http, page, "Uma")
        set_cookies = "; ".join(
            value
            for response in answer.history
            for value in response.headers.get_list("set-cookie")
            if value.startswith("secure_openai_session=") and '=""' not in value
        )
        assert answer.url.path == "/conversations/x"
        assert "HttpOnly" in set_cookies
        assert "SameSite=lax" in set_cookies
        assert named("Uma").oid not in set_cookies
        assert (await http.get("/api/me")).json()["name"] == "Uma User"


async def test_the_session_id_changes_with_every_sign_in(world: World) -> None:
    """Signing in again ends the session before it: a planted id is worth nothing."""
    async with world.client() as http:
        await sign_in(http, world.url, "Uma")
        first = http.cookies["secure_openai_session"]
        answer = await http.get("/sign-in", follow_redirects=True)
        assert answer.url.host == "localhost"
        second = http.cookies["secure_openai_session"]
    assert first != second
    async with world.client(Cookie=f"secure_openai_session={first}") as http:
        assert (await http.get("/api/me")).status_code == 401


async def test_answers_that_belong_to_no_sign_in_from_here_are_refused(world: World) -> None:
    """Foreign, missing and used states and codes are refused, and no session begins."""
    async with world.client() as victim, world.client() as attacker:
        theirs = await code_and_state(attacker, world, "Ada")
        ours = await code_and_state(victim, world, "Uma")
        attacks = [
            theirs,
            {"code": theirs["code"], "state": ours["state"] + "x"},
            {"code": ours["code"]},
            {"state": ours["state"]},
            {"code": ours["code"], "state": "invented"},
            {"code": ours["code"], "state": "x" * 1000},
            {"error": "access_denied", "state": ours["state"], "error_description": "<script>"},
            {},
        ]
        for attack in attacks:
            answer = await victim.get("/auth/callback", params=attack, headers=PAGE)
            assert answer.status_code == 400, attack
            assert "<script>" not in answer.text
            assert "secure_openai_session" not in victim.cookies
        good = await victim.get("/auth/callback", params=ours)
        assert good.status_code == 303
        replayed = await victim.get("/auth/callback", params=ours)
        assert replayed.status_code == 400


async def test_a_code_of_another_sign_in_does_not_fit(world: World) -> None:
    """A code delivered under another state of the same browser fails PKCE."""
    async with world.client() as http:
        one = await code_and_state(http, world, "Uma")
        http.cookies.delete("issuer_session")
        two = await code_and_state(http, world, "Uma")
        mixed = {"code": one["code"], "state": two["state"]}
        answer = await http.get("/auth/callback", params=mixed, headers=PAGE)

    assert answer.status_code == 400


async def test_several_tabs_may_sign_in_at_once(world: World) -> None:
    """Each state has a record of its own."""
    async with world.client() as http:
        first = await http.get("/sign-in?return_to=/a")
        second = await http.get("/sign-in?return_to=/b")
        page = await http.get(second.headers["location"])
        assert (await choose(http, page, "Uma")).url.path == "/b"
        answer = await http.get(first.headers["location"], follow_redirects=True)
        assert answer.url.path == "/a"


async def test_sign_out_ends_the_session_here_and_at_the_issuer(world: World) -> None:
    """After sign-out the cookie is worth nothing, and the issuer asks again."""
    async with world.browser("Uma") as http:
        value = http.cookies["secure_openai_session"]
        answer = await http.post("/sign-out", follow_redirects=True)
        assert answer.url == f"{world.url}/signed-out"
        again = await http.get("/sign-in", follow_redirects=True)
        assert "Who are you today?" in again.text
    async with world.client(Cookie=f"secure_openai_session={value}") as http:
        assert (await http.get("/api/me")).status_code == 401
    assert (await http_get_sign_out(world)) == 405


async def http_get_sign_out(world: World) -> int:
    """Return how a GET of the sign-out is answered."""
    async with world.client() as http:
        return (await http.get("/sign-out")).status_code


async def test_an_administrator_ends_a_persons_sessions_at_once(world: World) -> None:
    """Every session of the person ends with the next request; the act is audited."""
    uma = named("Uma")
    path = f"/api/admin/principals/{world.settings.tenant_id}/{uma.oid}/sessions"
    async with world.browser("Uma") as one, world.browser("Uma") as two:
        assert (await one.get("/api/me")).status_code == 200
        async with world.browser("Ada") as admin:
            assert (await admin.delete(path)).json() == {"sessions": 2}
        assert (await one.get("/api/me")).status_code == 401
        assert (await two.get("/api/me")).status_code == 401
        page = await one.get("/", headers=PAGE)
        assert page.headers["location"] == "/sign-in?return_to=/"
    (event,) = [event for event in await world.events() if event.action == "session.revoked"]
    assert event.facts == {"sessions": 2}
    assert event.subject == f"{world.settings.tenant_id}/{uma.oid}"


async def test_without_a_role_the_page_says_whom_to_ask(world: World) -> None:
    """A person without a role is signed in, and told so."""
    async with world.client() as http:
        page = await sign_in(http, world.url, "Nora")

    assert page.status_code == 403
    assert "Ada Admin" in page.text
    assert "have no role" in page.text


async def test_an_error_is_a_page_for_people(world: World) -> None:
    """A missing conversation is a page with the request's number, not JSON."""
    async with world.browser("Uma") as http:
        page = await http.get("/conversations/none", headers=PAGE)

    assert page.status_code == 404
    assert page.headers["x-request-id"] in page.text
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/a\\b",
        "javascript:alert(1)",
        "",
        "evil",
        "/a\r\nSet-Cookie: x",
        "/\t/evil.example",
        "/" + "x" * 3000,
    ],
)
def test_return_addresses_are_paths_of_ours(path: str) -> None:
    """Anything that could leave this origin leads to the start page."""
    assert local_path(path) == "/"


def test_return_addresses_of_ours_are_kept() -> None:
    """Paths and queries come back whole."""
    assert local_path("/conversations/x?before=y#z") == "/conversations/x?before=y#z"


def test_cookies_are_bound_to_the_host_on_https() -> None:
    """On https both cookies carry the __Host- prefix."""
    settings = Settings.load(
        {},
        public_url="https://chat.contoso.com",
        authority="https://login.microsoftonline.com/t/v2.0",
        tenant_id="t",
        client_id="c",
        model_source="scripted",
        data=Path("unused"),
    )

    assert session_cookie(settings) == "__Host-secure_openai_session"
    assert sign_in_cookie(settings) == "__Host-secure_openai_sign_in"


async def test_a_flood_of_sign_ins_leaves_little_behind(world: World) -> None:
    """Beginning a sign-in keeps a small record that expires, and needs nobody signed in."""
    async with world.client() as http:
        answers = await asyncio.gather(*(http.get("/sign-in") for _ in range(50)))

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 50
