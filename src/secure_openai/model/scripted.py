"""A model without a model: answers by script, in this process; for tests and demonstrations."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

from secure_openai.errors import (
    ContentFiltered,
    ModelError,
    ModelRejected,
    ModelThrottled,
)
from secure_openai.model.interface import DONE, ModelRequest, ModelResponse, ServerSentEvent
from secure_openai.model.openai_compatible import wire_body
from secure_openai.model.script import (
    Ending,
    Refusal,
    Script,
    chunks,
    completion,
    script_for,
)
from secure_openai.types import Deployment, JsonObject, Parameters

DEPLOYMENT = Deployment("scripted", "scripted", Parameters(window_tokens=128_000))


class ScriptedModel:
    """Implements `Model`; see `model.script` for what it answers."""

    def __init__(self, deployments: Sequence[Deployment] = (DEPLOYMENT,)) -> None:
        self._deployments = tuple(deployments)
        self.under_way = 0

    @property
    def deployments(self) -> Sequence[Deployment]:
        """Return what is served."""
        return self._deployments

    async def open(self, request: ModelRequest) -> ModelResponse:
        """Answer by script."""
        body = wire_body(request)
        script = script_for(body)
        if isinstance(script, Refusal):
            raise _error(script)
        if script.ending is Ending.STALLED and not script.words:
            await asyncio.Event().wait()
        self.under_way += 1
        return _Scripted(self, script, body)

    async def ready(self) -> bool:
        """Return true: it is always there."""
        return True

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""


def _error(refusal: Refusal) -> ModelError:
    if refusal.retry_after is not None:
        return ModelThrottled(
            "The model is over its own quota. Try again soon.", retry_after=refusal.retry_after
        )
    if refusal.categories:
        named = ", ".join(refusal.categories)
        return ContentFiltered(
            f"The content filter blocked this prompt ({named}). Change it and try again.",
            categories=refusal.categories,
        )
    if refusal.status < 500:  # noqa: PLR2004 - 4xx is the request's fault
        return ModelRejected("The model does not accept this request.")
    return ModelError("The model failed. Try again, and tell your administrator if it goes on.")


class _Scripted:
    def __init__(self, model: ScriptedModel, script: Script, body: JsonObject) -> None:
        self._model = model
        self._script = script
        self._body = body
        self._open = True

    async def read(self) -> bytes:
        if self._script.ending is Ending.GARBAGE:
            raise ModelError("The model's answer is not a JSON object.")
        await self._end()
        await asyncio.sleep(self._script.seconds * len(self._script.words))
        return json.dumps(completion(self._script, self._body)).encode()

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        for seconds, payload in chunks(self._script, self._body):
            if seconds:
                await asyncio.sleep(seconds)
            yield _event(json.dumps(payload, separators=(",", ":")).encode())
        if self._script.ending is Ending.GARBAGE:
            yield _event(b"garbage")
        await self._end()
        yield _event(DONE)

    async def _end(self) -> None:
        """Stall or break where the script says so."""
        if self._script.ending is Ending.STALLED:
            await asyncio.Event().wait()
        if self._script.ending is Ending.CUT:
            raise ModelError("The model broke off in the middle of its answer.")

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._model.under_way -= 1


def _event(data: bytes) -> ServerSentEvent:
    return ServerSentEvent(b"data: " + data + b"\n\n", data)
