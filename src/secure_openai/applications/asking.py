"""Asking a model on behalf of who calls: decided, bounded by quota, and audited."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from starlette.requests import Request

from secure_openai.completion import Completion
from secure_openai.conversations.text import text_of
from secure_openai.edge.access import principal_of
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.event_stream import while_present
from secure_openai.edge.problems import request_id_of
from secure_openai.errors import Forbidden, ModelError, Unauthenticated
from secure_openai.pipeline import Pipeline
from secure_openai.types import JsonObject, Operation, Principal


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered.

    Attributes:
        text: Its words, as they came: escape them where they are shown.
        deployment: Which deployment answered.
        note: What the reader should know of its end, such as that it was cut off; or `None`.
    """

    text: str
    deployment: str
    note: str | None = None


async def ask(
    request: Request,
    said: str | Sequence[JsonObject],
    *,
    instructions: str = "",
    deployment: str = "",
) -> Answer:
    """Ask a model on behalf of who calls, and return its whole answer.

    Args:
        request: The request that is answered; it says who asks.
        said: The question, or a list of chat messages.
        instructions: What the model is told before it, by the application.
        deployment: Which deployment; the first that the caller may use unless named.

    Raises:
        Unauthenticated: The route is public: nobody is there to ask for.
        Forbidden: The caller may use no deployment.
        Refused: Policy or quota refuses; the refusal is recorded, without the text.
        RequestError: The messages are not as the chat completions API has them.
        ModelError: The model does not answer.
    """
    completion = await _begun(
        request, said, instructions=instructions, deployment=deployment, streamed=False
    )
    try:
        body = await while_present(request.receive, completion.read())
    finally:
        await _pipeline(request).end(completion)
    return Answer(_text_in(body), completion.admission.deployment.name, completion.note)


def stream(
    request: Request,
    said: str | Sequence[JsonObject],
    *,
    instructions: str = "",
    deployment: str = "",
) -> Words:
    """Return a model's answer as it will grow; nothing is asked before it is sent or entered.

    Args:
        request: The request that is answered; it says who asks.
        said: The question, or a list of chat messages.
        instructions: What the model is told before it, by the application.
        deployment: Which deployment; the first that the caller may use unless named.
    """
    return Words(request, said, instructions=instructions, deployment=deployment)


class Words:
    """An answer as it grows: its text piece by piece, once.

    `Application.streamed` sends it in a page. Elsewhere it is a block, which raises what `ask`
    raises before the first word, and settles however it is left:

        async with stream(request, "Is water wet?") as said:
            async for word in said:
                ...
    """

    def __init__(
        self,
        request: Request,
        said: str | Sequence[JsonObject],
        *,
        instructions: str,
        deployment: str,
    ) -> None:
        self._request = request
        self._said = said
        self._instructions = instructions
        self._named = deployment
        self._completion: Completion | None = None
        self._texts: AsyncGenerator[str, None] | None = None
        self._problem: ModelError | None = None

    async def __aenter__(self) -> Words:
        self._completion = completion = await _begun(
            self._request,
            self._said,
            instructions=self._instructions,
            deployment=self._named,
            streamed=True,
        )
        try:
            await while_present(self._request.receive, completion.open())
        except BaseException:
            await self.__aexit__()
            raise
        self._texts = self._read(completion)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._texts is not None:
            await self._texts.aclose()
        if self._completion is not None:
            await _pipeline(self._request).end(self._completion)

    def __aiter__(self) -> AsyncGenerator[str, None]:
        if self._texts is None:
            raise RuntimeError("enter it first: async with stream(...) as said")
        return self._texts

    async def _read(self, completion: Completion) -> AsyncGenerator[str, None]:
        try:
            async with aclosing(completion.events()) as events:
                async for event in events:
                    if text := text_of(event):
                        yield text
        except ModelError as error:
            # What was shown stays; its reader is told by the note.
            self._problem = error

    @property
    def deployment(self) -> str:
        """Return which deployment answers; empty before it is asked."""
        return "" if self._completion is None else self._completion.admission.deployment.name

    @property
    def note(self) -> str | None:
        """Return what the reader should know of its end, such as that it broke off; or `None`."""
        if self._problem is not None:
            return self._problem.detail or self._problem.title
        return None if self._completion is None else self._completion.note


def _pipeline(request: Request) -> Pipeline:
    return assembly_of(request).pipeline


async def _begun(
    request: Request,
    said: str | Sequence[JsonObject],
    *,
    instructions: str,
    deployment: str,
    streamed: bool,
) -> Completion:
    """Admit a question; whoever calls this ends the completion, whatever comes."""
    if not isinstance(getattr(request.state, "principal", None), Principal):
        raise Unauthenticated
    pipeline, principal = _pipeline(request), principal_of(request)
    request_id = request_id_of(request)
    if not deployment:
        mine = pipeline.deployments_for(principal, Operation.CHAT_COMPLETIONS)
        if not mine:
            raise Forbidden("Your role may use no deployment here.")
        deployment = mine[0].name
    messages = [{"role": "user", "content": said}] if isinstance(said, str) else list(said)
    if instructions:
        messages.insert(0, {"role": "system", "content": instructions})
    body: JsonObject = {"model": deployment, "messages": messages}
    if streamed:
        body["stream"] = True
    checked = pipeline.checked(principal, body, request_id=request_id)
    return await pipeline.begin(principal, checked, request_id=request_id)


def _text_in(body: bytes) -> str:
    """Return the words of a chat completion's first choice."""
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ModelError("The model's answer cannot be read.") from None
    return text if isinstance(text, str) else ""
