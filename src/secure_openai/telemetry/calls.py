"""A call of a model, as it is observed: one span, its duration, its first event and its tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from time import perf_counter

from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from secure_openai.telemetry import metrics, names
from secure_openai.telemetry.spans import NO_SPAN, Within, begun, failed, unseen
from secure_openai.telemetry.sums import Told
from secure_openai.types import Attempt, Operation, Usage

_OPERATIONS = {
    Operation.CHAT_COMPLETIONS: "chat",
    Operation.RESPONSES: "chat",
    Operation.EMBEDDINGS: "embeddings",
}
"""What the conventions call an operation (`gen_ai.operation.name`)."""


KINDS = 1000
"""Of so many the attributes are held: deployments by members by errors are fewer."""


class _Kind:
    """What many calls have in common."""

    def __init__(self, operation: str, provider: str, deployment: str) -> None:
        self.name = f"{operation} {deployment}"
        self.told: Mapping[str, str | bool] = {
            names.OPERATION.name: operation,
            names.PROVIDER.name: provider,
            names.DEPLOYMENT.name: deployment,
        }


@lru_cache(KINDS)
def _kind(operation: Operation, provider: str, deployment: str) -> _Kind:
    return _Kind(_OPERATIONS[operation], provider, deployment)


@lru_cache(KINDS)
def _ended(kind: _Kind, member: str, error: str | None) -> Told:
    told = dict(kind.told)
    if member:
        told[names.MEMBER.name] = member
    if error is not None:
        told[names.ERROR.name] = error
    return told


@lru_cache(KINDS)
def _counted(kind: _Kind, tokens: str, estimated: bool) -> Told:  # noqa: FBT001 - cached by place
    return {
        **kind.told,
        names.ESTIMATED.name: estimated,
        names.TOKEN_TYPE.name: tokens,
    }


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
        self._kind = _kind(operation, provider, deployment)
        self._span = (
            INVALID_SPAN
            if unseen()
            else begun(
                self._kind.name,
                {**self._kind.told, names.STREAM.name: stream},
                SpanKind.CLIENT,
            )
        )
        self._began = perf_counter()
        self._first: float | None = None

    def active(self) -> AbstractContextManager[Span]:
        """Be within the call's span until the block is left, which does not end it."""
        return NO_SPAN if self._span is INVALID_SPAN else Within(self._span, ends=False)

    def answered(self) -> None:
        """Note that the first event has come."""
        if self._first is None:
            self._first = perf_counter() - self._began

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
        seconds = perf_counter() - self._began
        if self._first is not None:
            metrics.first_chunk.record(self._first, _ended(self._kind, member, None))
        for attempt in attempts:
            metrics.failed_attempts.add(
                1, {names.MEMBER.name: attempt.member, names.ERROR.name: attempt.outcome}
            )
        if usage is not None:
            estimated = usage.estimated
            counted = _counted(self._kind, "input", estimated)
            metrics.token_usage.record(usage.prompt_tokens, counted)
            counted = _counted(self._kind, "output", estimated)
            metrics.token_usage.record(usage.completion_tokens, counted)
        metrics.operation_duration.record(seconds, _ended(self._kind, member, error))
        if self._span is INVALID_SPAN:
            return
        if self._span.is_recording():
            self._span.set_attributes(_told(usage, finish_reason, member))
            if error is not None:
                failed(self._span, error)
        self._span.end()


def _told(
    usage: Usage | None, finish_reason: str | None, member: str
) -> dict[str, str | bool | int | list[str]]:
    told: dict[str, str | bool | int | list[str]] = {}
    if usage is not None:
        told[names.INPUT_TOKENS.name] = usage.prompt_tokens
        told[names.OUTPUT_TOKENS.name] = usage.completion_tokens
        told[names.ESTIMATED.name] = usage.estimated
    if finish_reason is not None:
        told[names.FINISH.name] = [finish_reason]
    if member:
        told[names.MEMBER.name] = member
    return told
