"""What people ask to be done with their own data, and administrators with everybody's."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx2

from secure_openai.edge.my_data import CONFIRMATION, GONE
from secure_openai.jobs.catalogue import JOBS, exports_in
from secure_openai.testing.person import named
from secure_openai.types import utc_now
from tests.edge.test_refusals import problem
from tests.world import World


def path_of(world: World, name: str, rest: str) -> str:
    """Return an administrator's address of a person."""
    return f"/api/admin/principals/{world.settings.tenant_id}/{named(name).oid}/{rest}"


async def talk(http: httpx2.AsyncClient, title: str = "mine") -> str:
    """Have a conversation; return its id."""
    conversation = (await http.post("/api/conversations", json={"title": title})).json()
    address = f"/api/conversations/{conversation['id']}/messages"
    answer = await http.post(address, json={"text": f"about {title}", "deployment": "scripted"})
    assert answer.status_code == 200
    return str(conversation["id"])


async def run(world: World, name: str = "erasure") -> dict[str, Any]:
    """Run a job; return what there was to count."""
    await world.settled()
    report = await JOBS[name].run(world.assembly)
    return {what: count for what, count in report.items() if count}


async def actions(world: World) -> list[str]:
    """Return what was recorded about requests, exports, erasures and holds."""
    return [
        event.action
        for event in await world.events()
        if event.action.split(".")[0] in {"export", "erasure", "hold"}
    ]


async def test_erasure_is_confirmed_in_words(world: World) -> None:
    """Without the words nothing is asked for."""
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        for body in ({}, {"confirm": "yes"}, {"confirm": True}, {"confirm": CONFIRMATION.upper()}):
            problem(await http.post("/api/me/erase", json=body), 400)
        problem(await http.post("/api/me/erase"), 415)
        assert (await http.get("/api/me/requests")).json()["items"] == []
    assert await actions(world) == []


async def test_an_application_has_nobody_to_export(world: World) -> None:
    """Applications own nothing here; an administrator disposes of what is counted of them."""
    token = world.provider.issuance.application_token()
    async with world.client(Authorization=f"Bearer {token}") as http:
        for method, path in (
            ("GET", "/api/me/requests"),
            ("POST", "/api/me/export"),
            ("POST", "/api/me/erase"),
            ("GET", "/api/me/export/x"),
        ):
            problem(await http.request(method, path), 403)


async def test_nobody_else_fetches_an_export(world: World) -> None:
    """An export is its person's alone, whatever role others have; another's id is none."""
    async with world.client(**world.bearer("Uma"), **world.own) as uma:
        asked = (await uma.post("/api/me/export")).json()
        erasure = (await uma.post("/api/me/erase", json={"confirm": CONFIRMATION})).json()
        await JOBS["erasure"].run(world.assembly)
        for request_id in ("none", "a.b", erasure["id"], "%2e%2e"):
            problem(await uma.get(f"/api/me/export/{request_id}"), 404)
    async with world.client(**world.bearer("Ada"), **world.own) as ada:
        problem(await ada.get(f"/api/me/export/{asked['id']}"), 404)
        (listed, _) = (await ada.get(path_of(world, "Uma", "requests"))).json()["items"][::-1]
        assert listed["download"] is None


async def test_export(world: World) -> None:
    """A person asks, a job makes it, and they fetch one file as often as they like, for days."""
    async with world.browser("Uma") as http:
        await talk(http)
        asked = await http.post("/api/me/export")
        request = asked.json()
        assert (asked.status_code, request["state"], request["download"]) == (202, "asked", None)
        assert (await http.post("/api/me/export")).json() == request
        address = f"/api/me/export/{request['id']}"
        waiting = await http.get(address)
        assert (waiting.status_code, waiting.headers["retry-after"]) == (202, "60")

        assert await run(world) == {"exported": 1}

        (listed,) = (await http.get("/api/me/requests")).json()["items"]
        assert (listed["state"], listed["download"]) == ("done", address)
        file = await http.get(address)
        assert file.status_code == 200
        assert file.headers["content-disposition"].startswith('attachment; filename="export-')
        assert file.headers["cache-control"] == "no-store"
        document = file.json()
        (conversation,) = document["conversations"]
        assert conversation["messages"][0]["text"] == "about mine"
        assert len(document["sessions"]) == 1
        assert {day["deployment"] for day in document["usage"]} == {"scripted"}
        assert "completion.settled" in {one["action"] for one in document["audit"]}
        cookie = http.cookies.get("secure_openai_session", "")
        assert cookie
        assert cookie not in file.text

        (name,) = [one.name async for one in world.assembly.exports.list()]
        await world.assembly.exports.delete(name)
        assert problem(await http.get(address), 404) == GONE
        exports = exports_in(world.assembly)
        found = await world.assembly.requests.due(now=utc_now() + timedelta(days=8))
        await exports.expire(found[0])
        problem(await http.get(address), 404)
    assert await actions(world) == [
        "export.asked",
        "export.asked",
        "export.made",
        "export.downloaded",
        "export.expired",
    ]


