"""Spans: what took how long, under which request."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar, Token

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from secure_openai.errors import SecureOpenAIError
from secure_openai.telemetry.names import ERROR, SCOPE

SERVER_ERROR = 500

tracer = trace.get_tracer(SCOPE)

_UNSEEN: ContextVar[bool] = ContextVar("unseen", default=False)
"""Whether the trace that is under way is not kept. The API's own context says so too, after
several calls, which all spans of such a trace together cost more than deciding about a request."""


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
        self._unseen: Token[bool] | None = None

    def __enter__(self) -> Span:
        found = self.current.get_span_context()
        if found.is_valid:
            self._token = context.attach(trace.set_span_in_context(self.current))
            self._unseen = _UNSEEN.set(not found.trace_flags.sampled)
        return self.current

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if self._token is not None and self._unseen is not None:
            _UNSEEN.reset(self._unseen)
            context.detach(self._token)
        if self._ends:
            if error is not None:
                _tell(self.current, error)
            self.current.end()


NO_SPAN = Within(trace.INVALID_SPAN)
"""A block without a span: it keeps nothing, so that all may be within it."""


def begun(
    name: str,
    attributes: Mapping[str, str | bool] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    under: context.Context | None = None,
) -> Span:
    """Begin a span, under the current one or under a context that is given.

    Under one that is not kept none is made: nobody would see it.
    """
    if under is None and _UNSEEN.get():
        return trace.INVALID_SPAN
    return tracer.start_span(name, context=under, kind=kind, attributes=attributes)


def span(
    name: str,
    attributes: Mapping[str, str] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    under: context.Context | None = None,
) -> Within:
    """Begin a span that is current, and ends, with a block; see `begun`."""
    if under is None and _UNSEEN.get():
        return NO_SPAN
    return Within(begun(name, attributes, kind, under=under))


def past(
    name: str,
    attributes: Mapping[str, str],
    kind: SpanKind,
    *,
    seconds: float,
    error: BaseException | None = None,
) -> None:
    """Tell of something that took some seconds and has ended: a span under the current one."""
    if _UNSEEN.get():
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
    return _UNSEEN.get()


def trace_id() -> str:
    """Return the id of the trace that is under way, 32 hexadecimal digits, or `""`."""
    found = trace.get_current_span().get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else ""


def span_id() -> str:
    """Return the id of the span that is under way, 16 hexadecimal digits, or `""`."""
    found = trace.get_current_span().get_span_context()
    return trace.format_span_id(found.span_id) if found.is_valid else ""
