"""What every model implements: a checked request in, raw server-sent events out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from pydantic_core import from_json

from secure_openai.errors import ModelError
from secure_openai.types import (
    Attempt,
    Deployment,
    JsonObject,
    MemberHealth,
    Operation,
    Usage,
)


def read_object(text: bytes | bytearray) -> JsonObject:
    """Return what a model wrote as JSON.

    Raises:
        ValueError: It is not a JSON object.
    """
    try:
        value = from_json(text)
    except ValueError:
        # Half of a surrogate pair is JSON too, and Python's own reader lets it pass.
        try:
            value = json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - as for JSON
    return value


DONE = b"[DONE]"
"""The data of the event that ends a stream of chat completions."""

ENDS = frozenset({b"response.completed", b"response.incomplete"})
"""The names of the events that end a stream of the Responses API."""


# Not frozen: that sets each member by a call, for every event.
@dataclass
class ServerSentEvent:
    """One event of a stream, as it came and as it reads; nobody changes it.

    Attributes:
        raw: The event's bytes including its closing blank line, to pass on unchanged.
        data: The event's data (WHATWG HTML, 9.2.6), lines joined by LF; empty for a comment.
        name: The event's name, where it has one: the Responses API names every event.
        followed: Whether the next one came with it: both can go on together, and nobody waits
            between them.
    """

    raw: bytes
    data: bytes
    name: bytes = b""
    followed: bool = field(default=False, compare=False)

    @property
    def is_done(self) -> bool:
        """Return whether this event ends a stream: `[DONE]`, or a response that has ended."""
        return self.data == DONE or self.name in ENDS

    @cached_property
    def parsed(self) -> JsonObject:
        """Return the data as JSON, read on first use; empty for comments and `[DONE]`.

        Raises:
            ValueError: The data is not a JSON object.
        """
        if not self.data or self.data == DONE:
            return {}
        return read_object(self.data)


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request that policy has admitted.

    Attributes:
        deployment: Which deployment; the model writes it where its wire format wants it.
        body: The checked body. The model serialises it; the bytes that a client sent never get
            here.
        stream: Whether to answer with events. A model always asks for usage in a stream.
        request_id: Joins logs, Azure's too.
        operation: What is asked.
        tokens: Prompt and largest answer, estimated: what is asked of a deployment's capacity.
    """

    deployment: str
    body: JsonObject
    stream: bool
    request_id: str
    operation: Operation = Operation.CHAT_COMPLETIONS
    tokens: int = 0


class WholeAnswer(NamedTuple):
    """An answer that is not streamed.

    Attributes:
        raw: Its body, as it came.
        parsed: What it says.
    """

    raw: bytes
    parsed: JsonObject


class ModelResponse(Protocol):
    """An answer that has begun.

    Exactly one of `events` and `read` is used, once. `aclose` stops the model's work at once; it is
    called always, also after the end, and is safe to call twice.
    """

    @property
    def member(self) -> str:
        """Return who answers, in a pool; empty elsewhere."""
        ...

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Return who was asked before and did not answer, in a pool."""
        ...

    @property
    def failure(self) -> ModelError | None:
        """Return what broke it off, once something did."""
        ...

    async def read(self) -> WholeAnswer:
        """Return all of an answer that is not streamed.

        Raises:
            ModelError: It broke off, or is no JSON object.
        """
        ...

    def events(self) -> AsyncIterator[ServerSentEvent]:
        """Yield events as they come, the one that ends the stream included.

        Raises:
            ModelTimeout: Nothing came within the idle limit.
            ModelError: The stream broke off before its end, or the model sent an error event.
        """
        ...

    async def aclose(self) -> None:
        """Release the connection, cancelling what is under way."""
        ...


class Model(Protocol):
    """One or several deployments behind one address, or a pool of such."""

    @property
    def deployments(self) -> Sequence[Deployment]:
        """Return what is served, in the order in which to offer it."""
        ...

    async def open(self, request: ModelRequest) -> ModelResponse:
        """Send a request and return when the answer has begun: its first event, where it streams.

        Cancelling the call cancels the model's work.

        Raises:
            ContentFiltered: The prompt was blocked.
            ModelRejected: The model refuses the request (a 4xx that is the request's fault).
            DeploymentTooSmall: The deployment's capacity is smaller than the request.
            DeploymentMissing: The deployment, or its model, is not there.
            ModelForbidden: Our own credential is refused.
            ModelThrottled: 429, with its `retry_after`.
            ModelTimeout: No answer within the connect or first-byte limit.
            ModelUnavailable: No connection, or no credential to send.
            ModelError: Anything else.
        """
        ...

    async def ready(self) -> bool:
        """Return whether a request would probably be answered, without asking the model."""
        ...

    def health(self) -> Sequence[MemberHealth]:
        """Return how each member does with each deployment; empty for what is no pool."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


_COUNTS = (
    ("prompt_tokens", "completion_tokens"),
    ("input_tokens", "output_tokens"),
    ("prompt_tokens", "total_tokens"),
)
"""How chat completions, responses and embeddings name the two counts of a usage."""


LARGEST_COUNT = 2**53 - 1
"""Every reader of JSON understands it as the same number (RFC 8259, section 6)."""


def usage_of(payload: JsonObject) -> Usage | None:
    """Return the usage that a response or an event reports, or `None` where it reports none."""
    inner = payload.get("response")
    reported = (inner if isinstance(inner, dict) else payload).get("usage")
    if not isinstance(reported, dict):
        return None
    for first, second in _COUNTS:
        if first in reported and second in reported:
            prompt, other = _count(reported[first]), _count(reported[second])
            if second == "total_tokens" and prompt is not None and other is not None:
                # Embeddings have no answer to count: what is over the prompt is one all the same.
                other = _count(other - prompt)
            return None if prompt is None or other is None else Usage(prompt, other)
    return None


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= LARGEST_COUNT else None