async def test_erasure(world: World) -> None:
    """A person has themself erased: signed out everywhere, and nothing of theirs comes back."""
    async with world.browser("Uma") as http:
        conversation_id = await talk(http)
        answer = await http.post("/api/me/erase", json={"confirm": CONFIRMATION})
        assert (answer.status_code, answer.json()["state"]) == (202, "asked")

        assert await run(world) == {"erased": 1}

        problem(await http.get("/api/me"), 401)
    async with world.browser("Uma") as http:
        problem(await http.get(f"/api/conversations/{conversation_id}"), 404)
        assert (await http.get("/api/conversations")).json()["items"] == []
        (request,) = (await http.get("/api/me/requests")).json()["items"]
        assert request["state"] == "erased"
    events = [one for one in await world.events() if one.action.startswith("erasure.")]
    assert [(one.action, one.principal is None) for one in events] == [
        ("erasure.asked", False),
        ("erasure.erased", True),
    ]


async def test_erased_once_more(world: World) -> None:
    """Who came back after an erasure and asks again is rid of what came since, by the same one."""
    for _ in range(2):
        async with world.browser("Uma") as http:
            conversation_id = await talk(http)
            answer = await http.post("/api/me/erase", json={"confirm": CONFIRMATION})
            assert (answer.status_code, answer.json()["state"]) == (202, "asked")
            assert await run(world) == {"erased": 1}
        async with world.browser("Uma") as http:
            problem(await http.get(f"/api/conversations/{conversation_id}"), 404)
            assert len((await http.get("/api/me/requests")).json()["items"]) == 1

    assert (await actions(world)).count("erasure.erased") == 2


async def test_erased_while_an_answer_comes(world: World) -> None:
    """Who is erased in the middle of an answer sees why it ends, and nothing of it is kept."""
    async with world.browser("Uma") as http, world.client(**world.bearer("Uma")) as bearer:
        made = (await http.post("/api/conversations", json={"title": "slowly"})).json()
        path = f"/api/conversations/{made['id']}/messages"
        asking = asyncio.ensure_future(
            http.post(path, json={"text": "slow 2000", "deployment": "scripted"})
        )
        async with asyncio.timeout(60):
            while len((await bearer.get(path)).json()["items"]) < 2:
                await asyncio.sleep(0.02)
        assert (await bearer.post("/api/me/erase", json={"confirm": CONFIRMATION})).is_success
        report = await JOBS["erasure"].run(world.assembly)
        assert report["erased"] == 1
        answer = await asking
        problem(await bearer.get(path), 404)
        assert (await bearer.get("/api/conversations")).json()["items"] == []
    end = json.loads(answer.text.split("event: end\ndata: ")[1].split("\n")[0])
    (settled,) = await world.settled()

    assert (end["answer"]["status"], end["problem"]["status"]) == ("interrupted", 404)
    assert "Traceback" not in answer.text
    assert settled.request_id == answer.headers["x-request-id"]
    # It was asked for and is charged; a second erasure would find nothing.
    assert (await run(world)) == {}


