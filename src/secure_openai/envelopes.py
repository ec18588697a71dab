"""Spans as Azure Monitor takes them, each after another that its library has put together.

The library takes a third of a millisecond of the interpreter for a span, as much as deciding about
a request. All of an envelope but a moment, a duration, ids and counts of tokens is the same for all
spans of a shape, so the library is asked once for each shape.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from opentelemetry.trace import INVALID_SPAN_CONTEXT

from secure_openai.telemetry import names

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

MOST_SHAPES = 1000
"""How many are held at once: names of spans by what their attributes may be are fewer."""

COUNTS = frozenset({names.INPUT_TOKENS.name, names.OUTPUT_TOKENS.name})
"""Attributes of which hardly two spans have the same."""

TRACE, PARENT = "ai.operation.id", "ai.operation.parentId"

Envelope: TypeAlias = dict[str, Any]
"""What is sent of a span, as JSON has it."""


class Envelopes:
    """Puts spans of one resource into envelopes, in one thread at a time.

    Args:
        convert: The library's way, which decides what an envelope of a shape holds.
    """

    def __init__(self, convert: Callable[[ReadableSpan], Envelope]) -> None:
        self._convert = convert
        self._first: dict[object, Envelope | None] = {}

    def of(self, span: ReadableSpan) -> Envelope:
        """Return what the library would make of a span.

        Where it makes something else of the first span of a shape than is known here, all of that
        shape are left to it, and so are spans with links, which we make none of.
        """
        if span.links:
            return self._convert(span)
        told = dict(span.attributes or {})
        counts = {name: str(told[name]) for name in COUNTS & told.keys()}
        shape = (
            *(span.name, span.kind, span.status.status_code, span.parent is None),
            *(name if name in counts else (name, value) for name, value in told.items()),
        )
        try:
            first = self._first[shape]
        except KeyError:
            # As JSON has it: the library names tags by members of an enumeration.
            found: Envelope = json.loads(json.dumps(self._convert(span)))
            if len(self._first) >= MOST_SHAPES:
                self._first.clear()
            self._first[shape] = found if _like(found, span, counts) == found else None
            return found
        return self._convert(span) if first is None else _like(first, span, counts)


def _like(first: Envelope, span: ReadableSpan, counts: dict[str, str]) -> Envelope:
    """Return an envelope with what is a span's own in it."""
    own, parent = span.get_span_context() or INVALID_SPAN_CONTEXT, span.parent
    data = first["data"]
    began, ended = span.start_time or 0, span.end_time or 0
    tags = {**first["tags"], TRACE: f"{own.trace_id:032x}"}
    if parent is not None:
        tags[PARENT] = f"{parent.span_id:016x}"
    base = {
        **data["baseData"],
        "id": f"{own.span_id:016x}",
        "duration": _duration(ended - began),
    }
    if counts:
        base["properties"] = {**base["properties"], **counts}
    when = datetime.fromtimestamp(began / 1e9, UTC).isoformat().replace("+00:00", "Z")
    return {**first, "tags": tags, "time": when, "data": {**data, "baseData": base}}


def _duration(nanoseconds: int) -> str:
    """Return a duration as Application Insights writes it: days.hours:minutes:seconds."""
    seconds, milliseconds = divmod((nanoseconds + 500_000) // 1_000_000, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}.{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
