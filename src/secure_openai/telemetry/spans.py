"""Spans: what took how long, under which request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from secure_openai.errors import SecureOpenAIError
from secure_openai.telemetry.names import ERROR, SCOPE

SERVER_ERROR = 500

tracer = trace.get_tracer(SCOPE)


@contextmanager
def span(
    name: str, attributes: Mapping[str, str] | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> Iterator[Span]:
    """Be within a span until the block is left; what went wrong is told by its kind alone.

    A refusal is no failure of ours and leaves the status as it is, as HTTP's conventions have it.

    What the API records of an exception by itself is its words, which may quote what was typed.
    """
    with tracer.start_as_current_span(
        name,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute(ERROR.name, error_type(error))
            if not isinstance(error, SecureOpenAIError) or error.http_status >= SERVER_ERROR:
                current.set_status(Status(StatusCode.ERROR))
            raise


def failed(current: Span, kind: str) -> None:
    """Say that a span ended in failure."""
    current.set_attribute(ERROR.name, kind)
    current.set_status(Status(StatusCode.ERROR))


def error_type(error: BaseException) -> str:
    """Return what a failure is called: a problem by its own name, anything else by its class."""
    return error.problem if isinstance(error, SecureOpenAIError) else type(error).__name__


def trace_id() -> str:
    """Return the id of the trace that is under way, 32 hexadecimal digits, or `""`."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


def span_id() -> str:
    """Return the id of the span that is under way, 16 hexadecimal digits, or `""`."""
    context = trace.get_current_span().get_span_context()
    return trace.format_span_id(context.span_id) if context.is_valid else ""
