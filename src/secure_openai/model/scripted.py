"""A model without a model: answers by script, in this process; for tests and demonstrations."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

from secure_openai.errors import ModelError
from secure_openai.model import playback
from secure_openai.model.interface import (
    ModelRequest,
    ModelResponse,
    ServerSentEvent,
    WholeAnswer,
)
from secure_openai.model.refusals import ErrorAnswer, error_event, error_of
from secure_openai.model.script import Ending, Refusal, Script, script_for
from secure_openai.model.wire import wire_body
from secure_openai.types import (
    Attempt,
    Deployment,
    JsonObject,
    MemberHealth,
    Operation,
    Parameters,
)

DEPLOYMENT = Deployment(
    "scripted",
    "scripted",
    Parameters(window_tokens=128_000, operations=frozenset(Operation), images=True),
)


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
        script = script_for(body, request.operation)
        if isinstance(script, Refusal):
            raise error_of(ErrorAnswer(script.status, script.headers, script.body), request)
        await asyncio.sleep(script.late)
        if script.ending is Ending.STALLED and not script.words:
            await asyncio.Event().wait()
        if script.ending is Ending.CUT and not script.words:
            raise ModelError("The model broke off before it answered.", billable=True)
        self.under_way += 1
        return _Scripted(self, script, body, request.operation)

    async def ready(self) -> bool:
        """Return true: it is always there."""
        return True

    def health(self) -> Sequence[MemberHealth]:
        """Return nothing: this is no pool."""
        return ()

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""


class _Scripted:
    def __init__(
        self, model: ScriptedModel, script: Script, body: JsonObject, operation: Operation
    ) -> None:
        self.member = ""
        self.attempts: tuple[Attempt, ...] = ()
        self.failure: ModelError | None = None
        self._model = model
        self._script = script
        self._body = body
        self._operation = operation
        self._open = True

    async def read(self) -> WholeAnswer:
        if self._script.ending in {Ending.GARBAGE, Ending.BROKEN}:
            raise self._failed("The model's answer is not a JSON object.")
        await self._end()
        await asyncio.sleep(self._script.seconds * len(self._script.words))
        said = playback.whole(self._script, self._body, self._operation)
        return WholeAnswer(json.dumps(said).encode(), said)

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        for seconds, event in playback.events(self._script, self._body, self._operation):
            if seconds:
                await asyncio.sleep(seconds)
            if self._script.ending is Ending.BROKEN and (error := error_event(event.parsed)):
                self.failure = error
                raise error
            yield event
        await self._end()

    async def _end(self) -> None:
        """Stall or break where the script says so."""
        if self._script.ending is Ending.STALLED:
            await asyncio.Event().wait()
        if self._script.ending is Ending.CUT:
            raise self._failed("The model broke off in the middle of its answer.")

    def _failed(self, detail: str) -> ModelError:
        self.failure = ModelError(detail, billable=True)
        return self.failure

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._model.under_way -= 1
