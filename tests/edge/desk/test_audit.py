"""The audit as an administrator searches and verifies it, and as people see who looked at them."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from typing import Any

import httpx2

from secure_openai.edge.desk.pages import QUESTIONS
from secure_openai.stores import DATABASE_NAME
from secure_openai.testing.person import named
from secure_openai.types import Principal, PrincipalId, PrincipalKind, utc_now
from secure_openai.verifications import Outcome
from tests.edge.desk.test_figures import ask, key_of, read
from tests.edge.test_refusals import problem
from tests.world import World


async def ended(http: httpx2.AsyncClient) -> dict[str, Any]:
    """Return how the verification under way ends."""
    async with asyncio.timeout(60):
        while True:
            found = (await read(http, "/api/admin/audit/verification"))["verification"]
            if found["outcome"] != Outcome.RUNNING:
                return dict(found)
            await asyncio.sleep(0.02)


async def test_questions_that_are_none(world: World) -> None:
    """What cannot be a principal, an action or a continuation is refused, and not looked for."""
    async with world.client(**world.bearer("Ada")) as http:
        for query in (
            "principal=a%20b", "subject=x/y/z", "action=a%20b", "reason=%3Cb%3E", "decision=a/b",
            "limit=0", "limit=500", "continuation=x", "from=x",
        ):  # fmt: skip
            problem(await http.get(f"/api/admin/audit?{query}"), 400)
        for day in ("0001-01-01", "0001-01-31", "1999-12-31", "3000-01-01", "9999-12-31"):
            for path in ("audit", "usage", "usage.csv", "refusals"):
                for query in (f"from={day}&to={day}", f"from={day}", f"to={day}"):
                    problem(await http.get(f"/api/admin/{path}?{query}"), 400)
            for path in ("/api/admin/feedback", "/admin/feedback"):
                problem(await http.get(f"{path}?day={day}"), 400)
    assert not [event for event in await world.events() if "<b>" in str(event)]


async def test_search(world: World) -> None:
    """Records are found by who acted, whom it concerns, what was done and why, page by page."""
    async with world.client(**world.bearer("Uma")) as uma:
        for _ in range(3):
            assert await ask(uma) == 200
        problem(await uma.get("/api/admin/holds"), 403)
    await world.settled()
    async with world.client(**world.bearer("Ada"), **world.own) as ada:
        await ada.delete(f"/api/admin/principals/{key_of(world, 'Uma')}/sessions")
        oid = named("Uma").oid

        for query, actions in (
            (f"principal={oid}&action=completion.settled", ["completion.settled"] * 3),
            (f"principal={key_of(world, 'Uma')}&decision=refused", ["route.refused"]),
            (f"subject={oid}&action=session.revoked", ["session.revoked"]),
            (f"principal={oid}&reason=no_role", ["route.refused"]),
            ("principal=nobody", []),
        ):
            found = await read(ada, f"/api/admin/audit?{query}")
            assert [item["action"] for item in found["items"]] == actions, query

        pages, continuation = [], ""
        for _ in range(4):
            more = f"&continuation={continuation}" if continuation else ""
            page = await read(
                ada, f"/api/admin/audit?principal={oid}&action=completion.admitted&limit=2{more}"
            )
            pages.append(len(page["items"]))
            continuation = page["continuation"]
            if continuation is None:
                break
        assert pages == [2, 1]
    searches = [event for event in await world.events() if event.action == "audit.searched"]
    assert {event.subject for event in searches} == {
        key_of(world, "Uma"), f"{world.settings.tenant_id}/nobody",
    }  # fmt: skip


async def test_people_are_found_by_what_they_are_called(world: World) -> None:
    """By their whole name or user name, in any case; never by another's id, nor where two are."""
    tid, uma = world.settings.tenant_id, named("Uma").oid
    twin, thief, other = (PrincipalId(tid, one) for one in ("twin", "thief", "other"))
    boss = "boss@contoso.example"
    for principal, name in ((twin, "Nora Norole"), (thief, uma), (other, boss)):
        seen = Principal(principal, PrincipalKind.PERSON, frozenset(), name, f"{name}@x", None)
        await world.assembly.sightings.see(seen, now=utc_now())
    async with world.client(**world.bearer("Uma")) as one:
        assert await ask(one) == 200
    async with world.client(**world.bearer("Nora")) as one:
        problem(await one.get("/api/admin/holds"), 403)
    await world.noted()
    await world.settled()
    async with world.client(**world.bearer("Ada"), **world.own) as ada:
        for said in ("Uma User", "uma USER", " Uma User ", "uma@contoso.example", uma):
            query = httpx2.QueryParams({"principal": said, "action": "completion.settled"})
            found = await read(ada, f"/api/admin/audit?{query}")
            assert [one["principal"] for one in found["items"]] == [f"{tid}/{uma}"], said
        for said, detail in (
            ("Nora Norole", "Several are called so"),
            ("Nora Nor", "Nobody who was"),
            (boss, "Nobody who was"),
        ):
            query = httpx2.QueryParams({"subject": said})
            assert detail in problem(await ada.get(f"/api/admin/audit?{query}"), 400)
            form = {"principal": said, "reference": "Case 1"}
            assert detail in problem(await ada.post("/admin/custody/hold", data=form), 400)
        form = {"principal": "uma user", "reference": "Case 1"}
        assert (await ada.post("/admin/custody/hold", data=form)).status_code == 303
        (hold,) = (await read(ada, "/api/admin/holds"))["items"]
    assert hold["principal"] == f"{tid}/{uma}"