async def test_administrators_hold_and_erase(world: World) -> None:
    """An administrator holds what a person has, and has somebody erased who left."""
    async with (
        world.browser("Uma") as uma,
        world.client(**world.bearer("Ada"), **world.own) as ada,
    ):
        conversation_id = await talk(uma)
        conversation = await uma.get(f"/api/conversations/{conversation_id}")
        hold, one = path_of(world, "Uma", "hold"), f"conversations/{conversation_id}/hold"
        for body in ({}, {"reference": ""}, {"reference": "a\nb"}, {"reference": "x" * 65}):
            problem(await ada.put(hold, json=body), 400)
        problem(await ada.delete(hold), 404)
        placed = (await ada.put(hold, json={"reference": "Case 12/2030"})).json()
        assert placed["reference"] == "Case 12/2030"
        assert placed["by"].endswith(named("Ada").oid)
        second = (await ada.put(path_of(world, "Uma", one), json={"reference": "B"})).json()
        assert (await ada.get("/api/admin/holds")).json()["items"] == [placed, second]

        etag = {"If-Match": conversation.headers["etag"]}
        address = f"/api/conversations/{conversation_id}"
        kept = await uma.delete(address, headers=etag)
        assert "legal hold" in problem(kept, 409)
        problem(await ada.post(path_of(world, "Uma", "erase"), json={"confirm": "Uma"}), 400)
        confirmed = {"confirm": named("Uma").oid}
        asked = await ada.post(path_of(world, "Uma", "erase"), json=confirmed)
        assert asked.status_code == 202
        assert await run(world) == {"held": 1}
        (request,) = (await uma.get("/api/me/requests")).json()["items"]
        assert (request["state"], "legal hold" in request["reason"]) == ("held", True)
        assert (await uma.get(address)).status_code == 200

        for rest in ("hold", one):
            assert (await ada.delete(path_of(world, "Uma", rest))).status_code == 204
        assert await run(world) == {"erased": 1}
        (request,) = (await ada.get(path_of(world, "Uma", "requests"))).json()["items"]
        assert request["by"].endswith(named("Ada").oid)
        for foreign in ("x/x/hold", "a.b/x/hold", f"{world.settings.tenant_id}/a.b/hold"):
            problem(await ada.put(f"/api/admin/principals/{foreign}", json={"reference": "A"}), 404)
    events = [one for one in await world.events() if one.action in {"hold.placed", "hold.lifted"}]
    assert [(one.action, (one.facts or {}).get("conversation")) for one in events] == [
        ("hold.placed", None),
        ("hold.placed", conversation_id),
        ("hold.lifted", None),
        ("hold.lifted", conversation_id),
    ]
    # What somebody wrote, a case's name included, is in no record.
    assert "Case" not in str(events)


async def test_what_names_nobody_is_not_written_down(world: World) -> None:
    """An address that can be no principal's is missing, and its text is in no record."""
    async with world.client(**world.bearer("Ada"), **world.own) as ada:
        mine = f"/api/admin/principals/{world.settings.tenant_id}"
        for who in (f"{mine}/a.b", f"{mine}/{'x' * 129}", f"{mine}/%F0%9F%92%A3", f"{mine}/a%0Ab"):
            problem(await ada.delete(f"{who}/sessions"), 404)
            problem(await ada.get(f"{who}/requests"), 404)
            problem(await ada.post(f"{who}/export"), 404)
            problem(await ada.put(f"{who}/hold", json={"reference": "A"}), 404)
        problem(await ada.delete(f"/api/admin/principals/other/{named('Uma').oid}/sessions"), 404)
    assert [one.action for one in await world.events() if one.decision == "allowed"] == []


async def test_usage_of_a_day(world: World) -> None:
    """An administrator reads what was used in a day, by principal and deployment."""
    async with world.client(**world.bearer("Uma"), **world.own) as uma:
        await talk(uma)
        await talk(uma)
    await run(world, "roll_up")
    today = utc_now().date().isoformat()
    async with world.client(**world.bearer("Ada")) as ada:
        (total,) = (await ada.get(f"/api/admin/usage/{today}")).json()["items"]
        assert (total["deployment"], total["requests"], total["day"]) == ("scripted", 2, today)
        assert total["principal"].endswith(named("Uma").oid)
        assert total["prompt_tokens"] > 0
        assert total["completion_tokens"] > 0
        assert (await ada.get("/api/admin/usage/2020-01-01")).json()["items"] == []
        problem(await ada.get("/api/admin/usage/yesterday"), 404)
        problem(await ada.get(f"/api/admin/usage/{today}?limit=0"), 400)
        problem(await ada.get(f"/api/admin/usage/{today}?continuation=x"), 400)
