"""What every model promises. Subclass, and provide a fixture `model` that answers by script.

The script is that of `secure_openai.model.script`.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from secure_openai.errors import (
    ContentFiltered,
    ModelError,
    ModelRejected,
    ModelThrottled,
)
from secure_openai.model.interface import Model, ModelRequest, ServerSentEvent, usage_of


def request(text: str, *, stream: bool = True, **more: Any) -> ModelRequest:
    """Return a request that the script answers by `text`."""
    body = {"model": "ignored", "messages": [{"role": "user", "content": text}], **more}
    return ModelRequest("scripted", body, stream=stream, request_id="test")


async def all_events(model: Model, text: str) -> list[ServerSentEvent]:
    """Return every event of an answer."""
    response = await model.open(request(text))
    try:
        async with aclosing(response.events()) as events:  # type: ignore[type-var]
            return [event async for event in events]
    finally:
        await response.aclose()


def text_of(events: list[ServerSentEvent]) -> str:
    """Return what the events say."""
    return "".join(
        choice["delta"].get("content") or ""
        for event in events
        for choice in event.parsed.get("choices", [])
    )


class ModelContract:
    """Every model passes."""

    async def test_whole(self, model: Model) -> None:
        """An answer that is not streamed is a JSON object with usage."""
        response = await model.open(request("hello", stream=False))
        payload = json.loads(await response.read())
        await response.aclose()
        await response.aclose()

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
        response = await model.open(request("garbage", stream=False))
        with pytest.raises(ModelError, match="not a JSON object"):
            await response.read()
        await response.aclose()

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
