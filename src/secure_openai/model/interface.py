"""What every model implements: a checked request in, raw server-sent events out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from secure_openai.types import Deployment, JsonObject, Usage

DONE = b"[DONE]"
"""The data of the event that ends an OpenAI stream."""


@dataclass(frozen=True)
class ServerSentEvent:
    """One event of a stream, as it came and as it reads.

    Attributes:
        raw: The event's bytes including its closing blank line, to pass on unchanged.
        data: The event's data (WHATWG HTML, 9.2.6), lines joined by LF; empty for a comment.
    """

    raw: bytes
    data: bytes

    @property
    def is_done(self) -> bool:
        """Return whether this is the `[DONE]` that ends a stream."""
        return self.data == DONE

    @cached_property
    def parsed(self) -> JsonObject:
        """Return the data as JSON, read on first use; empty for comments and `[DONE]`.

        Raises:
            ValueError: The data is not a JSON object.
        """
        if not self.data or self.is_done:
            return {}
        try:
            value = json.loads(self.data)
        except RecursionError:
            raise ValueError("the event's data is nested too deeply") from None
        if not isinstance(value, dict):
            raise ValueError("the event's data is not a JSON object")  # noqa: TRY004 - as for JSON
        return value


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request that policy has admitted.

    Attributes:
        deployment: Which deployment; the model writes it where its wire format wants it.
        body: The checked chat-completions body. The model serialises it; the bytes that a client
            sent never get here.
        stream: Whether to answer with events. A model always asks for usage in a stream.
        request_id: Joins logs.
    """

    deployment: str
    body: JsonObject
    stream: bool
    request_id: str
    headers: dict[str, str] = field(default_factory=dict)


class ModelResponse(Protocol):
    """An answer that has begun.

    Exactly one of `events` and `read` is used, once. `aclose` stops the model's work at once; it is
    called always, also after the end, and is safe to call twice.
    """

    async def read(self) -> bytes:
        """Return the whole JSON body of an answer that is not streamed.

        Raises:
            ModelError: It broke off, or is not JSON.
        """
        ...

    def events(self) -> AsyncIterator[ServerSentEvent]:
        """Yield events as they come, `[DONE]` included.

        Raises:
            ModelTimeout: Nothing came within the idle limit.
            ModelError: The stream broke off before `[DONE]`, or the model sent an error event.
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
        """Send a request and return when the answer has begun.

        Cancelling the call cancels the model's work.

        Raises:
            ContentFiltered: The prompt was blocked.
            ModelRejected: The model refuses the request (a 4xx that is the request's fault).
            ModelThrottled: 429, with its `retry_after`.
            ModelTimeout: No answer within the connect or first-byte limit.
            ModelUnavailable: No connection.
            ModelError: Anything else.
        """
        ...

    async def ready(self) -> bool:
        """Return whether a request would probably be answered, without asking the model."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


def usage_of(payload: JsonObject) -> Usage | None:
    """Return the usage that a response or an event reports, or `None` where it reports none."""
    reported = payload.get("usage")
    if not isinstance(reported, dict):
        return None
    counts = [reported.get(name) for name in ("prompt_tokens", "completion_tokens")]
    known = [
        count
        for count in counts
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0
    ]
    return Usage(known[0], known[1]) if len(known) == len(counts) else None
