"""What one principal may have answered at once of what is dear, and what is left for the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest

from secure_openai.edge import shares
from secure_openai.edge.markdown import rendering
from secure_openai.edge.shares import AT_ONCE, CHANGES, MOST, Shares
from secure_openai.errors import TooManyRequests
from secure_openai.testing.person import named
from secure_openai.types import Author, Message, MessageId, PrincipalId, utc_now
from tests.edge.desk.test_figures import ask
from tests.edge.test_refusals import problem
from tests.world import World


class Gate:
    """Holds whoever comes until it is opened, and counts them."""

    def __init__(self, opened: Any) -> None:
        self.opened = asyncio.Event()
        self.inside = self.most = 0
        self._behind = opened

    async def __call__(self, *args: Any, **named: Any) -> Any:
        """Wait, then do what is behind it."""
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.opened.wait()
            return await self._behind(*args, **named)
        finally:
            self.inside -= 1


async def test_nobody_stands_before_everybody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of one person's searches and exports are answered at a time, and somebody else's at once.

    Thirty more wait for their turn; who comes then is told when to ask again.
    """
    store = world.assembly.conversations
    async with (
        world.client(**world.bearer("Uma")) as uma,
        world.client(**world.bearer("Ada")) as ada,
    ):
        made = (await uma.post("/api/conversations", json={"title": "found"})).json()
        gate = Gate(store.get)
        search = Gate(store.search)
        monkeypatch.setattr(store, "get", gate)
        monkeypatch.setattr(store, "search", search)
        dear = [
            "/api/conversations?search=found",
            f"/api/conversations/{made['id']}/export?format=json",
            f"/api/conversations/{made['id']}/export?format=markdown",
        ]
        asked = [asyncio.ensure_future(uma.get(dear[at % 3])) for at in range(MOST + 8)]
        for answer in await first_of(asked, 8):
            problem(answer, 429)
            assert answer.headers["retry-after"] == "1"
        assert gate.inside + search.inside == AT_ONCE
        search.opened.set()
        assert (await ada.get("/api/conversations?search=x")).status_code == 200
        gate.opened.set()
        answers = [one.result() for one in (await asyncio.wait(asked))[0]]
        assert sorted(one.status_code for one in answers) == [200] * MOST + [429] * 8
        assert (await uma.get(dear[0])).json()["items"][0]["title"] == "found"
    assert gate.most <= AT_ONCE
    assert world.app.state.shares._of == {}


async def first_of(
    asked: Sequence[asyncio.Future[httpx2.Response]], count: int
) -> list[httpx2.Response]:
    """Return the first answers, once there are so many."""
    async with asyncio.timeout(60):
        while len(done := [one for one in asked if one.done()]) < count:
            await asyncio.sleep(0.01)
    return [one.result() for one in done]


def test_changes_are_counted_by_the_minute() -> None:
    """So many of each principal's pass, and again in the next minute; nothing is kept longer."""
    now = 119.0
    counted = Shares(clock=lambda: now)
    mine, others = PrincipalId("t", "a"), PrincipalId("t", "b")
    for _ in range(CHANGES):
        counted.change(mine)
    with pytest.raises(TooManyRequests) as refused:
        counted.change(mine)
    assert refused.value.retry_after == 1.0
    counted.change(others)
    now = 120.0
    counted.change(others)

    assert counted._changes == {others: 1}


async def test_nobody_fills_the_store_with_beginnings(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes are counted, whatever they change; reading and asking the gateway are not."""
    monkeypatch.setattr(shares, "CHANGES", 3)
    async with (
        world.browser("Uma") as uma,
        world.client(**world.bearer("Ada"), **world.own) as ada,
    ):
        made = await uma.post("/api/conversations", json={"title": "a"})
        path = f"/api/conversations/{made.json()['id']}"
        etag = {"If-Match": made.headers["etag"]}
        assert (await uma.patch(path, json={"pinned": True}, headers=etag)).status_code == 200
        assert (await uma.post("/api/me/prompts", json={"name": "a", "text": "b"})).is_success
        for method, where in (("POST", "/api/conversations"), ("DELETE", path)):
            refused = await uma.request(method, where, headers=etag)
            problem(refused, 429)
            assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await uma.get(path)).json()["pinned"] is True
        assert await ask(uma) == 200
        assert (await ada.post("/api/conversations", json={})).status_code == 201
        assert (await uma.post("/sign-out")).status_code == 303


async def test_a_page_that_is_dear_to_draw_is_drawn_plain(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that a model was made to write share the time of one page, the last of them first."""
    owner = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    store = world.assembly.conversations
    talk = await store.create(owner, title="t")
    for number in range(3):
        said = Message(
            MessageId(f"a{number}"), talk.id, Author.ASSISTANT, f"**{number}**", utc_now()
        )
        await store.append(owner, said)
    drawn: list[str] = []
    plain = rendering.rendered

    def seen(text: str) -> str:
        drawn.append(text)
        monkeypatch.setattr(rendering, "PAGE_SECONDS", -1)
        return plain(text)

    monkeypatch.setattr(rendering, "rendered", seen)
    async with world.client(**world.bearer("Uma")) as http:
        path = f"/api/conversations/{talk.id}/messages"
        first = (await http.get(path)).json()["items"]
        later = (await http.get(path)).json()["items"]
    assert drawn == ["**2**", "**1**", "**0**"]
    assert [one["html"] for one in first] == [f"<p><strong>{at}</strong></p>\n" for at in range(3)]
    assert {one["html"][:20] for one in later} == {'<pre class="plain" t'}
