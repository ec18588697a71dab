"""Answers apart from connections: resumed, stopped, asked for again, continued."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import pytest

from secure_openai.conversations import answering
from secure_openai.conversations.answers import Answers
from secure_openai.conversations.composing import Composer
from secure_openai.conversations.running import MOST_LISTENERS, MOST_OF_A_PRINCIPAL
from secure_openai.errors import NotFound
from secure_openai.testing.person import named
from secure_openai.types import ConversationId, MessageId, PrincipalId
from tests.edge.test_chat import ask, conversation, kept
from tests.world import World, running_world

Told = tuple[int, str, dict[str, Any]]


async def events_of(response: httpx2.Response) -> AsyncIterator[Told]:
    """Yield a stream's events as they come: number, name, data."""
    name = ""
    data: dict[str, Any] = {}
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            data = json.loads(line[6:])
        elif line.startswith("id: "):
            yield int(line[4:]), name, data


@asynccontextmanager
async def asking(
    http: httpx2.AsyncClient, talk: str, text: str, **more: object
) -> AsyncIterator[AsyncIterator[Told]]:
    """Ask, and read the answer as it comes."""
    body = {"text": text, "deployment": "scripted", **more}
    async with http.stream("POST", f"/api/conversations/{talk}/messages", json=body) as response:
        assert response.status_code == 200, await response.aread()
        yield events_of(response)


async def left_after(
    http: httpx2.AsyncClient, talk: str, text: str, deltas: int
) -> tuple[str, list[Told]]:
    """Ask, go away after so many deltas, and return the answer's id and what had come."""
    came: list[Told] = []
    async with asking(http, talk, text) as events:
        async for told in events:
            came.append(told)
            if len(came) == deltas + 1:
                break
    return str(came[0][2]["answer"]["id"]), came


async def listened(
    http: httpx2.AsyncClient, talk: str, answer: str, after: int | None = None
) -> list[Told]:
    """Listen to an answer to its end."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    path = f"/api/conversations/{talk}/messages/{answer}/events"
    async with http.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        return [told async for told in events_of(response)]


async def status_of(http: httpx2.AsyncClient, talk: str, status: str) -> dict[str, Any]:
    """Return the newest answer as soon as it has a status."""
    async with asyncio.timeout(60):
        while (answer := (await kept(http, talk))[-1])["status"] != status:
            await asyncio.sleep(0.02)
    return answer


async def test_who_comes_back_within_the_grace_loses_nothing(world: World) -> None:
    """The rest of an answer follows the last event that came, and the whole is kept."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        answer, came = await left_after(http, talk, "slow 60", 3)
        rest = await listened(http, talk, answer, after=came[-1][0])
        again = await listened(http, talk, answer)
        stored = (await kept(http, talk))[-1]

    text = "".join(data["text"] for _, name, data in (*came, *rest) if name == "delta")
    numbers = [number for number, _, _ in (*came, *rest)]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1
    assert len(text.split()) == 60
    assert (text, stored["status"]) == (stored["text"], "complete")
    assert (rest[-1][1], rest[-1][2]["answer"]) == ("end", stored)
    # Who missed everything hears it from the beginning.
    assert [name for _, name, _ in again] == ["begin", "delta", "end"]
    assert again[1][2]["text"] == text
    assert [event.reason for event in await world.settled()] == ["completed"]


