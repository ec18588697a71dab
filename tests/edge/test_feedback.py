"""What people say of answers, and what administrators see of it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2

from secure_openai.edge.feedback import FOR_ADMINISTRATORS
from secure_openai.store.holds import Hold
from secure_openai.testing.person import named
from secure_openai.types import PrincipalId, utc_now
from tests.edge.test_refusals import problem
from tests.world import World

DOWN = {"rating": "down", "reason": "wrong", "comment": "The year is not right."}


def id_of(world: World, name: str) -> PrincipalId:
    """Return a person's id."""
    return PrincipalId(world.settings.tenant_id, named(name).oid)


async def answered(http: httpx2.AsyncClient) -> tuple[str, list[dict[str, Any]]]:
    """Have a question answered; return the conversation's id, and both messages."""
    conversation = (await http.post("/api/conversations", json={"title": "x"})).json()
    messages = f"/api/conversations/{conversation['id']}/messages"
    asked = {"text": "a secret question", "deployment": "scripted"}
    assert (await http.post(messages, json=asked)).status_code == 200
    return conversation["id"], (await http.get(messages)).json()["items"]


def path(conversation: str, message: str) -> str:
    """Return the address of feedback."""
    return f"/api/conversations/{conversation}/messages/{message}/feedback"


async def test_only_ones_own_answers_are_rated(world: World) -> None:
    """Another's answer is missing, a question is none, and nothing is kept of either."""
    async with world.client(**world.bearer("Uma"), **world.own) as uma:
        conversation, (question, answer) = await answered(uma)
        other, _ = await answered(uma)
        problem(await uma.put(path(conversation, question["id"]), json=DOWN), 400)
        for message in ("none", f"{answer['id']}.x", "a.b"):
            problem(await uma.put(path(conversation, message), json=DOWN), 404)
        problem(await uma.put(path(other, answer["id"]), json=DOWN), 404)
        async with world.client(**world.bearer("Ada"), **world.own) as ada:
            problem(await ada.put(path(conversation, answer["id"]), json=DOWN), 404)
            problem(await ada.delete(path(conversation, answer["id"])), 404)
            problem(await ada.get(f"/api/conversations/{conversation}/feedback"), 404)
            assert (await ada.get("/api/admin/feedback")).json()["items"] == []
        assert (await uma.put(path(conversation, answer["id"]), json=DOWN)).status_code == 200
        problem(await uma.delete(path(other, answer["id"])), 404)


BAD: list[dict[str, Any]] = [
    {},
    {"rating": "sideways"},
    {"rating": 1},
    {"rating": "down", "reason": "because"},
    {"rating": "down", "reason": "correct"},
    {"rating": "up", "reason": "wrong"},
    {"rating": "down", "reason": ""},
    {"rating": "down", "comment": ""},
    {"rating": "down", "comment": "x" * 1_001},
    {"rating": "down", "comment": "a\x00b"},
    {"rating": "down", "by": "x"},
]


async def test_what_is_not_right_is_not_kept(world: World) -> None:
    """Ratings and reasons are out of the table; comments are bounded."""
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        conversation, (_, answer) = await answered(http)
        for body in BAD:
            problem(await http.put(path(conversation, answer["id"]), json=body), 400)
        kept = await http.get(f"/api/conversations/{conversation}/feedback")
        assert kept.json() == {"items": [], "continuation": None}


async def test_feedback(world: World) -> None:
    """One says one thing of an answer: what is said last stands, until it is taken back."""
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        conversation, (_, answer) = await answered(http)
        address = path(conversation, answer["id"])
        kept = f"/api/conversations/{conversation}/feedback"
        first = (await http.put(address, json=DOWN)).json()
        assert {**first, "given": ""} == {**DOWN, "given": ""}
        many = await asyncio.gather(
            *(http.put(address, json={"rating": "up"}) for _ in range(4)),
        )
        assert {one.status_code for one in many} <= {200, 503}
        last = (await http.put(address, json={"rating": "up", "reason": "clear"})).json()
        assert (await http.get(kept)).json()["items"] == [{"message": answer["id"], **last}]
        assert (last["reason"], last["comment"]) == ("clear", None)
        assert (await http.delete(address)).status_code == 204
        problem(await http.delete(address), 404)
        assert (await http.get(kept)).json()["items"] == []


async def test_reasons(world: World) -> None:
    """Whoever gives feedback is told the reasons, and before they write who will read it."""
    async with world.client(**world.bearer("Uma")) as http:
        told = (await http.get("/api/feedback/reasons")).json()

    assert told["comment_is_for"] == FOR_ADMINISTRATORS
    assert told["comment_characters"] == 1_000
    assert {one["rating"] for one in told["items"]} == {"up", "down"}
    assert all(one["means"].endswith(".") for one in told["items"])


async def test_administrators(world: World) -> None:
    """An administrator sees who said what of which deployment, and no word of a conversation."""
    today = utc_now().date().isoformat()
    async with world.client(**world.bearer("Uma"), **world.own) as uma:
        conversation, (_, answer) = await answered(uma)
        await uma.put(path(conversation, answer["id"]), json=DOWN)
        problem(await uma.get("/api/admin/feedback"), 403)
    async with world.client(**world.bearer("Ada"), **world.own) as ada:
        for day in ("x", "2030-13-01", "20300102", "2030-01-02T00", ""):
            problem(await ada.get("/api/admin/feedback", params={"day": day}), 400)
        problem(await ada.get("/api/admin/feedback?limit=101"), 400)
        problem(await ada.get("/api/admin/feedback?continuation=x"), 400)
        shown = await ada.get("/api/admin/feedback", params={"day": today})
        (one,) = shown.json()["items"]
        empty = (await ada.get("/api/admin/feedback?day=2020-01-02")).json()

    assert one.pop("given").startswith(today)
    assert one == {"principal": id_of(world, "Uma").key, "deployment": "scripted", **DOWN}
    for word in ("secret", answer["text"], conversation, answer["id"]):
        assert word not in shown.text
    assert (empty["items"], empty["continuation"]) == ([], None)
    looked = [event for event in await world.events() if event.action == "feedback.shown"]
    assert [(event.principal, event.subject, event.facts) for event in looked] == [
        (id_of(world, "Ada"), id_of(world, "Uma").key, {"day": today})
    ]


async def test_it_goes_with_its_conversation(world: World) -> None:
    """A held conversation keeps what was said of it; a deleted one takes it along."""
    uma = id_of(world, "Uma")
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        conversation, (_, answer) = await answered(http)
        address = path(conversation, answer["id"])
        await http.put(address, json=DOWN)
        found = await world.assembly.conversations.get(uma, conversation)  # type: ignore[arg-type]
        await world.assembly.holds.place(Hold(uma, found.id, "A 1", utc_now(), uma))
        problem(await http.put(address, json={"rating": "up"}), 409)
        problem(await http.delete(address), 409)
        await world.assembly.holds.lift(uma, found.id)
        await world.assembly.conversations.delete(uma, found.id, etag=found.etag)
    async with world.client(**world.bearer("Ada")) as ada:
        assert (await ada.get("/api/admin/feedback")).json()["items"] == []
