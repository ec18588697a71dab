"""A model's events as a client reads them: unchanged, but for the usage that we asked for.

Every stream is asked for its usage, or it could not be charged; a client that did not ask sees none
(OpenAI API reference, chat completions, `stream_options.include_usage`: with it every chunk has a
member `usage`, null in all but the last).
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from secure_openai.edge.openai_errors import openai_error
from secure_openai.errors import ModelError
from secure_openai.model.interface import ServerSentEvent
from secure_openai.types import JsonObject, Operation

_NULL_USAGE = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,')
"""Never within a text: a quotation mark of a text's own is written with a backslash before it."""


async def passed_on(
    events: AsyncGenerator[ServerSentEvent, None],
    operation: Operation,
    include_usage: bool,  # noqa: FBT001 - what the client asked for
) -> AsyncGenerator[bytes, None]:
    """Yield what goes out as it comes, what came together in one piece: each asks the system once.

    A failure of the model is the last event. Closing this closes `events`.
    """
    sent = 0
    together: list[bytes] = []
    try:
        async with aclosing(events):
            async for event in events:
                piece = event.raw if include_usage else without_usage(event)
                if piece:
                    sent += 1
                    together.append(piece)
                if together and not event.followed:
                    yield b"".join(together)
                    together.clear()
    except ModelError as error:
        # The status has gone out; an error event is what OpenAI's clients raise from.
        together.append(_error_event(error, operation, sent))
    if together:
        yield b"".join(together)


def without_usage(event: ServerSentEvent) -> bytes:
    """Return a chunk's bytes without the usage; empty where it was made for nothing else."""
    if b'"usage"' not in event.data:
        return event.raw
    slim = _NULL_USAGE.sub(b"", event.data)
    if slim != event.data and b'"usage"' not in slim:
        return b"data: " + slim + b"\n\n"
    try:
        payload = dict(event.parsed)
    except ValueError:
        return event.raw
    if payload.pop("usage", None) is None:
        return event.raw
    if not payload.get("choices"):
        return b""
    return _data(payload)


def _error_event(error: ModelError, operation: Operation, sent: int) -> bytes:
    payload = openai_error(error)
    if operation is not Operation.RESPONSES:
        return _data(payload)
    # The reference has the members beside `type`; the service, and what clients raise from, an
    # `error` around them.
    told = payload["error"]
    flat = {name: told[name] for name in ("code", "message", "param")}
    return b"event: error\n" + _data({"type": "error", "sequence_number": sent, **flat, **payload})


def _data(payload: JsonObject) -> bytes:
    # In ASCII: half of a surrogate pair is JSON, and no UTF-8.
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"
