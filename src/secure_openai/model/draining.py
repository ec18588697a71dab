"""A model whose answers are cut off when the process cannot wait for them any longer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from secure_openai.errors import AnswerCutOff, ModelError
from secure_openai.model.interface import (
    Model,
    ModelRequest,
    ModelResponse,
    ServerSentEvent,
    WholeAnswer,
)
from secure_openai.streams import CutOffError, Drain, UntilCut
from secure_openai.types import Attempt, Deployment, MemberHealth

DETAIL = "The server stops, and the answer ends here: ask again."


class DrainingModel:
    """Implements `Model`: another one, until the process ends.

    Args:
        model: Who answers.
        drain: Says when an answer is cut off.
    """

    def __init__(self, model: Model, drain: Drain) -> None:
        self._model = model
        self._drain = drain

    @property
    def deployments(self) -> Sequence[Deployment]:
        """Return what is served."""
        return self._model.deployments

    async def open(self, request: ModelRequest) -> ModelResponse:
        """Send a request, as the other does.

        Raises:
            AnswerCutOff: The process ends.
        """
        until_cut = UntilCut(self._drain)
        try:
            with until_cut:
                response = await self._model.open(request)
        except CutOffError:
            raise AnswerCutOff(DETAIL) from None
        return _Draining(response, until_cut)

    async def ready(self) -> bool:
        """Return whether a request would probably be answered."""
        return await self._model.ready()

    def health(self) -> Sequence[MemberHealth]:
        """Return how each member does."""
        return self._model.health()

    async def aclose(self) -> None:
        """Close connections."""
        await self._model.aclose()


class _Draining:
    """Implements `ModelResponse`."""

    def __init__(self, response: ModelResponse, until_cut: UntilCut) -> None:
        self._response = response
        self._until_cut = until_cut
        self._cut_off: ModelError | None = None

    @property
    def member(self) -> str:
        return self._response.member

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return self._response.attempts

    @property
    def failure(self) -> ModelError | None:
        return self._cut_off or self._response.failure

    async def read(self) -> WholeAnswer:
        try:
            with self._until_cut:
                return await self._response.read()
        except CutOffError:
            raise self._error() from None

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        events = aiter(self._response.events())
        until_cut = self._until_cut
        followed = False
        while True:
            try:
                if followed:
                    # What is there already is not waited for.
                    event = await anext(events)
                else:
                    with until_cut:
                        event = await anext(events)
            except StopAsyncIteration:
                return
            except CutOffError:
                raise self._error() from None
            followed = event.followed
            yield event

    async def aclose(self) -> None:
        await self._response.aclose()

    def _error(self) -> ModelError:
        self._cut_off = AnswerCutOff(DETAIL)
        return self._cut_off
