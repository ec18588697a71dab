"""The notice that a person accepts before first use."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from secure_openai.jobs.catalogue import JOBS
from secure_openai.store.requests import RequestKind
from secure_openai.testing.person import named, sign_in
from secure_openai.types import PrincipalId, utc_now
from tests.edge.test_refusals import ROUTES, openai_error, problem
from tests.world import World, running_world

NOTICE = "Write nothing **secret**. <script>alert(1)</script>"
HELLO = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}
TYPE = "urn:secure-openai:problem:notice-not-accepted"
MINE = ("/api/me/requests", "/api/me/export", "/api/me/erase", "/api/me/looks")
"""What a person does with their own data, whether they accept a notice or not."""


def with_notice(
    tmp_path: Path, identity_folder: Path, text: str = NOTICE
) -> AbstractAsyncContextManager[World]:
    """Run an application with a notice; its data stays where it was."""
    appearance = tmp_path / "appearance.toml"
    appearance.write_text(
        f'version = 1\n[notice]\ntitle = "Before you begin"\ntext = """{text}"""\n'
        '[[prompts]]\nname = "Minutes"\ntext = "Sum up these minutes."\n'
    )
    return running_world(tmp_path, identity_folder, appearance=appearance)


async def digest_of(http: httpx2.AsyncClient) -> str:
    """Return the digest of the notice that stands."""
    return str((await http.get("/api/me/notice")).json()["notice"]["digest"])


async def accept(http: httpx2.AsyncClient) -> httpx2.Response:
    """Accept the notice that stands."""
    return await http.post("/api/me/notice/accept", json={"digest": await digest_of(http)})


async def test_nothing_is_had_before_it(tmp_path: Path, identity_folder: Path) -> None:
    """A person's every route is refused with its own type, at either door; a page leads to it."""
    async with with_notice(tmp_path, identity_folder) as world:
        for headers in (None, world.bearer("Ada")):
            async with world.client(**world.own, **(headers or {})) as http:
                if headers is None:
                    page = await sign_in(http, world.url, "Ada")
                    assert page.url.path == "/notice"
                for method, path in ROUTES:
                    if path.startswith(("/api/me/notice", *MINE)):
                        continue
                    refused = await http.request(method, path)
                    said = problem(refused, 403)
                    assert refused.json()["type"] == TYPE, path
                    assert said.endswith(f"{world.url}/notice")
                for path in ("/", "/conversations/x"):
                    page = await http.get(path, headers={"Accept": "text/html"})
                    assert page.status_code == 303
                    assert page.headers["location"].startswith("/notice?return_to=%2F")
                error = openai_error(
                    await http.post("/openai/v1/chat/completions", json=HELLO), 403
                )
                assert error["code"] == "notice_not_accepted"
                openai_error(await http.get("/openai/v1/models"), 403)
        assert [one for one in await world.events() if one.action.startswith("completion")] == []


async def test_ones_own_data_does_not_wait_for_it(tmp_path: Path, identity_folder: Path) -> None:
    """Whoever does not accept a changed notice takes everything along, and has it erased."""
    async with (
        with_notice(tmp_path, identity_folder) as world,
        world.client(**world.bearer("Uma"), **world.own) as http,
    ):
        await accept(http)
        talk = (await http.post("/api/conversations", json={"title": "mine"})).json()
    async with (
        with_notice(tmp_path, identity_folder, text="Another one.") as world,
        world.client(**world.own) as http,
    ):
        page = await sign_in(http, world.url, "Uma")
        assert page.url.path == "/notice"
        assert 'href="/my-data"' in page.text
        problem(await http.get(f"/api/conversations/{talk['id']}"), 403)
        mine = await http.get("/my-data", headers={"Accept": "text/html"})
        asked = await http.post("/api/me/export")
        await JOBS["erasure"].run(world.assembly)
        done = (await http.get("/api/me/requests")).json()["items"][0]
        taken = await http.get(done["download"])
        looks = await http.get("/api/me/looks")
        unsure = await http.post("/api/me/erase", json={"confirm": "yes"})
        form = {"confirm": "erase everything of mine"}
        erased = await http.post("/my-data/erase", data=form)

    assert (mine.status_code, asked.status_code, looks.status_code) == (200, 202, 200)
    assert done["state"] == "done"
    assert [one["title"] for one in taken.json()["conversations"]] == ["mine"]
    assert (unsure.status_code, erased.status_code) == (400, 303)
    assert erased.headers["location"] == "/my-data?done=erase"


async def test_roles_come_first(tmp_path: Path, identity_folder: Path) -> None:
    """Whoever lacks a role is told and recorded as that; whoever has none accepts all the same."""
    async with with_notice(tmp_path, identity_folder) as world:
        async with world.client(**world.bearer("Uma"), **world.own) as http:
            assert problem(await http.get("/api/admin/holds"), 403) == "This needs the role admin."
        (refused,) = [one for one in await world.events() if one.action == "route.refused"]
        assert refused.reason == "no_role"
        async with world.client(**world.bearer("Nora"), **world.own) as http:
            problem(await http.get("/api/me"), 403)
            assert (await accept(http)).status_code == 200
            assert (await http.get("/api/me")).json()["roles"] == []