async def test_two_tabs_listen_at_once(world: World) -> None:
    """Each of several listeners hears all of it, and one that leaves takes nothing from others."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        async with asking(http, talk, "slow 40") as events:
            _, _, begun = await anext(events)
            answer = begun["answer"]["id"]
            others = [asyncio.ensure_future(listened(http, talk, answer)) for _ in range(2)]
            gone = asyncio.ensure_future(listened(http, talk, answer))
            await anext(events)
            gone.cancel()
            mine = [told async for told in events]
        heard = await asyncio.gather(*others)

    for told in heard:
        assert len("".join(data.get("text", "") for _, _, data in told).split()) == 40
    assert mine[-1] == heard[0][-1] == heard[1][-1]
    assert mine[-1][2]["answer"]["status"] == "complete"


async def test_listeners_are_bounded(world: World) -> None:
    """So many connections listen to one answer and no more; the others hear its end."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        async with asking(http, talk, "stall 4") as events, AsyncExitStack() as many:
            _, _, begun = await anext(events)
            answer = f"/api/conversations/{talk}/messages/{begun['answer']['id']}"
            statuses = [
                (await many.enter_async_context(http.stream("GET", f"{answer}/events"))).status_code
                for _ in range(MOST_LISTENERS)
            ]
            await http.post(f"{answer}/stop")
            last = [told async for told in events][-1]

    assert statuses == [200] * (MOST_LISTENERS - 1) + [409]
    assert last[2]["answer"]["status"] == "interrupted"


