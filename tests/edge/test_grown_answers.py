"""Answers are told as HTML that grows, over one connection or several."""

from __future__ import annotations

from typing import Any

from tests.edge.test_answers import Told, asking, events_of, left_after, listened, status_of
from tests.edge.test_chat import conversation
from tests.world import World

TEXT = (
    "# Steps\n\nFirst **read** it, and then read what follows it once more.\n\n"
    "```python\nvalue = 1\n\nother = 2\n```\n\n"
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n"
    "> quoted\n\nAnd <script>alert(1)</script> at the end of it \u202eall.\n\n"
    "- one item\n- another item\n- and the **last** one, with some more words behind it"
)


class Shown:
    """What a page shows of the events that it hears."""

    def __init__(self) -> None:
        self.html = self.draft = self.tail = ""

    def hear(self, name: str, data: dict[str, Any]) -> None:
        """Change what is shown as `static/growing.mjs` does."""
        if name not in {"begin", "delta"}:
            return
        if name == "begin":
            self.html = self.draft = self.tail = ""
        if "tail" in data:
            self.html += data["html"]
            self.draft, self.tail = data["draft"], data["tail"]
        else:
            text = data["answer"]["text"] if name == "begin" else data["text"]
            self.tail += data.get("seen", text)


def shown(*told: Told) -> Shown:
    """Return what is shown after some events."""
    page = Shown()
    for _, name, data in told:
        page.hear(name, data)
    return page


async def test_an_answer_is_rendered_as_it_comes(world: World) -> None:
    """What has ended is HTML for good, and the end brings the whole of it."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        async with asking(http, talk, f"spell {TEXT}") as events:
            told = [one async for one in events if one[1] != "title"]
    page = shown(*told)
    end = told[-1][2]["answer"]

    assert end["text"] == TEXT
    assert end["html"].startswith(page.html)
    for part in ("<h3>Steps</h3>", "<strong>read</strong>", "<table>", "&lt;script&gt;"):
        assert part in page.html
    assert "[U+202E]" in page.html
    assert "<strong>last</strong>" in page.draft
    # Long before the end, and more than once.
    half = shown(*told[: len(told) // 2])
    assert "<strong>read</strong>" in half.html
    assert sum(bool(data.get("html")) for _, _, data in told) > 3
    assert len(told) > 20


async def test_who_comes_back_is_shown_the_same(world: World) -> None:
    """In the middle of a block and behind it, what was shown goes on over another connection."""
    async with world.client(**world.bearer("Uma")) as http:
        for deltas in (2, 9, 14):
            talk = await conversation(http)
            answer, came = await left_after(http, talk, f"spell {TEXT}", deltas)
            rest = await listened(http, talk, answer, after=came[-1][0])
            again = await listened(http, talk, answer)
            told = [one for one in (*came, *rest) if one[1] != "title"]

            assert shown(*told).html == shown(*again).html
            assert told[-1][2]["answer"]["html"].startswith(shown(*told).html)


async def test_an_answer_that_goes_on_begins_with_what_it_had(world: World) -> None:
    """It is rendered at once, and what is added follows it."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        answer, _ = await left_after(http, talk, f"spell {TEXT}", 20)
        path = f"/api/conversations/{talk}/messages/{answer}"
        await http.post(f"{path}/stop")
        stopped = await status_of(http, talk, "interrupted")
        async with http.stream("POST", f"{path}/continue", json={}) as response:
            told = [one async for one in events_of(response)]

    assert "<strong>read</strong>" in stopped["html"]
    assert "<strong>read</strong>" in shown(told[0]).html
    assert told[-1][2]["answer"]["html"].startswith(shown(*told).html)
