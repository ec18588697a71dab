"""Spans: what took how long, under which request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from functools import cached_property
from typing import TypeAlias

from opentelemetry import context, trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, TraceFlags

from secure_openai.errors import SecureOpenAIError
from secure_openai.fresh_ids import fresh_number
from secure_openai.telemetry.names import ERROR, SCOPE

SERVER_ERROR = 500

_SPAN_BITS = 64

tracer = trace.get_tracer(SCOPE)


class Unseen:
    """A trace that is not kept: a block with ids for the log and for whoever asks, and no spans.

    Nothing is made current of the API's: that costs more than deciding about a request.

    Args:
        trace_id: The id of the trace.
    """

    def __init__(self, trace_id: int) -> None:
        self.trace_id = trace_id
        self._token: Token[Unseen | None] | None = None

    @cached_property
    def span_id(self) -> int:
        """The id of its only span, drawn for who asks."""
        return fresh_number() >> _SPAN_BITS

    def context(self) -> context.Context:
        """Return a context of the API's that has these ids."""
        flags = TraceFlags(TraceFlags.RANDOM_TRACE_ID)
        ids = trace.SpanContext(self.trace_id, self.span_id, is_remote=False, trace_flags=flags)
        return trace.set_span_in_context(trace.NonRecordingSpan(ids), context.Context())

    def __enter__(self) -> Span:
        self._token = _UNSEEN.set(self)
        return INVALID_SPAN

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _UNSEEN.reset(self._token)


_UNSEEN: ContextVar[Unseen | None] = ContextVar("unseen", default=None)
"""The trace that is under way, where it is not kept."""

_DRAWN: ContextVar[int] = ContextVar("drawn", default=0)
"""The id of a trace that is kept, while it begins."""


class Within:
    """A span that is current until the block is left; what went wrong is told by its kind alone.

    What the API records of an exception by itself is its words, which may quote what was typed. A
    refusal is no failure of ours and leaves the status as it is, as HTTP's conventions have it.
    Without an SDK there is nothing to make current, which is most of what a span costs.

    Args:
        current: The span.
        ends: Whether the span ends with the block.
    """

    __slots__ = ("_ends", "_token", "_unseen", "current")

    def __init__(self, current: Span, *, ends: bool = True) -> None:
        self.current = current
        self._ends = ends
        self._token: Token[context.Context] | None = None
        self._unseen: Token[Unseen | None] | None = None

    def __enter__(self) -> Span:
        found = self.current.get_span_context()
        if found.trace_flags.sampled:
            self._token = context.attach(trace.set_span_in_context(self.current))
            self._unseen = _UNSEEN.set(None)
        elif found.is_valid:
            self._unseen = _UNSEEN.set(Unseen(found.trace_id))
        return self.current

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if self._unseen is not None:
            _UNSEEN.reset(self._unseen)
        if self._token is not None:
            context.detach(self._token)
        if self._ends:
            if error is not None:
                _tell(self.current, error)
            self.current.end()


NO_SPAN: AbstractContextManager[Span] = nullcontext(INVALID_SPAN)
"""A block without a span: it keeps nothing, so that all may be within it."""


Kept: TypeAlias = Callable[[int], bool]
"""Tells by its id whether a trace is kept."""


class _Roots:
    kept: Kept | None = None


_ROOTS = _Roots()


@contextmanager
def sampled(kept: Kept) -> Iterator[None]:
    """Make nothing of traces that are not kept, until the block is left."""
    before, _ROOTS.kept = _ROOTS.kept, kept
    try:
        yield
    finally:
        _ROOTS.kept = before


def root(name: str, kind: SpanKind) -> Within | Unseen:
    """Begin a trace, whatever is current, whose first span is current and ends with a block."""
    if _ROOTS.kept is None:
        return Within(tracer.start_span(name, context=context.Context(), kind=kind))
    drawn = fresh_number()
    if not _ROOTS.kept(drawn):
        return Unseen(drawn)
    token = _DRAWN.set(drawn)
    try:
        return Within(tracer.start_span(name, context=context.Context(), kind=kind))
    finally:
        _DRAWN.reset(token)


def drawn_trace_id() -> int:
    """Return the id of a trace that begins: the one that was found to be kept, or any."""
    return _DRAWN.get() or fresh_number()


def begun(
    name: str,
    attributes: Mapping[str, str | bool] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Span:
    """Begin a span under the current one.

    In a trace that is not kept none is made: nobody would see it.
    """
    if unseen():
        return INVALID_SPAN
    return tracer.start_span(name, kind=kind, attributes=attributes)


def span(
    name: str,
    attributes: Mapping[str, str] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> AbstractContextManager[Span]:
    """Begin a span that is current, and ends, with a block; see `begun`."""
    return NO_SPAN if unseen() else Within(begun(name, attributes, kind))


def past(
    name: str,
    attributes: Mapping[str, str],
    kind: SpanKind,
    *,
    seconds: float,
    error: BaseException | None = None,
) -> None:
    """Tell of something that took some seconds and has ended: a span under the current one."""
    if unseen():
        return
    began = time.time_ns() - int(seconds * 1e9)
    told = tracer.start_span(name, kind=kind, attributes=attributes, start_time=began)
    if error is not None:
        _tell(told, error)
    told.end()


def _tell(current: Span, error: BaseException) -> None:
    current.set_attribute(ERROR.name, error_type(error))
    refusal = isinstance(error, SecureOpenAIError) and error.http_status < SERVER_ERROR
    if not refusal:
        current.set_status(Status(StatusCode.ERROR))


def failed(current: Span, kind: str) -> None:
    """Say that a span ended in failure."""
    current.set_attribute(ERROR.name, kind)
    current.set_status(Status(StatusCode.ERROR))


def error_type(error: BaseException) -> str:
    """Return what a failure is called: a problem by its own name, anything else by its class."""
    return error.problem if isinstance(error, SecureOpenAIError) else type(error).__name__


def unseen() -> bool:
    """Return whether what is begun here is no span, since its trace is not kept."""
    return _UNSEEN.get() is not None


def trace_id() -> str:
    """Return the id of the trace that is under way, 32 hexadecimal digits, or `""`."""
    hidden = _UNSEEN.get()
    if hidden is not None:
        return f"{hidden.trace_id:032x}"
    found = trace.get_current_span().get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else ""


def span_id() -> str:
    """Return the id of the span that is under way, 16 hexadecimal digits, or `""`."""
    hidden = _UNSEEN.get()
    if hidden is not None:
        return trace.format_span_id(hidden.span_id)
    found = trace.get_current_span().get_span_context()
    return trace.format_span_id(found.span_id) if found.is_valid else ""


def context_of_log() -> context.Context:
    """Return the API's context for what is logged here: it has the ids of either kind of trace."""
    hidden = _UNSEEN.get()
    return context.get_current() if hidden is None else hidden.context()
