"""What every model promises. Subclass, and provide a fixture `model` that answers by script.

The script is that of `secure_openai.model.script`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from secure_openai.errors import (
    ContentFiltered,
    DeploymentMissing,
    DeploymentRetired,
    DeploymentTooSmall,
    ModelError,
    ModelForbidden,
    ModelRejected,
    ModelThrottled,
    ModelUnavailable,
    WindowExceeded,
)
from secure_openai.model.interface import Model, ModelRequest, ServerSentEvent, usage_of
from secure_openai.types import JsonObject, Operation, Usage


def request(text: str, *, stream: bool = True, **more: Any) -> ModelRequest:
    """Return a request for a chat completion that the script answers by `text`."""
    body = {"model": "ignored", "messages": [{"role": "user", "content": text}], **more}
    return ModelRequest("scripted", body, stream=stream, request_id="test", tokens=100)


def response_request(text: str, *, stream: bool = True, **more: Any) -> ModelRequest:
    """Return the same for a response."""
    body = {"model": "ignored", "input": [{"role": "user", "content": text}], **more}
    return ModelRequest(
        "scripted", body, stream=stream, request_id="test", operation=Operation.RESPONSES
    )


def embeddings_request(*texts: str) -> ModelRequest:
    """Return the same for embeddings."""
    body = {"model": "ignored", "input": list(texts)}
    return ModelRequest(
        "scripted", body, stream=False, request_id="test", operation=Operation.EMBEDDINGS
    )


async def all_events(
    model: Model, text: str, *, asking: Callable[[str], ModelRequest] = request
) -> list[ServerSentEvent]:
    """Return every event of an answer."""
    response = await model.open(asking(text))
    try:
        async with aclosing(response.events()) as events:  # type: ignore[type-var]
            return [event async for event in events]
    finally:
        await response.aclose()


async def whole(model: Model, asked: ModelRequest) -> JsonObject:
    """Return an answer that is not streamed."""
    response = await model.open(asked)
    try:
        return (await response.read()).parsed
    finally:
        await response.aclose()
        await response.aclose()


def text_of(events: list[ServerSentEvent]) -> str:
    """Return what the events of a chat completion say."""
    return "".join(
        choice["delta"].get("content") or ""
        for event in events
        for choice in event.parsed.get("choices", [])
    )


class ModelContract:
    """Every model passes."""

    async def test_whole(self, model: Model) -> None:
        """An answer that is not streamed is a JSON object with usage."""
        payload = await whole(model, request("hello", stream=False))

        assert payload["choices"][0]["message"]["content"] == "You said: hello"
        assert usage_of(payload) is not None

    async def test_streamed(self, model: Model) -> None:
        """A stream has its text in order, usage without being asked, and ends with [DONE]."""
        events = await all_events(model, "hello there")

        assert text_of(events) == "You said: hello there"
        assert events[-1].is_done
        assert any(usage_of(event.parsed) for event in events)
        assert all(event.raw.endswith(b"\n\n") for event in events)

    async def test_throttled(self, model: Model) -> None:
        """Throttling says how long to wait."""
        with pytest.raises(ModelThrottled) as caught:
            await model.open(request("throttle 9"))
        assert caught.value.retry_after == 9

    async def test_filtered(self, model: Model) -> None:
        """A blocked prompt names its categories."""
        with pytest.raises(ContentFiltered) as caught:
            await model.open(request("filter"))
        assert caught.value.categories == ("jailbreak",)
        assert "jailbreak" in caught.value.detail

    async def test_rejected(self, model: Model) -> None:
        """What the model does not take is the request's fault; its own text stays here."""
        with pytest.raises(ModelRejected) as caught:
            await model.open(request("reject"))
        assert "secret" not in caught.value.detail

    @pytest.mark.parametrize(
        ("text", "kind", "said"),
        [
            ("window", WindowExceeded, "Shorten the conversation"),
            ("missing", DeploymentMissing, "scripted does not exist"),
            ("retired", DeploymentRetired, "retired the model behind scripted"),
            ("forbidden", ModelForbidden, "Cognitive Services OpenAI User"),
            ("small 99", DeploymentTooSmall, "99 tokens a minute"),
            ("throttle 86400", ModelThrottled, "about 24 hours"),
            ("away 4", ModelUnavailable, "not available"),
        ],
    )
    async def test_what_to_do_is_said(
        self, model: Model, text: str, kind: type[ModelError], said: str
    ) -> None:
        """What only someone else can mend says who and how; the model's own text stays here."""
        with pytest.raises(ModelError, match=said) as caught:
            await model.open(request(text))
        assert type(caught.value) is kind
        assert "secret" not in caught.value.detail

    async def test_hurried(self, model: Model) -> None:
        """Milliseconds to wait are more exact than seconds, and believed first."""
        with pytest.raises(ModelThrottled) as caught:
            await model.open(request("hurried 1500"))
        assert caught.value.retry_after == 1.5

    async def test_failed(self, model: Model) -> None:
        """A failure of the model is told without its own text."""
        with pytest.raises(ModelError) as caught:
            await model.open(request("fail"))
        assert type(caught.value) is ModelError
        assert "secret" not in caught.value.detail

    async def test_cut(self, model: Model) -> None:
        """What came before a cut arrives, then the cut is told."""
        response = await model.open(request("cut 3"))
        seen: list[ServerSentEvent] = []
        with pytest.raises(ModelError, match="broke off"):
            async for event in response.events():
                seen.append(event)
        await response.aclose()
        assert len(text_of(seen).split()) == 3

    async def test_garbage(self, model: Model) -> None:
        """An answer that is not JSON is told."""
        with pytest.raises(ModelError, match="not a JSON object"):
            await whole(model, request("garbage", stream=False))

    async def test_broken(self, model: Model) -> None:
        """An error where an event belongs ends the answer, without its own text."""
        for asking in (request, response_request):
            with pytest.raises(ModelError, match="failed in the middle") as caught:
                await all_events(model, "broken 2", asking=asking)
            assert "secret" not in caught.value.detail
            assert caught.value.billable

    async def test_response(self, model: Model) -> None:
        """A response that is not streamed has its text and its usage; nothing asks to keep it."""
        payload = await whole(model, response_request("hello", stream=False))

        assert payload["output"][0]["content"][0]["text"] == "You said: hello"
        assert payload["store"] is False
        assert usage_of(payload) is not None

    async def test_response_streamed(self, model: Model) -> None:
        """A response's stream ends with its own event, which carries the usage."""
        events = await all_events(model, "hello there", asking=response_request)
        deltas = [event.parsed["delta"] for event in events if event.name.endswith(b".delta")]

        assert "".join(deltas) == "You said: hello there"
        assert [event.is_done for event in events] == [False] * (len(events) - 1) + [True]
        assert events[-1].name == b"response.completed"
        usage = usage_of(events[-1].parsed)
        assert usage is not None
        assert usage.completion_tokens == 3

    async def test_response_refused(self, model: Model) -> None:
        """A blocked input names its categories; a cut is told."""
        with pytest.raises(ContentFiltered) as caught:
            await model.open(response_request("filter"))
        assert caught.value.categories == ("jailbreak",)
        with pytest.raises(ModelError, match="broke off"):
            await all_events(model, "cut 2", asking=response_request)
        censored = await all_events(model, "censor 2", asking=response_request)
        assert censored[-1].name == b"response.incomplete"

    async def test_embeddings(self, model: Model) -> None:
        """Every text has its vector; usage is the prompt's."""
        payload = await whole(model, embeddings_request("one", "three"))

        assert [len(one["embedding"]) for one in payload["data"]] == [8, 8]
        assert usage_of(payload) == Usage(2, 0)

    async def test_censored(self, model: Model) -> None:
        """An answer that the content filter stops ends with that finish reason."""
        events = await all_events(model, "censor 2")
        reasons = [
            choice["finish_reason"]
            for event in events
            for choice in event.parsed.get("choices", [])
            if choice["finish_reason"]
        ]
        assert reasons == ["content_filter"]

    async def test_cancelled(self, model: Model) -> None:
        """Waiting for an answer that never begins can be cancelled."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await model.open(request("stall"))

    async def test_ready(self, model: Model) -> None:
        """A model that answers says so, and names what it serves."""
        assert await model.ready()
        assert [deployment.name for deployment in model.deployments] == ["scripted"]
