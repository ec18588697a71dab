"""Every service fails, and a person sees a sentence; what was typed is never lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from secure_openai.testing.person import choose
from tests.cosmosdb.bridge import Call, Fault
from tests.cosmosdb.faults import always, every_second, throttled
from tests.hosted.application import Talk, application, lines_of
from tests.hosted.estate import Estate

pytestmark = pytest.mark.process

AWAY_SECONDS = 10.0

Plan = Callable[[Call], Fault | None]


def ending(answer: httpx2.Response) -> dict[str, Any]:
    """Return what the last event of a stream says."""
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = json.loads(answer.text.split("event: end\ndata: ")[1].split("\n")[0])
    return said


def deltas(answer: httpx2.Response) -> list[str]:
    """Return the pieces that a stream brought."""
    parts = answer.text.split("event: delta\ndata: ")[1:]
    return [json.loads(part.split("\n")[0])["text"] for part in parts]


def problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """Return the problem that an answer is (RFC 9457): a sentence, a number, and nothing of us."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert said["title"]
    assert said["request_id"]
    for inside in ("Traceback", "azure.", "cosmos", "documents.azure.com", "127.0.0.1"):
        assert inside not in answer.text
    return said


async def test_the_store_throttles(estate: Estate, tmp_path: Path) -> None:
    """While every second call is throttled a person notices nothing."""
    async with application(estate, tmp_path) as app, app.browser("Uma") as http:
        talk = await Talk.begin(http)
        estate.cosmos.fault = every_second(throttled(5))
        answers = [ending(await talk.ask(f"question {number}")) for number in range(3)]
        estate.cosmos.fault = lambda _: None
        kept = await talk.kept()

    assert [one["answer"]["status"] for one in answers] == ["complete"] * 3
    assert [text for author, text, _ in kept if author == "user"] == [
        f"question {number}" for number in range(3)
    ]


def full(call: Call) -> Fault | None:
    """Have no room for messages: a logical partition holds 20 GB."""
    if call.kind == "batch" and call.container == "conversations":
        return Fault(status=403, headers={"x-ms-substatus": "1014"})
    return None


REFUSALS: dict[str, tuple[Plan, int, str]] = {
    "throttled": (always(throttled(60_000)), 503, "The store is not available"),
    "silent": (always(Fault(seconds=20.0)), 503, "The store is not available"),
    "full": (full, 507, "There is no room left to keep this"),
}


async def test_the_store_refuses(estate: Estate, tmp_path: Path) -> None:
    """Throttled for good, silent or full: a sentence with a number, and nothing half-stored."""
    async with application(estate, tmp_path) as app, app.browser("Uma") as http:
        talk = await Talk.begin(http)
        ending(await talk.ask("before"))
        for name, (fault, status, title) in REFUSALS.items():
            asked = len(estate.models[0].requests)
            estate.cosmos.fault = fault
            refused = await talk.ask(name)
            estate.cosmos.fault = lambda _: None

            assert problem(refused, status)["title"] == title
            # The model was asked for nothing that could not be kept, and nobody was signed out.
            assert len(estate.models[0].requests) == asked
            assert (await http.get("/api/me")).status_code == 200
            assert ending(await answered(talk, f"after {name}"))["answer"]["status"] == "complete"
        kept = await talk.kept()

    assert [text for author, text, _ in kept if author == "user"] == [
        "before",
        *(f"after {name}" for name in REFUSALS),
    ]


async def answered(talk: Talk, text: str) -> httpx2.Response:
    """Ask until there is an answer, as a person does who is told to try again."""
    # What waits to be written is tried again after half a minute at most.
    async with asyncio.timeout(120):
        while (answer := await talk.ask(text)).status_code == 503:
            problem(answer, 503)
            await asyncio.sleep(0.2)
    return answer


async def test_the_store_vanishes_and_returns(estate: Estate, tmp_path: Path) -> None:
    """Ten seconds away: what was asked before is kept, what was refused was told, nobody loses."""
    async with application(estate, tmp_path) as app, app.browser("Uma") as http:
        talk = await Talk.begin(http)
        under_way = asyncio.ensure_future(talk.ask("slow 150"))
        async with asyncio.timeout(60):
            while not estate.models[0].requests:
                await asyncio.sleep(0.02)
        async with estate.cosmos.vanished():
            began = asyncio.get_running_loop().time()
            refused = await asyncio.gather(
                talk.ask("while away"),
                http.get("/api/conversations"),
                http.get("/conversations/none", headers={"Accept": "text/html"}),
            )
            broken_off = ending(await under_way)
            left = AWAY_SECONDS - (asyncio.get_running_loop().time() - began)
            await asyncio.sleep(max(0.0, left))
        ending(await answered(talk, "after"))
        async with asyncio.timeout(60):
            while any(status == "streaming" for _, _, status in await talk.kept()):
                await asyncio.sleep(0.5)
        kept = await talk.kept()

    problem(refused[0], 503)
    problem(refused[1], 503)
    assert refused[2].status_code == 503
    assert "The store is not available" in refused[2].text
    # The reader has what came until it could no longer be kept, and is told why it stops.
    assert broken_off["answer"]["status"] == "interrupted"
    assert broken_off["problem"]["title"] == "The store is not available"
    assert broken_off["answer"]["text"].startswith(kept[1][1])
    assert [text for author, text, _ in kept if author == "user"] == ["slow 150", "after"]
    assert [status for _, _, status in kept] == [
        "complete",
        "interrupted",
        "complete",
        "complete",
    ]
    assert [line for line in lines_of(app.log) if "Traceback" in line["message"]] == []


