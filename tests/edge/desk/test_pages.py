"""The desk's pages and forms, and the page of a person's own data."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest

from secure_openai.edge.my_data import CONFIRMATION
from secure_openai.jobs.catalogue import JOBS
from secure_openai.store.personal import PersonalItem, PersonalKind
from secure_openai.store.usage import Reservation
from secure_openai.testing.person import named
from secure_openai.types import (
    Limits,
    Principal,
    PrincipalId,
    PrincipalKind,
    Usage,
    utc_now,
)
from tests.edge.desk.test_figures import key_of
from tests.world import World

PAGES = (
    "/admin", "/admin/usage", "/admin/principals", "/admin/quotas", "/admin/refusals",
    "/admin/feedback", "/admin/audit", "/admin/custody", "/admin/pool", "/admin/policy",
)  # fmt: skip
PAGE = {"Accept": "text/html"}
HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script>'{{7*7}}"
LIMITS = Limits(10**6, 10**9, 10**9, 10**9, 10**9, 10**9, 100)


class Tags(HTMLParser):
    """The tags of a page, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    @classmethod
    def of(cls, text: str) -> list[tuple[str, dict[str, str | None]]]:
        """Return the tags of a page with their attributes."""
        reading = cls()
        reading.feed(text)
        return reading.found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag."""
        self.found.append((tag, dict(attrs)))


async def used_by(world: World, principal: PrincipalId, deployment: str, tokens: int) -> None:
    """Let a principal have used some tokens of a deployment."""
    usage, now = world.assembly.usage, utc_now()
    reserved: Reservation = await usage.reserve(
        principal, deployment, tokens=tokens, limits=LIMITS, now=now, lifetime=60
    )
    await usage.settle(reserved, Usage(tokens - 1, 1))


async def shown(http: httpx2.AsyncClient, path: str, **headers: str) -> str:
    """Return a page."""
    answer = await http.get(path, headers={**PAGE, **headers}, follow_redirects=True)
    assert answer.status_code == 200, (path, answer.status_code)
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


async def send(http: httpx2.AsyncClient, path: str, **form: str) -> httpx2.Response:
    """Send a form as a browser does."""
    return await http.post(path, data=form, headers=PAGE)


@pytest.mark.parametrize("language", ["en", "de"])
async def test_names_and_deployments_are_texts(world: World, language: str) -> None:
    """What people and deployments are called, and what is searched for, is nowhere markup."""
    key = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    hostile = Principal(key, PrincipalKind.PERSON, frozenset({HOSTILE}), HOSTILE, HOSTILE, HOSTILE)
    await world.assembly.sightings.see(hostile, now=utc_now())
    await used_by(world, key, HOSTILE, 600_000)
    await used_by(world, key, "scripted", 600_000)
    async with world.browser("Ada") as http:
        await send(http, "/admin/usage/roll-up")
        asking = str(httpx2.QueryParams({"search": HOSTILE}))
        for path in (*PAGES, f"/admin/principals/{key.key}", f"/admin/principals?{asking}"):
            text = await shown(http, path, **{"Accept-Language": language})
            for tag, attributes in Tags.of(text):
                assert not [name for name in attributes if name.startswith(("on", "style"))], path
                source = attributes.get("src") or "/"
                assert source.startswith("/"), path
                assert tag != "script" or {"src", "class"} & attributes.keys(), path
            assert "'49" not in text
            assert f'<html lang="{language}"' in text
        assert HOSTILE in unescape(await shown(http, "/admin/usage?by=deployment"))


async def test_nobody_is_called_what_cannot_be_seen(world: World) -> None:
    """Characters of a name or a comment that turn or hide what is read are written out."""
    key = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    turned = "Ada\u202e nimdA\u200b"
    person = Principal(key, PrincipalKind.PERSON, frozenset({"user"}), turned, f"{turned}@x", None)
    await world.assembly.sightings.see(person, now=utc_now())
    talk = await world.assembly.conversations.create(key, title="t")
    await world.assembly.personal.add(
        PersonalItem(
            owner=key,
            kind=PersonalKind.FEEDBACK,
            id="m",
            document={"deployment": "x", "rating": "up", "reason": None, "comment": turned},
            created=utc_now(),
            changed=utc_now(),
            conversation=talk.id,
        )
    )
    async with world.browser("Ada") as http:
        for path in ("principals", f"principals/{key.key}", "audit?subject=" + key.key, "feedback"):
            text = await shown(http, f"/admin/{path}")
            assert "Ada[U+202E] nimdA[U+200B]" in text, path
            assert "\u202e" not in text.partition("<body")[2], path


async def test_no_page_shows_what_people_write(world: World) -> None:
    """Neither texts nor titles of conversations are on any page of the desk."""
    async with world.browser("Uma") as uma:
        made = (await uma.post("/api/conversations", json={"title": "A-SECRET-TITLE"})).json()
        address = f"/api/conversations/{made['id']}/messages"
        await uma.post(address, json={"text": "A-SECRET-TEXT", "deployment": "scripted"})
    await world.settled()
    async with world.browser("Ada") as http:
        for path in (*PAGES, f"/admin/principals/{key_of(world, 'Uma')}", "/api/admin/audit"):
            answer = await http.get(path, headers=PAGE)
            assert answer.status_code == 200
            assert "A-SECRET" not in answer.text


async def test_forms_do_what_they_say_and_lead_back(world: World) -> None:
    """Holds, sessions, exports and erasures by forms alone, each recorded, each told."""
    principal = f"/admin/principals/{key_of(world, 'Uma')}"
    async with world.browser("Uma") as uma, world.browser("Ada") as http:
        oid = named("Uma").oid
        held = await send(http, "/admin/custody/hold", principal=oid, reference="Case 1")
        assert held.headers["location"] == "/admin/custody?done=hold_placed"
        assert "Case 1" in await shown(http, held.headers["location"])
        lifted = await send(
            http, "/admin/custody/release", principal=key_of(world, "Uma"), return_to=principal
        )
        assert lifted.headers["location"] == f"{principal}?done=hold_lifted"
        assert "Case 1" not in await shown(http, principal)

        assert (await send(http, f"{principal}/export")).status_code == 303
        wrong = await send(http, f"{principal}/erase", confirm="yes")
        assert wrong.status_code == 400
        assert "<h1>" in wrong.text
        (request,) = (await uma.get("/api/me/requests")).json()["items"]
        assert request["kind"] == "export"

        page = await shown(http, principal)
        (handle,) = re.findall(r'name="session" value="([0-9a-f]{16})"', page)
        ended = await send(http, f"{principal}/sessions", session=handle)
        assert ended.headers["location"] == f"{principal}?done=session_ended"
        assert (await uma.get("/api/me")).status_code == 401
        assert (await send(http, f"{principal}/erase", confirm=oid)).status_code == 303
    actions = [event.action for event in await world.events()]
    for action in ("hold.placed", "hold.lifted", "export.asked", "session.revoked"):
        assert actions.count(action) == 1
    assert actions.count("erasure.asked") == 1


async def test_a_script_that_sends_a_form_is_told_where_it_leads(world: World) -> None:
    """What is done is the same; a refusal is a problem, which the page tells in its place."""
    script = {"Accept": "application/json"}
    async with world.browser("Uma") as uma, world.browser("Ada") as ada:
        form = {"principal": named("Uma").oid, "reference": "Case 1"}
        held = await ada.post("/admin/custody/hold", data=form, headers=script)
        assert held.json() == {"location": "/admin/custody?done=hold_placed"}
        assert len(await world.assembly.holds.all()) == 1
        wrong = await ada.post("/admin/custody/hold", data=form | {"reference": ""}, headers=script)
        assert wrong.headers["content-type"] == "application/problem+json"

        asked = await uma.post("/my-data/export", headers=script)
        assert asked.json() == {"location": "/my-data?done=export"}
        other = await uma.post("/my-data/erase", data={"confirm": "yes"}, headers=script)
        assert (other.status_code, other.json()["pointer"]) == (400, "/confirm")


async def test_forms_that_are_none(world: World) -> None:
    """What cannot be held is refused with a page, and nobody is led to another host."""
    async with world.browser("Ada") as http:
        for form in (
            {"principal": "a b", "reference": "x"},
            {"principal": "other/x", "reference": "x"},
            {"principal": named("Uma").oid, "reference": ""},
            {"principal": named("Uma").oid, "reference": "x", "conversation": "../x"},
            {},
        ):
            refused = await http.post("/admin/custody/hold", data=form, headers=PAGE)
            assert refused.status_code in {400, 404}, form
            assert refused.headers["content-type"].startswith("text/html")
        elsewhere: dict[str, Any] = {"return_to": "//evil.example"}
        for place in ("//evil.example", "https://evil.example", "/\\evil.example", "/sign-out"):
            elsewhere["return_to"] = place
            answer = await http.post("/admin/usage/roll-up", data=elsewhere, headers=PAGE)
            assert answer.headers["location"] == "/admin/usage?done=rolled_up"
        text = await shown(http, "/admin?done=%3Cscript%3E")
        assert 'class="notice' not in text
    assert await world.assembly.holds.all() == []


async def test_unknown_cost_is_said(world: World) -> None:
    """A page shows an unknown cost in words, and a chart says in a table what it draws."""
    await used_by(world, PrincipalId(world.settings.tenant_id, named("Uma").oid), "scripted", 50)
    async with world.browser("Ada") as http:
        text = await shown(http, "/admin/usage")
    assert "unknown" in text
    assert "0.00 USD" not in text.partition("<figure")[0]
    charts = re.findall(r"<svg viewBox.*?</svg>", text, re.DOTALL)
    assert len(charts) == 2
    assert all("<title id=" in one and "<desc id=" in one for one in charts)
    assert text.count('class="beside"') == 1


async def test_my_data(world: World) -> None:
    """A person takes everything along, sees who looked, and erases once they wrote the words."""
    async with world.browser("Uma") as uma, world.browser("Ada") as ada:
        assert "Nobody" in await shown(uma, "/my-data")
        await shown(ada, f"/admin/principals/{key_of(world, 'Uma')}")
        page = await shown(uma, "/my-data")
        assert "an administrator" in page
        assert "Ada" not in page

        asked = await send(uma, "/my-data/export")
        assert asked.headers["location"] == "/my-data?done=export"
        await world.settled()
        await world.noted()
        await JOBS["erasure"].run(world.assembly)
        (address,) = re.findall(r'href="(/api/me/export/[^"]+)"', await shown(uma, "/my-data"))
        file = (await uma.get(address)).json()
        assert (file["seen"]["name"], file["seen"]["roles"]) == ("Uma User", ["user"])

        wrong = await send(uma, "/my-data/erase", confirm="erase")
        assert (wrong.status_code, 'role="alert"' in wrong.text) == (400, True)
        done = await send(uma, "/my-data/erase", confirm=CONFIRMATION)
        assert done.headers["location"] == "/my-data?done=erase"
        await JOBS["erasure"].run(world.assembly)
        assert (await uma.get("/api/me")).status_code == 401
        found = await ada.get(f"/api/admin/principals?search={named('Uma').oid}")
        assert found.json()["items"] == []
