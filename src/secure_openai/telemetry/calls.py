"""A call of a model, as it is observed: one span, its duration, its first event and its tokens."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from secure_openai.telemetry import metrics, names
from secure_openai.telemetry.spans import failed, tracer
from secure_openai.types import Attempt, Operation, Usage

_OPERATIONS = {
    Operation.CHAT_COMPLETIONS: "chat",
    Operation.RESPONSES: "chat",
    Operation.EMBEDDINGS: "embeddings",
}
"""What the conventions call an operation (`gen_ai.operation.name`)."""


class ModelCall:
    """One call; it begins when it is made, and ends once.

    Args:
        operation: What is asked.
        provider: Who answers.
        deployment: Of which deployment.
        stream: Whether the answer is streamed.
    """

    def __init__(
        self, *, operation: Operation, provider: str, deployment: str, stream: bool
    ) -> None:
        name = _OPERATIONS[operation]
        self._attributes: dict[str, str] = {
            names.OPERATION.name: name,
            names.PROVIDER.name: provider,
            names.DEPLOYMENT.name: deployment,
        }
        self._span = tracer.start_span(
            f"{name} {deployment}",
            kind=SpanKind.CLIENT,
            attributes={**self._attributes, names.STREAM.name: stream},
        )
        self._began = time.perf_counter()
        self._first: float | None = None

    def active(self) -> AbstractContextManager[Span]:
        """Be within the call's span until the block is left, which does not end it."""
        return trace.use_span(self._span, record_exception=False, set_status_on_exception=False)

    def answered(self) -> None:
        """Note that the first event has come."""
        if self._first is None:
            self._first = time.perf_counter() - self._began

    def end(
        self,
        *,
        usage: Usage | None,
        finish_reason: str | None,
        error: str | None,
        member: str,
        attempts: Iterable[Attempt],
    ) -> None:
        """End the call.

        Args:
            usage: What it took.
            finish_reason: As the model said.
            error: The slug of what broke it off.
            member: Who answered, in a pool.
            attempts: Who was asked before and did not answer.
        """
        seconds = time.perf_counter() - self._began
        told = dict(self._attributes)
        if member:
            told[names.MEMBER.name] = member
            self._span.set_attribute(names.MEMBER.name, member)
        if self._first is not None:
            metrics.first_chunk.record(self._first, told)
        for attempt in attempts:
            metrics.failed_attempts.add(
                1, {names.MEMBER.name: attempt.member, names.ERROR.name: attempt.outcome}
            )
        if usage is not None:
            self._count(usage)
        if finish_reason is not None:
            self._span.set_attribute(names.FINISH.name, [finish_reason])
        if error is not None:
            told[names.ERROR.name] = error
            failed(self._span, error)
        metrics.operation_duration.record(seconds, told)
        self._span.end()

    def _count(self, usage: Usage) -> None:
        told: dict[str, str | bool] = {**self._attributes, names.ESTIMATED.name: usage.estimated}
        for kind, tokens in (("input", usage.prompt_tokens), ("output", usage.completion_tokens)):
            metrics.token_usage.record(tokens, {**told, names.TOKEN_TYPE.name: kind})
        self._span.set_attribute(names.INPUT_TOKENS.name, usage.prompt_tokens)
        self._span.set_attribute(names.OUTPUT_TOKENS.name, usage.completion_tokens)
        self._span.set_attribute(names.ESTIMATED.name, usage.estimated)
