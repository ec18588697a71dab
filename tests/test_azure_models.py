"""The whole application on Azure's models: two accounts, a developer's sign-in, every fault."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

from secure_openai.model.scripted_server import Served, scripted_model_app
from secure_openai.testing.person import named
from secure_openai.types import CircuitState, PrincipalId
from tests.azure_cli import AZ, stand_in
from tests.servers import listening, port_of, served
from tests.world import World, running_world


@dataclass
class Estate:
    """An application and its two accounts, `first` before `second`."""

    world: World
    first: Served
    second: Served

    def sdk(self) -> openai.AsyncOpenAI:
        """Return OpenAI's package as Uma."""
        return openai.AsyncOpenAI(
            base_url=f"{self.world.url}/openai/v1", api_key=self.world.token("Uma"), max_retries=0
        )

    async def settled(self, count: int = 1) -> dict[str, Any]:
        """Return the facts of the nth settlement, once it is recorded."""
        async with asyncio.timeout(60):
            while True:
                events = await self.world.events()
                found = [one for one in events if one.action == "completion.settled"]
                if len(found) >= count:
                    return dict(found[count - 1].facts or {})
                await asyncio.sleep(0.01)

    async def tokens_today(self, deployment: str = "chat") -> int:
        """Return what Uma was charged."""
        assembly = self.world.assembly
        owner = PrincipalId(self.world.settings.tenant_id, named("Uma").oid)
        now = assembly.pipeline._clock()
        return (await assembly.usage.totals(owner, deployment, now=now)).tokens_today


@pytest.fixture
async def estate(
    tmp_path: Path, identity_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Estate]:
    """Both accounts take nothing but the developer's token."""
    stand_in(tmp_path, "az", AZ)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    apps, bound = [scripted_model_app(), scripted_model_app()], [listening(), listening()]
    for app in apps:
        app.state.served.bearer = "Bearer from az"
    deployments = {"chat": "gpt-5.4-mini", "embed": "text-embedding-3-small"}
    accounts = {
        name: {
            "url": f"http://127.0.0.1:{port_of(one)}/",
            "priority": turn,
            "deployments": deployments,
        }
        for turn, (name, one) in enumerate(zip(["first", "second"], bound, strict=True))
    }
    async with AsyncExitStack() as stack:
        for app, one in zip(apps, bound, strict=True):
            await stack.enter_async_context(served(app, one))
        world = await stack.enter_async_context(
            running_world(
                tmp_path,
                identity_folder,
                model_source="azure",
                model_accounts=json.dumps(accounts),
                model_first_byte_seconds=1.5,
                model_whole_seconds=1.5,
            )
        )
        yield Estate(world, apps[0].state.served, apps[1].state.served)


def user(text: str) -> list[Any]:
    """Return messages that say one thing."""
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failed_attempt_is_recorded_and_not_charged(estate: Estate, stream: bool) -> None:
    """The second account answers for the first: one charge, and the attempt apart in the audit."""
    estate.first.instead = lambda _: "stall"
    async with estate.sdk() as sdk:
        if stream:
            answer = await sdk.chat.completions.create(
                model="chat",
                messages=user("hello there"),
                stream=True,
                stream_options={"include_usage": True},
            )
            usage = [chunk.usage async for chunk in answer][-1]
        else:
            whole = await sdk.chat.completions.create(model="chat", messages=user("hello there"))
            usage = whole.usage
    facts = await estate.settled()

    assert usage is not None
    assert await estate.tokens_today() == usage.total_tokens
    assert facts["member"] == "second"
    assert facts["failed_attempts"] == [
        {"member": "first", "outcome": "model-timeout", "may_be_billed": True}
    ]
    assert facts["estimated"] is False


async def test_everyone_out_is_told_with_the_time(estate: Estate) -> None:
    """429 with the soonest; nothing charged, both attempts recorded, and conversations stay."""
    estate.first.instead = lambda _: "throttle 30"
    estate.second.instead = lambda _: "hurried 2500"
    async with estate.sdk() as sdk:
        with pytest.raises(openai.RateLimitError, match="over its own quota") as caught:
            await sdk.chat.completions.create(model="chat", messages=user("hello"))
    async with estate.world.client() as http:
        ready = await http.get("/readyz")
    facts = await estate.settled()

    assert caught.value.response.headers["retry-after"] == "3"
    assert await estate.tokens_today() == 0
    assert [one["outcome"] for one in facts["failed_attempts"]] == ["model-throttled"] * 2
    assert ready.status_code == 200