async def test_applications_are_not_asked(tmp_path: Path, identity_folder: Path) -> None:
    """An application goes on, for itself or for a person, and accepts nothing for anybody."""
    async with with_notice(tmp_path, identity_folder) as world:
        issuance = world.provider.issuance
        daemon = issuance.application_token()
        for token in (daemon, on_behalf(world, "Uma")):
            async with world.client(Authorization=f"Bearer {token}") as http:
                asked = await http.post("/openai/v1/chat/completions", json=HELLO)
                assert asked.status_code == 200, asked.text
                problem(await accept(http), 403)
        async with world.client(**world.bearer("Uma")) as http:
            problem(await http.get("/api/me"), 403)


def on_behalf(world: World, name: str) -> str:
    """Return a token that a service got for a person."""
    return world.provider.issuance.access_token(
        named(name), "5ec0de00-0000-4000-8000-0000000000e1", for_api=True, confidential=True
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"digest": ""}, 400),
        ({"digest": 1}, 400),
        ({"digest": "x" * 129}, 400),
        ({"digest": "another"}, 412),
        ({"digest": "../x"}, 412),
    ],
)
async def test_only_the_notice_that_stands_is_accepted(
    tmp_path: Path, identity_folder: Path, body: dict[str, Any], status: int
) -> None:
    """Another digest, or none, accepts nothing and leaves no record."""
    async with with_notice(tmp_path, identity_folder) as world:
        async with world.client(**world.bearer("Uma"), **world.own) as http:
            problem(await http.post("/api/me/notice/accept", json=body), status)
            assert (await http.get("/api/me/notice")).json()["accepted"] is None
            problem(await http.get("/api/me"), 403)
        assert not [one for one in await world.events() if one.action == "notice.accepted"]


async def test_accepted(tmp_path: Path, identity_folder: Path) -> None:
    """Accepted, it is kept with its time and digest, recorded once, and asks no more."""
    async with with_notice(tmp_path, identity_folder) as world:
        async with world.client(**world.own) as http:
            await sign_in(http, world.url, "Uma")
            told = (await http.get("/api/me/notice")).json()
            assert told["notice"]["title"] == "Before you begin"
            assert told["notice"]["text"] == NOTICE
            assert "<strong>secret</strong>" in told["notice"]["html"]
            assert "<script" not in told["notice"]["html"]
            before = utc_now().isoformat()
            answers = await asyncio.gather(*(accept(http) for _ in range(4)))
            assert {one.status_code for one in answers} == {200}
            (when,) = {one.json()["accepted"] for one in answers}
            assert before <= when <= utc_now().isoformat()
            assert (await http.get("/api/me/notice")).json()["accepted"] == when
            assert (await http.get("/api/conversations")).status_code == 200
            assert (await http.get("/", headers={"Accept": "text/html"})).status_code == 200
            (prompt,) = (await http.get("/api/prompts")).json()["items"]
            assert (prompt["name"], prompt["text"]) == ("Minutes", "Sum up these minutes.")
        (event,) = [one for one in await world.events() if one.action == "notice.accepted"]
        assert event.principal == PrincipalId(world.settings.tenant_id, named("Uma").oid)
        assert event.facts == {"notice": told["notice"]["digest"]}
        async with world.client(**world.bearer("Ada")) as ada:
            problem(await ada.get("/api/me"), 403)


async def test_a_changed_notice(tmp_path: Path, identity_folder: Path) -> None:
    """Another text is accepted anew; the text of before counts again when it comes back."""
    for text, asks in ((NOTICE, True), ("Another.", True), ("Another.", False), (NOTICE, False)):
        async with (
            with_notice(tmp_path, identity_folder, text) as world,
            world.client(**world.bearer("Uma"), **world.own) as http,
        ):
            answer = await http.get("/api/me")
            if asks:
                problem(answer, 403)
                assert (await accept(http)).status_code == 200
                answer = await http.get("/api/me")
            assert answer.status_code == 200


async def test_an_erasure_forgets_it(
    tmp_path: Path, identity_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was erased is asked again, once what was remembered has lapsed; the record stays."""
    monkeypatch.setattr("secure_openai.acceptances.REMEMBERED_SECONDS", 0.0)
    async with with_notice(tmp_path, identity_folder) as world:
        uma = PrincipalId(world.settings.tenant_id, named("Uma").oid)
        async with world.client(**world.bearer("Uma"), **world.own) as http:
            await accept(http)
            assert (await http.get("/api/me")).status_code == 200
            await world.assembly.requests.ask(uma, RequestKind.ERASURE, by=uma, now=utc_now())
            await JOBS["erasure"].run(world.assembly)
            problem(await http.get("/api/me"), 403)
            assert (await accept(http)).status_code == 200
        events = await world.events()
        assert [one.action for one in events].count("notice.accepted") == 2


async def test_without_a_notice(world: World) -> None:
    """Where an organisation has none, nobody is asked, and there is nothing to accept."""
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        assert (await http.get("/api/me/notice")).json() == {"notice": None, "accepted": None}
        problem(await http.post("/api/me/notice/accept", json={"digest": "x"}), 404)
        assert (await http.get("/api/prompts")).json() == {"items": [], "continuation": None}
