"""The chat's API: what is asked is kept, and what breaks is marked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2

from secure_openai.testing.person import named
from secure_openai.types import MessageStatus, PrincipalId
from tests.world import World


async def conversation(http: httpx2.AsyncClient) -> str:
    """Begin a conversation."""
    return str((await http.post("/api/conversations", json={"title": "talk"})).json()["id"])


async def ask(http: httpx2.AsyncClient, conversation_id: str, text: str) -> list[tuple[str, Any]]:
    """Ask, and return every event."""
    response = await http.post(
        f"/api/conversations/{conversation_id}/messages",
        json={"text": text, "deployment": "scripted"},
    )
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return [
        (block.split("\n")[0][7:], json.loads(block.split("\n")[1][6:]))
        for block in response.text.split("\n\n")
        if block.startswith("event: ")
    ]


async def kept(http: httpx2.AsyncClient, conversation_id: str) -> list[dict[str, Any]]:
    """Return the messages as they are kept."""
    listed = await http.get(f"/api/conversations/{conversation_id}/messages")
    return list(listed.json()["items"])


async def test_an_answer_streams_and_is_kept(world: World) -> None:
    """Question and answer are stored, with usage and safe HTML; the audit has the whole way."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        events = await ask(http, talk, "**hello** there")
        messages = await kept(http, talk)
        await world.settled()
        totals = await world.assembly.usage.totals(
            PrincipalId(world.settings.tenant_id, named("Uma").oid),
            "scripted",
            now=world.assembly.pipeline._clock(),
        )

    assert events[0][0] == "begin"
    assert "".join(data["text"] for name, data in events if name == "delta") == (
        "You said: **hello** there"
    )
    name, end = events[-1]
    assert (name, end["problem"]) == ("end", None)
    assert end["answer"]["html"] == "<p>You said: <strong>hello</strong> there</p>\n"
    assert [message["author"] for message in messages] == ["user", "assistant"]
    assert messages[1] == end["answer"]
    assert messages[1]["status"] == "complete"
    used = messages[1]["usage"]
    assert totals.tokens_today == used["prompt_tokens"] + used["completion_tokens"]
    assert totals.concurrent == 0
    actions = [(event.action, event.reason) for event in await world.events()]
    assert actions == [("completion.admitted", "admitted"), ("completion.settled", "completed")]


async def test_the_model_sees_the_conversation(world: World) -> None:
    """The second question goes with the first and its answer."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        await ask(http, talk, "first")
        await ask(http, talk, "second")
        first, second = (await kept(http, talk))[1::2]

    assert second["usage"]["prompt_tokens"] > first["usage"]["prompt_tokens"]


async def test_an_answer_that_breaks_off_is_kept_and_explained(world: World) -> None:
    """Cut, garbled and filtered answers end in a sentence; what came is kept."""
    expected = {
        "cut 5": ("interrupted", 5, "broke off"),
        "garbage": ("interrupted", 0, "cannot be read"),
        "censor 3": ("complete", 3, None),
        "throttle 9": ("interrupted", 0, "over its own quota"),
        "fail": ("interrupted", 0, "failed"),
        "filter": ("interrupted", 0, "jailbreak"),
        "reject": ("interrupted", 0, "does not accept"),
    }
    async with world.client(**world.bearer("Uma")) as http:
        for text, (status, words, said) in expected.items():
            talk = await conversation(http)
            _, end = (await ask(http, talk, text))[-1]
            question, answer = await kept(http, talk)
            assert question["text"] == text
            assert (answer["status"], len(answer["text"].split())) == (status, words), text
            assert answer == end["answer"]
            if said is None:
                assert end["problem"] is None
                assert "content filter" in answer["note"]
            else:
                assert said in end["problem"]["detail"], text
                assert "secret" not in json.dumps(end)
        await world.settled()
        usage = world.assembly.usage
        owner = PrincipalId(world.settings.tenant_id, named("Uma").oid)
        now = world.assembly.pipeline._clock()
        assert (await usage.totals(owner, "scripted", now=now)).concurrent == 0


async def test_a_stalled_answer_is_checkpointed_while_nothing_comes(world: World) -> None:
    """What came before a stall is in the store although the answer has not ended."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        body = {"text": "stall 4", "deployment": "scripted"}
        path = f"/api/conversations/{talk}/messages"
        async with http.stream("POST", path, json=body) as response:
            assert response.status_code == 200
            async with asyncio.timeout(60):
                while not (await kept(http, talk))[1]["text"]:
                    await asyncio.sleep(0.05)
            assert (await kept(http, talk))[1]["status"] == MessageStatus.STREAMING.value


async def test_a_conversation_deleted_meanwhile_ends_quietly(world: World) -> None:
    """Deleting the conversation during an answer is no error of ours; nothing comes back."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await conversation(http)
        body = {"text": "slow 120", "deployment": "scripted"}
        path = f"/api/conversations/{talk}"
        seen = ""
        async with http.stream("POST", f"{path}/messages", json=body) as response:
            async for line in response.aiter_lines():
                seen += line + "\n"
                if line.startswith("event: begin"):
                    etag = (await http.get(path)).headers["etag"]
                    deleted = await http.delete(path, headers={"If-Match": etag})
                    assert deleted.status_code == 204
        assert '"Not found"' in seen
        assert (await http.get(path)).status_code == 404


async def test_quota_is_refused_before_the_model(world: World) -> None:
    """More streams at once than policy allows are a 429 with Retry-After."""
    async with world.client(**world.bearer("Uma")) as http:
        talks = [await conversation(http) for _ in range(5)]
        opened = []
        for talk in talks[:4]:
            stream = http.stream(
                "POST",
                f"/api/conversations/{talk}/messages",
                json={"text": "stall 1", "deployment": "scripted"},
            )
            opened.append(stream)
            assert (await stream.__aenter__()).status_code == 200
        refused = await http.post(
            f"/api/conversations/{talks[4]}/messages",
            json={"text": "hello", "deployment": "scripted"},
        )
        for stream in opened:
            await stream.__aexit__(None, None, None)

        assert refused.status_code == 429
        assert refused.json()["type"] == "urn:secure-openai:problem:concurrent-streams"
        assert refused.headers["retry-after"] == "1"
        assert await kept(http, talks[4]) == []


async def test_lists_come_in_pages(world: World) -> None:
    """Conversations come the most recent first, each once, however small the pages."""
    async with world.client(**world.bearer("Uma")) as http:
        made = [await conversation(http) for _ in range(5)]
        seen: list[str] = []
        query = "limit=2"
        while True:
            page = (await http.get(f"/api/conversations?{query}")).json()
            seen += [item["id"] for item in page["items"]]
            if page["continuation"] is None:
                break
            query = f"limit=2&continuation={page['continuation']}"

    assert seen == made[::-1]


async def test_pages_show_what_is_kept(world: World) -> None:
    """The page of a conversation holds its messages, escaped, rendered and marked."""
    async with world.browser("Uma") as http:
        talk = await conversation(http)
        await ask(http, talk, "<b>bold</b> & _it_")
        await ask(http, talk, "cut 2")
        page = await http.get(f"/conversations/{talk}", headers={"Accept": "text/html"})

    assert "&lt;b&gt;bold&lt;/b&gt; &amp; _it_" in page.text
    assert "<em>it</em>" in page.text
    assert "<b>bold" not in page.text
    assert "Interrupted" in page.text
