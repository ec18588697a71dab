"""Conversations that title themselves, and those that somebody has titled."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import pytest

from secure_openai.conversations.titles import TITLE_TOKENS, Titles
from tests.edge.test_answers import Told, asking, events_of
from tests.edge.test_chat import ask
from tests.world import World, running_world


async def begun(http: httpx2.AsyncClient) -> dict[str, Any]:
    """Begin a conversation without a title."""
    made: dict[str, Any] = (await http.post("/api/conversations", json={})).json()
    return made


async def conversation(http: httpx2.AsyncClient, talk: str) -> dict[str, Any]:
    """Return a conversation as it is kept."""
    found: dict[str, Any] = (await http.get(f"/api/conversations/{talk}")).json()
    return found


async def test_a_conversation_titles_itself(world: World) -> None:
    """After the first answer it has a title of the model's; the request is audited and charged."""
    async with world.client(**world.bearer("Uma")) as http:
        made = await begun(http)
        events = await ask(http, made["id"], "hello there")
        titled = await conversation(http, made["id"])
        again = await ask(http, made["id"], "something else")
        settled = await world.settled()
        stands = await conversation(http, made["id"])

    assert made["title"] == "New conversation"
    assert [name for name, _ in events][-2:] == ["end", "title"]
    assert events[-1][1] == {"title": "You said: hello there", "etag": titled["etag"]}
    assert titled["title"] == stands["title"] == "You said: hello there"
    assert again[-1][0] == "end"
    assert len(settled) == 3
    assert len({event.request_id for event in settled}) == 3
    asked = settled[1]
    assert asked.facts is not None
    assert (asked.principal, asked.deployment) == (settled[0].principal, "scripted")
    assert 0 < asked.facts["completion_tokens"] <= TITLE_TOKENS


async def test_the_first_words_stand_where_no_title_comes(world: World) -> None:
    """A model that fails, is blocked, or writes too much leaves the question's first words."""
    long = "please write about many things that go on and on and on for ever"
    expected = {
        "throttle 1": "throttle 1",
        "cut 3": "cut 3",
        "filter \u202eme": "filter me",
        long: "please write about many things that go on and on and on for…",
    }
    async with world.client(**world.bearer("Uma")) as http:
        for question, title in expected.items():
            made = await begun(http)
            events = await ask(http, made["id"], question)
            assert events[-1][1]["title"] == title
            assert (await conversation(http, made["id"]))["title"] == title


async def test_a_persons_own_title_stands(world: World) -> None:
    """A title given at the beginning, or while the answer came, is never written over."""
    async with world.client(**world.bearer("Uma")) as http:
        mine = (await http.post("/api/conversations", json={"title": "mine"})).json()
        first = await ask(http, mine["id"], "hello")
        made = await begun(http)
        async with asking(http, made["id"], "slow 20") as events:
            await anext(events)
            renamed = await http.patch(
                f"/api/conversations/{made['id']}",
                json={"title": "given meanwhile"},
                headers={"If-Match": f'"{made["etag"]}"'},
            )
            rest = [told async for told in events]
        settled = await world.settled()

        assert renamed.status_code == 200
        assert [first[-1][0], rest[-1][1]] == ["end", "end"]
        assert await conversation(http, mine["id"]) == mine | {
            "updated": (await conversation(http, mine["id"]))["updated"]
        }
        assert (await conversation(http, made["id"]))["title"] == "given meanwhile"
    assert len(settled) == 2


class Held:
    """A title that is made, and not yet given, until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made, self.let_go = asyncio.Event(), asyncio.Event()
        title_of = Titles.title_of

        async def held(titles: Titles, *asked: Any) -> str:
            title = await title_of(titles, *asked)
            self.made.set()
            await self.let_go.wait()
            return title

        monkeypatch.setattr(Titles, "title_of", held)


async def changed_while_titled(
    http: httpx2.AsyncClient, held: Held, change: dict[str, Any]
) -> tuple[list[Told], dict[str, Any]]:
    """Change a conversation while its title is made; return what was told then, and what it is."""
    made = await begun(http)
    address = f"/api/conversations/{made['id']}"
    async with asking(http, made["id"], "hello there") as events:
        async for told in events:
            if told[1] == "end":
                break
        await held.made.wait()
        etag = (await conversation(http, made["id"]))["etag"]
        changed = await http.patch(address, json=change, headers={"If-Match": f'"{etag}"'})
        assert changed.status_code == 200
        held.let_go.set()
        rest = [told async for told in events]
    return rest, await conversation(http, made["id"])


async def test_a_title_is_not_lost_to_a_pin(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinned while its title is being made, a conversation has both, and the page is told."""
    held = Held(monkeypatch)
    async with world.client(**world.bearer("Uma")) as http:
        rest, kept = await changed_while_titled(http, held, {"pinned": True})

    assert (kept["title"], kept["pinned"]) == ("You said: hello there", True)
    assert [told[1:] for told in rest] == [
        ("title", {"title": kept["title"], "etag": kept["etag"]})
    ]


async def test_a_name_given_while_the_title_is_made(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its owner writes then is what it is called, and no title comes."""
    held = Held(monkeypatch)
    async with world.client(**world.bearer("Uma")) as http:
        rest, kept = await changed_while_titled(http, held, {"title": "mine"})

    assert (rest, kept["title"]) == ([], "mine")


async def test_policy_that_refuses_a_title_is_heard(tmp_path: Path, identity_folder: Path) -> None:
    """Where policy refuses the request for a title, that is audited and the first words stand."""
    policy = tmp_path / "policy.toml"
    text = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
    policy.write_text(text.replace("_prompt_tokens = 24_000", "_prompt_tokens = 20"))
    async with (
        running_world(tmp_path, identity_folder, policy=policy) as world,
        world.client(**world.bearer("Uma")) as http,
    ):
        made = await begun(http)
        events = await ask(http, made["id"], "hello there")
        refused = [one for one in await world.events() if one.action == "completion.refused"]

    assert events[-1][1]["title"] == "hello there"
    assert [event.reason for event in refused] == ["prompt_too_large"]


async def test_who_stops_an_answer_asks_for_no_title(world: World) -> None:
    """An answer that was stopped is titled by its question, and the model is asked no more."""
    async with world.client(**world.bearer("Uma")) as http:
        made = await begun(http)
        body = {"text": "slow 500", "deployment": "scripted"}
        path = f"/api/conversations/{made['id']}/messages"
        async with http.stream("POST", path, json=body) as response:
            events = events_of(response)
            _, _, data = await anext(events)
            await http.post(f"{path}/{data['answer']['id']}/stop")
            *_, last = [told async for told in events]
        settled = await world.settled()

    assert last[1:] == ("title", {"title": "slow 500", "etag": last[2]["etag"]})
    assert [event.reason for event in settled] == ["interrupted"]
