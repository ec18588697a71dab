"""The unmodified `openai` package through the second door."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import openai
import pytest

from secure_openai.testing.person import named
from secure_openai.types import PrincipalId
from tests.world import World

HELLO: list[Any] = [{"role": "user", "content": "hello there"}]


def client(world: World, token: str, **more: Any) -> openai.AsyncOpenAI:
    """Return the package's client, an access token in the key's place."""
    return openai.AsyncOpenAI(
        base_url=f"{world.url}/openai/v1", api_key=token, max_retries=0, **more
    )


async def test_models_are_the_deployments_one_may_use(world: World) -> None:
    """The list is policy's, for whoever asks."""
    async with client(world, world.token("Uma")) as sdk:
        models = await sdk.models.list()

    assert [model.id for model in models.data] == ["scripted"]


async def test_a_completion_whole_and_streamed(world: World) -> None:
    """Both give the same text; usage comes in the stream only if it was asked for."""
    async with client(world, world.token("Uma")) as sdk:
        whole = await sdk.chat.completions.create(model="scripted", messages=HELLO)
        stream = await sdk.chat.completions.create(model="scripted", messages=HELLO, stream=True)
        chunks = [chunk async for chunk in stream]
        asked = await sdk.chat.completions.create(
            model="scripted", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        with_usage = [chunk async for chunk in asked]

    assert whole.choices[0].message.content == "You said: hello there"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "You said: hello there"
    assert all(chunk.usage is None for chunk in chunks)
    assert with_usage[-1].usage is not None
    assert whole.usage is not None
    assert with_usage[-1].usage.total_tokens == whole.usage.total_tokens


async def test_an_application_asks_for_itself(world: World) -> None:
    """Client credentials give an application its own quota and its own audit records."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"{world.provider.base}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": "5ec0de00-0000-4000-8000-0000000000d1",
                "client_secret": world.provider.daemon_secret,
            },
        )
    async with client(world, answer.json()["access_token"]) as sdk:
        await sdk.chat.completions.create(model="scripted", messages=HELLO)
    events = await world.events()

    assert {(event.facts or {}).get("kind") for event in events} == {"application"}


@pytest.mark.parametrize(
    ("prompt", "error", "status", "code"),
    [
        ("throttle 9", openai.RateLimitError, 429, "rate_limit_exceeded"),
        ("fail", openai.InternalServerError, 502, "model_failed"),
        ("filter", openai.BadRequestError, 400, "content_filter"),
        ("reject", openai.BadRequestError, 400, "model_rejected"),
        ("garbage", openai.InternalServerError, 502, "model_failed"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_models_errors_are_the_packages_own(
    world: World,
    prompt: str,
    error: type[openai.APIStatusError],
    status: int,
    code: str,
    stream: bool,
) -> None:
    """What goes wrong before the first byte is the exception that clients know."""
    messages: list[Any] = [{"role": "user", "content": prompt}]
    async with client(world, world.token("Uma")) as sdk:
        if stream and prompt == "garbage":
            return
        with pytest.raises(error) as caught:
            await sdk.chat.completions.create(model="scripted", messages=messages, stream=stream)

    assert caught.value.status_code == status
    assert caught.value.code == code
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "9"


async def test_a_stream_that_breaks_off_raises(world: World) -> None:
    """After the first byte an error event tells; what came before it is there."""
    messages: list[Any] = [{"role": "user", "content": "cut 3"}]
    words = 0
    async with client(world, world.token("Uma")) as sdk:
        stream = await sdk.chat.completions.create(model="scripted", messages=messages, stream=True)
        with pytest.raises(openai.APIError, match="broke off"):
            async for chunk in stream:
                words += bool(chunk.choices and chunk.choices[0].delta.content)

    assert words == 3
    settled = await world.settled()
    assert settled[0].reason == "model-failed"


async def test_refusals_are_the_packages_own(world: World) -> None:
    """No token, no role, no such deployment: the exceptions that clients know."""
    async with client(world, "static-key") as sdk:
        with pytest.raises(openai.AuthenticationError):
            await sdk.models.list()
    async with client(world, world.token("Nora")) as sdk:
        with pytest.raises(openai.PermissionDeniedError, match="ask Ada Admin for one"):
            await sdk.models.list()
    async with client(world, world.token("Uma")) as sdk:
        with pytest.raises(openai.NotFoundError):
            await sdk.chat.completions.create(model="gpt-9", messages=HELLO)


async def test_a_departed_client_stops_the_model_and_is_charged_what_it_saw(world: World) -> None:
    """Closing a stream cancels the work; prompt and output seen are charged."""
    messages: list[Any] = [{"role": "user", "content": "stall 3"}]
    model: Any = world.assembly.model
    owner = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    async with client(world, world.token("Uma")) as sdk:
        stream = await sdk.chat.completions.create(model="scripted", messages=messages, stream=True)
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        assert model.under_way == 1
        await stream.close()
        async with asyncio.timeout(60):
            while model.under_way:
                await asyncio.sleep(0.01)
    await world.assembly.background.drain()
    totals = await world.assembly.usage.totals(
        owner, "scripted", now=world.assembly.pipeline._clock()
    )

    assert totals.concurrent == 0
    assert 0 < totals.tokens_today < 200


async def test_a_departed_reader_of_a_response_is_charged_its_prompt_and_what_it_saw(
    world: World,
) -> None:
    """The Responses API's stream is cancelled and charged as that of a chat completion."""
    model: Any = world.assembly.model
    async with client(world, world.token("Uma")) as sdk:
        stream = await sdk.responses.create(
            model="scripted", input="stall 3", stream=True, max_output_tokens=1000
        )
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
        assert model.under_way == 1
        await stream.close()
        async with asyncio.timeout(60):
            while model.under_way:
                await asyncio.sleep(0.01)
    (settled,) = await world.settled()
    facts = settled.facts or {}

    assert (settled.reason, facts["ended"], facts["estimated"]) == ("interrupted", False, True)
    assert 0 < facts["completion_tokens"] < 100
    assert facts["prompt_tokens"] < 20


async def test_embeddings_that_nobody_waits_for_are_charged_their_reservation(
    world: World,
) -> None:
    """What is not streamed and not awaited is charged whole: of embeddings, the prompt."""
    body = {"model": "scripted", "input": "stall " + "word " * 70}
    async with world.client(**world.bearer("Uma")) as http:
        with pytest.raises(httpx2.ReadTimeout):
            await http.post("/openai/v1/embeddings", json=body, timeout=2)
    admitted, settled = await _both(world)

    assert settled["prompt_tokens"] == admitted["tokens_reserved"] > 100
    assert settled["completion_tokens"] == 0


async def _both(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the facts of the only request's two records, once both are there."""
    async with asyncio.timeout(60):
        while True:
            events = {event.action: dict(event.facts or {}) for event in await world.events()}
            if "completion.settled" in events:
                return events["completion.admitted"], events["completion.settled"]
            await asyncio.sleep(0.02)


async def test_a_departed_client_of_a_whole_answer_is_charged_its_reservation(
    world: World,
) -> None:
    """An answer that is not streamed and not awaited is charged as if it had come whole."""
    body = {
        "model": "scripted",
        "messages": [{"role": "user", "content": "stall"}],
        "max_tokens": 100,
    }
    owner = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    async with world.client(**world.bearer("Uma")) as http:
        with pytest.raises(httpx2.ReadTimeout):
            await http.post("/openai/v1/chat/completions", json=body, timeout=2)
        async with asyncio.timeout(60):
            while not [e for e in await world.events() if e.action == "completion.settled"]:
                await asyncio.sleep(0.02)
    totals = await world.assembly.usage.totals(
        owner, "scripted", now=world.assembly.pipeline._clock()
    )

    assert 100 <= totals.tokens_today < 130