async def test_the_identity_provider_is_away_at_the_start(estate: Estate, tmp_path: Path) -> None:
    """The application starts without it, says so to whoever signs in, and signs in once it is back.

    A token is not taken on trust meanwhile, and whoever is signed in already notices nothing.
    """
    estate.door.close()
    async with application(estate, tmp_path) as app, AsyncExitStack() as stack:
        http = await stack.enter_async_context(app.client())
        page = await http.get("/sign-in", headers={"Accept": "text/html"})
        bearer = {"Authorization": f"Bearer {estate.token('Uma')}"}
        by_token = await http.get("/api/me", headers=bearer)
        estate.door.open()
        async with asyncio.timeout(60):
            while (again := await http.get("/sign-in")).status_code >= 500:
                await asyncio.sleep(0.2)
            signing_in = await http.get(
                again.headers["location"], headers={"Host": f"localhost:{estate.door.port}"}
            )
            del http.headers["Host"]
            back = await choose(http, signing_in, "Uma")
            while (me := await http.get("/api/me", headers=bearer)).status_code >= 500:
                await asyncio.sleep(0.2)
        estate.door.close()
        meanwhile = await http.get("/api/conversations")

    assert page.status_code == 503
    assert "The sign-in service cannot be reached" in page.text
    problem(by_token, 503)
    assert (back.status_code, me.json()["name"]) == (200, "Uma User")
    assert meanwhile.status_code == 200


FAILURES = {
    "stall 2": ("The model did not answer in time", 2),
    "stall": ("The model did not answer in time", 0),
    "cut 3": ("The model failed", 3),
    "broken 3": ("The model failed", 3),
    "garbage": ("The model failed", 0),
    "throttle 7": ("The model is busy", 0),
}


async def test_the_models_fail(estate: Estate, tmp_path: Path) -> None:
    """Stalled, cut, garbled or throttled: a sentence, what came is kept, and so is the question."""
    # A deployment for each: no account is out for what it did to another.
    accounts = json.loads(estate.settings()["SECURE_OPENAI_MODEL_ACCOUNTS"])
    for account in accounts.values():
        account["deployments"] = {f"chat-{number}": "gpt-5.4-mini" for number in range(6)}
    async with (
        application(
            estate,
            tmp_path,
            SECURE_OPENAI_MODEL_ACCOUNTS=json.dumps(accounts),
            SECURE_OPENAI_MODEL_FIRST_BYTE_SECONDS="1",
            SECURE_OPENAI_MODEL_IDLE_SECONDS="1",
        ) as app,
        app.browser("Uma") as http,
    ):
        for number, (fault, (title, words)) in enumerate(FAILURES.items()):
            talk = await Talk.begin(http)
            for served in estate.models:
                served.instead = lambda _, fault=fault: fault  # type: ignore[misc]
            stream = await talk.ask(f"typed before {fault}", f"chat-{number}")
            broken = ending(stream)
            question, answer = await talk.kept()

            assert broken["problem"]["title"] == title
            assert question == ("user", f"typed before {fault}", "complete")
            assert answer[2] == "interrupted"
            # A connection that breaks may take with it what had not been read.
            assert len(answer[1].split()) <= words
            assert answer[1] == broken["answer"]["text"] == "".join(deltas(stream))


async def test_every_second_call_of_a_model_is_throttled(estate: Estate, tmp_path: Path) -> None:
    """The other account answers: a person notices nothing, and is charged once."""
    estate.models[0].instead = lambda number: "hurried 1" if number % 2 else None
    async with application(estate, tmp_path) as app, app.browser("Uma") as http:
        talk = await Talk.begin(http)
        answers = []
        for number in range(6):
            answers.append(ending(await talk.ask(f"question {number}")))
            await asyncio.sleep(0.01)

    assert [one["answer"]["status"] for one in answers] == ["complete"] * 6
    assert [one["answer"]["text"] for one in answers] == [
        f"You said: question {number}" for number in range(6)
    ]
    assert all(account.requests for account in estate.models)