async def test_health_is_there_to_read(estate: Estate) -> None:
    """Each account's state with each deployment: who is out, why and for how long."""
    estate.first.instead = lambda _: "away 600"
    async with estate.sdk() as sdk:
        await sdk.chat.completions.create(model="chat", messages=user("hello"))
    health = {(one.member, one.deployment): one for one in estate.world.assembly.model.health()}

    assert health.keys() == {
        (member, name) for member in ("first", "second") for name in ("chat", "embed")
    }
    assert health["first", "chat"].reason == "model-unavailable"
    assert health["first", "chat"].state is CircuitState.OPEN
    assert health["first", "chat"].seconds > 500
    assert health["second", "chat"].state is CircuitState.CLOSED


async def test_the_content_filter_is_a_sentence_and_facts(estate: Estate) -> None:
    """A blocked prompt and a stopped answer say which rule; the audit has categories, no text."""
    async with estate.world.client(**estate.world.bearer("Uma")) as http:
        made = await http.post("/api/conversations", json={"title": "x"})
        path = f"/api/conversations/{made.json()['id']}/messages"
        blocked = await http.post(path, json={"text": "filter me", "deployment": "chat"})
        first = await estate.settled()
        stopped = await http.post(path, json={"text": "censor 3", "deployment": "chat"})
        second = await estate.settled(2)
        kept = (await http.get(path)).json()["items"]

    assert "jailbreak: an attempt to override the model's instructions" in blocked.text
    assert first["content_filter"] == [
        {"source": "prompt", "category": "jailbreak", "severity": None, "filtered": True}
    ]
    assert "The content filter stopped this answer (violence)" in stopped.text
    assert second["content_filter"] == [
        {"source": "answer", "category": "violence", "severity": "medium", "filtered": True}
    ]
    assert [one["status"] for one in kept] == ["complete", "interrupted", "complete", "complete"]
    assert "filter me" not in repr(await estate.world.events())


async def test_what_a_deployment_does_not_take_never_leaves(estate: Estate) -> None:
    """Parameters that the model refuses are a sentence here; what goes out is what it reads."""
    async with estate.sdk() as sdk:
        with pytest.raises(openai.BadRequestError, match="chat does not take temperature"):
            await sdk.chat.completions.create(model="chat", messages=user("hello"), temperature=0.7)
        with pytest.raises(openai.BadRequestError, match="none, low, medium, high, xhigh"):
            await sdk.chat.completions.create(
                model="chat", messages=user("hello"), reasoning_effort="minimal"
            )
        with pytest.raises(openai.BadRequestError, match="only embeddings"):
            await sdk.chat.completions.create(model="embed", messages=user("hello"))
        await sdk.chat.completions.create(
            model="chat", messages=user("hello"), max_tokens=9, reasoning_effort="xhigh"
        )
        listed = [one.id for one in (await sdk.models.list()).data]
    refused = [e.reason for e in await estate.world.events() if e.decision == "refused"]

    assert estate.first.bodies == [
        {
            "messages": user("hello"),
            "max_completion_tokens": 9,
            "reasoning_effort": "xhigh",
            "model": "chat",
            "stream": False,
            "store": False,
        }
    ]
    assert refused == ["operation_not_taken"]
    assert listed == ["chat", "embed"]
    async with estate.world.browser("Uma") as http:
        page = (await http.get("/")).text
    assert 'data-deployment="chat"' in page
    assert 'data-deployment="embed"' not in page


@pytest.mark.parametrize(
    ("text", "status", "code", "said"),
    [
        ("missing", 404, "deployment_missing", "does not exist there"),
        ("retired", 410, "deployment_retired", "Azure has retired the model behind chat"),
        ("small 50", 413, "deployment_too_small", "50 tokens a minute"),
        ("window", 400, "context_length_exceeded", "Shorten the conversation"),
        ("forbidden", 502, "model_forbidden", "Cognitive Services OpenAI User"),
    ],
)
async def test_what_somebody_must_mend_is_said(
    estate: Estate, text: str, status: int, code: str, said: str
) -> None:
    """Retired, missing, undersized and closed deployments say what to do, with their own code."""
    async with estate.sdk() as sdk:
        with pytest.raises(openai.APIStatusError, match=said) as caught:
            await sdk.chat.completions.create(model="chat", messages=user(text))

    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert "secret" not in str(caught.value)
    assert (await estate.settled())["ended"] is False


async def test_readiness_follows_the_pool(estate: Estate) -> None:
    """With every account out it is not ready, and it is again as soon as one may be asked."""
    estate.first.instead = estate.second.instead = lambda _: "away 3"
    async with estate.world.client() as http, estate.sdk() as sdk:
        for asking in (
            sdk.chat.completions.create(model="chat", messages=user("hello")),
            sdk.embeddings.create(model="embed", input="hello"),
        ):
            with pytest.raises(openai.InternalServerError):
                await asking
        out = await http.get("/readyz")
        estate.first.instead = lambda _: None
        async with asyncio.timeout(60):
            while (await http.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.1)

    assert out.status_code == 503
    assert out.json() == {"status": "not ready"}