async def test_several_actions_at_once(world: World) -> None:
    """What administrators ask most is one question each, and is answered without the rest."""
    async with world.browser("Ada") as ada:
        await ada.get("/api/admin/holds")
        await ada.get(f"/api/admin/principals/{key_of(world, 'Uma')}")
        await ada.put(
            f"/api/admin/principals/{key_of(world, 'Uma')}/hold", json={"reference": "Case 1"}
        )
        found = {
            name: {
                item["action"]
                for item in (await read(ada, f"/api/admin/audit?{httpx2.QueryParams(query)}"))[
                    "items"
                ]
            }
            for name, query in QUESTIONS.items()
        }
        problem(await ada.get(f"/api/admin/audit?action={','.join('abcdefghijklmnopq')}"), 400)
        page = await ada.get("/admin/audit", headers={"Accept": "text/html"})
    assert found["looks"] == {"holds.viewed", "principal.viewed", "audit.searched"}
    assert found["acts"] == {"hold.placed"}
    assert found["refused"] == set()
    assert found["all"] >= found["looks"] | found["acts"] | {"session.started"}
    for query in QUESTIONS.values():
        for name, value in query.items():
            assert f"{name}={value}".replace(",", "%2C") in page.text


async def test_a_day_by_its_name(world: World) -> None:
    """Today and yesterday are days of their own."""
    async with world.client(**world.bearer("Ada")) as ada:
        for name, back in (("today", 0), ("yesterday", 1)):
            report = await read(ada, f"/api/admin/usage?days={name}")
            day = (utc_now().date() - timedelta(days=back)).isoformat()
            assert (report["from"], report["to"]) == (day, day)
        problem(await ada.get("/api/admin/usage?days=tomorrow"), 400)


async def test_both_who_are_searched_for_are_told(world: World) -> None:
    """A search for what one did about the other is a look at both."""
    uma, nora = key_of(world, "Uma"), key_of(world, "Nora")
    async with world.client(**world.bearer("Ada")) as ada:
        for query in (f"principal={uma}&subject={nora}", f"principal={uma}&subject={uma}"):
            await read(ada, f"/api/admin/audit?{query}")
    searches = [event for event in await world.events() if event.action == "audit.searched"]
    assert [event.subject for event in searches] == [uma, nora, uma]


async def test_verification(world: World) -> None:
    """A run is begun once, says how far it reached, and its result is in the audit for all."""
    async with (
        world.client(**world.bearer("Ada"), **world.own) as ada,
        world.client(**world.bearer("Ada"), **world.own) as other,
    ):
        nothing = await read(ada, "/api/admin/audit/verification")
        assert nothing == {"verification": None}
        begun = await asyncio.gather(
            *(one.post("/api/admin/audit/verification") for one in (ada, other, ada))
        )
        assert {one.status_code for one in begun} == {202}
        result = await ended(ada)
    events = [
        event for event in await world.events() if event.action.startswith("audit.verification")
    ]

    assert [event.action for event in events] == [
        "audit.verification.started",
        "audit.verification.ended",
    ]
    assert (result["outcome"], result["chains"], result["found"]) == ("holds", 1, 0)
    assert result["records"] >= 1
    assert result["whole"] is True


async def test_verification_finds_tampering(world: World) -> None:
    """A record that was changed is named by kind, chain and number."""
    async with world.client(**world.bearer("Uma")) as uma:
        assert await ask(uma) == 200
    await world.settled()
    with sqlite3.connect(world.settings.data / DATABASE_NAME) as connection:
        connection.execute("DROP TRIGGER audit_keeps_records")
        connection.execute(
            "UPDATE audit SET document = replace(document, 'admitted', 'omitted')"
            " WHERE sequence = 1"
        )
    async with world.client(**world.bearer("Ada"), **world.own) as ada:
        await ada.post("/api/admin/audit/verification")
        result = await ended(ada)
    assert (result["outcome"], result["found"]) == ("tampered", 1)
    (named_one,) = result["named"]
    assert (named_one["kind"], named_one["sequence"]) == ("changed", 1)


async def test_who_looked_at_me(world: World) -> None:
    """A person sees what was looked at or done about them, when and by which role; not by whom."""
    async with (
        world.client(**world.bearer("Uma"), **world.own) as uma,
        world.client(**world.bearer("Ada"), **world.own) as ada,
    ):
        assert (await read(uma, "/api/me/looks"))["items"] == []
        path = f"/api/admin/principals/{key_of(world, 'Uma')}"
        await ada.get(path)
        await ada.put(f"{path}/hold", json={"reference": "Case 1"})
        await ada.get("/api/admin/principals")
        await ada.get(f"/api/admin/principals/{key_of(world, 'Nora')}")
        await uma.post("/api/me/export")

        answer = await uma.get("/api/me/looks")
        looks = answer.json()["items"]
        assert [(one["action"], one["by"], one["everybody"]) for one in looks] == [
            ("principals.viewed", "administrator", True),
            ("hold.placed", "administrator", False),
            ("principal.viewed", "administrator", False),
        ]
        for secret in (named("Ada").oid, "Ada", "Case"):
            assert secret not in answer.text
        # What an administrator does in a list that shows everybody is not news to themselves.
        assert (await read(ada, "/api/me/looks"))["items"] == []
    service = world.provider.issuance.application_token()
    async with world.client(Authorization=f"Bearer {service}") as http:
        problem(await http.get("/api/me/looks"), 403)