async def test_an_answer_that_goes_on_for_ever_is_cut(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer ends where it is longer than is kept, also one that is continued."""
    monkeypatch.setattr(answering, "LARGEST_ANSWER", 100)
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        _, first = (await ask(http, talk, "long 50"))[-1]
        path = f"/api/conversations/{talk}/messages/{first['answer']['id']}/continue"
        await http.post(path, json={})
        stored = (await kept(http, talk))[-1]

    assert first["problem"]["detail"] == answering.TOO_LONG
    assert (first["answer"]["status"], stored["status"]) == ("interrupted", "interrupted")
    assert len(first["answer"]["text"]) <= len(stored["text"]) <= 100
    assert len(stored["text"]) > 80


async def test_who_does_not_come_back_stops_the_model(
    tmp_path: Path, identity_folder: Path
) -> None:
    """After the grace the model's work ends; what came is kept, marked interrupted."""
    async with (
        running_world(tmp_path, identity_folder, resume_grace_seconds=0.2) as world,
        world.client(**world.bearer("Uma")) as http,
    ):
        talk = await conversation(http)
        answer, _ = await left_after(http, talk, "slow 500", 1)
        stored = await status_of(http, talk, "interrupted")
        settled = await world.settled()
        page = await http.get(f"/conversations/{talk}")
        model: Any = world.assembly.model
        async with asyncio.timeout(60):
            while (
                await http.get(f"/api/conversations/{talk}/messages/{answer}/events")
            ).status_code != 404:
                await asyncio.sleep(0.02)

        assert model.under_way == 0
    assert 'data-grace="0.2"' in page.text
    assert 0 < len(stored["text"].split()) < 500
    assert [event.reason for event in settled] == ["interrupted"]
    assert settled[0].facts is not None
    assert 0 < settled[0].facts["completion_tokens"] < 500


async def test_stop_ends_an_answer_at_once(world: World) -> None:
    """What came is kept before the stop is answered; whoever listens is told; twice is no error."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        async with asking(http, talk, "stall 4") as events:
            _, _, begun = await anext(events)
            await anext(events)
            path = f"/api/conversations/{talk}/messages/{begun['answer']['id']}/stop"
            stopped = await http.post(path)
            stored = (await kept(http, talk))[-1]
            last = [told async for told in events][-1]
        again = await http.post(path)
        model: Any = world.assembly.model
        await world.settled()

        assert (stopped.status_code, again.status_code) == (204, 204)
        assert model.under_way == 0
    assert stored["status"] == "interrupted"
    assert stored["text"]
    assert last[1:] == ("end", {"answer": stored, "problem": None})


async def test_an_answer_of_another_process_is_stopped(world: World) -> None:
    """Stopped where it is not under way, an answer ends where it is, with what had been kept."""
    assembly = world.assembly
    elsewhere = Answers(
        conversations=assembly.conversations,
        pipeline=assembly.pipeline,
        composer=Composer(
            pipeline=assembly.pipeline,
            attachments=assembly.attachments,
            texts=assembly.texts,
        ),
        attachments=assembly.attachments,
        background=assembly.background,
        drain=assembly.drain,
        grace_seconds=15,
    )
    owner = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        async with asking(http, talk, "slow 400") as events:
            _, _, begun = await anext(events)
            async with asyncio.timeout(60):
                while not (await kept(http, talk))[-1]["text"]:
                    await asyncio.sleep(0.02)
            named_so = ConversationId(talk), MessageId(begun["answer"]["id"])
            with pytest.raises(NotFound):
                await elsewhere.under_way(owner, *named_so)
            await elsewhere.stop(owner, *named_so)
            marked = (await kept(http, talk))[-1]
            last = [told async for told in events][-1]
        stored = (await kept(http, talk))[-1]
        settled = await world.settled()

    assert marked == stored
    assert (stored["status"], bool(stored["text"])) == ("interrupted", True)
    assert last[1:] == ("end", {"answer": stored, "problem": None})
    assert [event.reason for event in settled] == ["interrupted"]


@pytest.mark.parametrize("how", ["stop", "events", "continue"])
async def test_another_principals_answer_is_missing(world: World, how: str) -> None:
    """A foreign answer, conversation or question reads as one that never was, and goes on."""
    async with (
        world.client(**world.bearer("Uma")) as http,
        world.client(**world.bearer("Ada")) as foreign,
    ):
        talk, theirs = await conversation(http), await conversation(foreign)
        async with asking(http, talk, "slow 40") as events:
            _, _, begun = await anext(events)
            missing = []
            for conversation_id, message in (
                (talk, begun["answer"]["id"]),
                (theirs, begun["answer"]["id"]),
                (theirs, "none"),
                ("none", "none"),
            ):
                path = f"/api/conversations/{conversation_id}/messages/{message}/{how}"
                method = "GET" if how == "events" else "POST"
                body: dict[str, str] | None = {} if how == "continue" else None
                missing.append(await foreign.request(method, path, json=body))
            own = await http.request(
                method,
                f"/api/conversations/{talk}/messages/{begun['question']['id']}/{how}",
                json=body,
            )
            rest = [told async for told in events]

    assert [one.status_code for one in (*missing, own)] == [404] * 5
    assert rest[-1][2]["answer"]["status"] == "complete"


async def test_an_event_that_never_was_is_refused(world: World) -> None:
    """A Last-Event-ID that is no number, or beyond what was told, is a bad request."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        _, (_, end) = "", (await ask(http, talk, "hello"))[-1]
        path = f"/api/conversations/{talk}/messages/{end['answer']['id']}/events"
        refused = [
            await http.get(path, headers={"Last-Event-ID": value})
            for value in ("x", "-1", "1.5", "99999", "9" * 5000)
        ]

    assert [one.status_code for one in refused] == [400] * 5


async def test_an_answer_is_asked_for_again(world: World) -> None:
    """Another answer stands beside the first, and the branch that is shown can be chosen."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        await ask(http, talk, "first")
        await ask(http, talk, "second")
        before = await kept(http, talk)
        path = f"/api/conversations/{talk}/messages/{before[0]['id']}/answers"
        async with http.stream("POST", path, json={"deployment": "scripted"}) as response:
            told = [one async for one in events_of(response)]
        after = await kept(http, talk)
        listed = f"/api/conversations/{talk}/messages"
        other = (await http.get(f"{listed}?leaf={before[1]['id']}")).json()["items"]
        wrong = [
            await http.post(
                f"/api/conversations/{talk}/messages/{one}/answers", json={"deployment": "scripted"}
            )
            for one in (before[1]["id"], "none")
        ]

    question, again = told[0][2]["question"], told[-1][2]["answer"]
    assert (question["id"], again["parent"]) == (before[0]["id"], before[0]["id"])
    assert again["text"] == "You said: first"
    assert [one["id"] for one in after] == [before[0]["id"], again["id"]]
    assert after[1]["siblings"] == [before[1]["id"], again["id"]]
    assert [one["id"] for one in other] == [one["id"] for one in before]
    assert other[1]["siblings"] == after[1]["siblings"]
    assert [one.status_code for one in wrong] == [404, 404]


async def test_a_question_is_edited_and_sent_again(world: World) -> None:
    """The model sees the branch that is asked on, not what was said beside it."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        await ask(http, talk, "first")
        await ask(http, talk, "second " * 200)
        _, told, second, _ = await kept(http, talk)
        async with asking(http, talk, "edited", parent=told["id"]) as events:
            edited = [one async for one in events][-1][2]["answer"]
        shown = await kept(http, talk)
        async with asking(http, talk, "first", parent=None) as events:
            anew = [one async for one in events][-1][2]["answer"]
        alone = await kept(http, talk)
        audited = await world.settled()

    assert [one["text"] for one in shown] == [
        "first",
        "You said: first",
        "edited",
        "You said: edited",
    ]
    assert shown[2]["siblings"] == [second["id"], shown[2]["id"]]
    assert [one["text"] for one in alone] == ["first", "You said: first"]
    assert len(alone[0]["siblings"]) == 2
    first, long, short, again = (event.facts["prompt_tokens"] for event in audited if event.facts)
    assert first == again < short < long
    assert edited["usage"]["prompt_tokens"] == short
    assert anew["usage"]["prompt_tokens"] == again


async def test_a_question_that_follows_nothing_of_its_own_is_refused(world: World) -> None:
    """A parent of another conversation, of nobody, or that is a question leaves nothing behind."""
    async with world.client(**world.bearer("Uma")) as http:
        talk, other = await conversation(http), await conversation(http)
        await ask(http, other, "hello")
        question, answer = await kept(http, other)
        statuses = []
        for where, parent in ((talk, answer["id"]), (talk, "none"), (other, question["id"])):
            asked = await http.post(
                f"/api/conversations/{where}/messages",
                json={"text": "x", "deployment": "scripted", "parent": parent},
            )
            statuses.append((asked.status_code, asked.json().get("pointer")))
        leaf = await http.get(f"/api/conversations/{talk}/messages?leaf={answer['id']}")

        assert statuses == [(404, None), (404, None), (400, "/parent")]
        assert leaf.status_code == 404
        assert await kept(http, talk) == []
        assert await kept(http, other) == [question, answer]
    assert [event.reason for event in await world.settled()] == ["completed"]


async def test_an_interrupted_answer_is_continued(world: World) -> None:
    """What is added follows what was there, in the same message; its use is charged and added."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        await ask(http, talk, "cut 4")
        question, broken = await kept(http, talk)
        path = f"/api/conversations/{talk}/messages/{broken['id']}/continue"
        async with http.stream("POST", path, json={}) as response:
            told = [one async for one in events_of(response)]
        whole = await http.post(path, json={})
        stored = await kept(http, talk)
        settled = await world.settled()

    added = "".join(data["text"] for _, name, data in told if name == "delta")
    assert (broken["status"], bool(broken["text"])) == ("interrupted", True)
    assert told[0][2]["answer"]["text"] == broken["text"]
    assert stored == [question, told[-1][2]["answer"]]
    assert (stored[1]["id"], stored[1]["status"]) == (broken["id"], "complete")
    assert stored[1]["text"] == broken["text"] + added
    assert "cut off" in added
    assert stored[1]["note"] is None
    assert [event.reason for event in settled] == ["model-failed", "completed"]
    assert settled[1].facts is not None
    used = settled[1].facts["completion_tokens"]
    assert stored[1]["usage"]["completion_tokens"] == used
    assert (whole.status_code, whole.json()["type"][-8:]) == (409, "conflict")


async def test_an_answer_that_never_began_is_asked_for_as_it_was(world: World) -> None:
    """With nothing to go on from, the question goes to the model again."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        await ask(http, talk, "throttle 1")
        _, empty = await kept(http, talk)
        path = f"/api/conversations/{talk}/messages/{empty['id']}/continue"
        again = await http.post(path, json={})

    assert (empty["status"], empty["text"]) == ("interrupted", "")
    assert "over its own quota" in again.text


async def test_of_two_who_continue_one_does(world: World) -> None:
    """Of two that continue the same answer at once the other is told so, and nothing is lost."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        await ask(http, talk, "cut 4")
        _, broken = await kept(http, talk)
        path = f"/api/conversations/{talk}/messages/{broken['id']}/continue"
        both = await asyncio.gather(*(http.post(path, json={}) for _ in range(2)))
        stored = (await kept(http, talk))[-1]
        await world.settled()

    assert sorted(one.status_code for one in both) == [200, 409]
    assert stored["status"] == "complete"
    assert stored["text"].count("You said:") == 1


async def test_of_two_answers_at_once_both_are_kept(world: World) -> None:
    """Two who ask for another answer at once get one each, side by side."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        await ask(http, talk, "hello")
        question, _ = await kept(http, talk)
        path = f"/api/conversations/{talk}/messages/{question['id']}/answers"
        both = await asyncio.gather(
            *(http.post(path, json={"deployment": "scripted"}) for _ in range(2))
        )
        shown = await kept(http, talk)

    assert [one.status_code for one in both] == [200, 200]
    assert len(shown[-1]["siblings"]) == 3


async def test_of_two_who_ask_at_once_both_are_shown(world: World) -> None:
    """Two who ask at once and name no parent stand in line: the branch that is shown holds both."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        await asyncio.gather(*(ask(http, talk, f"late {number}") for number in (3, 4, 5)))
        shown = await kept(http, talk)

    assert len(shown) == 6
    assert {one["text"] for one in shown[::2]} == {"late 3", "late 4", "late 5"}
    assert [one["parent"] for one in shown] == [None, *(one["id"] for one in shown[:-1])]


async def test_a_refused_answer_leaves_nothing(world: World) -> None:
    """Whatever is asked for of a deployment that is not there, nothing is stored or changed."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        await ask(http, talk, "cut 4")
        before = await kept(http, talk)
        refused = [
            await http.post(f"/api/conversations/{talk}/messages{path}", json=body)
            for path, body in (
                ("", {"text": "x", "deployment": "none"}),
                (f"/{before[0]['id']}/answers", {"deployment": "none"}),
                (f"/{before[0]['id']}/answers", {}),
                (f"/{before[1]['id']}/continue", {"deployment": "scripted"}),
                ("", {"text": "x", "deployment": "scripted", "parent": 7}),
            )
        ]

        assert [one.status_code for one in refused] == [404, 404, 400, 400, 400]
        assert await kept(http, talk) == before


async def test_answers_of_one_principal_are_bounded(tmp_path: Path, identity_folder: Path) -> None:
    """Whatever policy allows, so many answers are under way for one principal and no more."""
    policy = tmp_path / "policy.toml"
    text = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
    policy.write_text(text.replace("concurrent_streams = 4", "concurrent_streams = 100"))
    async with (
        running_world(tmp_path, identity_folder, policy=policy, resume_grace_seconds=60) as world,
        world.client(**world.bearer("Uma")) as http,
    ):
        talk = await conversation(http)
        for _ in range(MOST_OF_A_PRINCIPAL):
            await left_after(http, talk, "stall 1", 1)
        body = {"text": "hello", "deployment": "scripted"}
        refused = await http.post(f"/api/conversations/{talk}/messages", json=body)
        _, answer = (await kept(http, talk))[-2:]
        await http.post(f"/api/conversations/{talk}/messages/{answer['id']}/stop")
        served = await http.post(f"/api/conversations/{talk}/messages", json=body)

    assert (refused.status_code, served.status_code) == (409, 200)
