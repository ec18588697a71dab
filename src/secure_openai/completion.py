"""An admitted request on its way: open the model, read the answer, know what it took."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from secure_openai.errors import AnswerCutOff, ContentFiltered, ModelError
from secure_openai.model.content_filter import categories_of, named, verdicts_of, worst
from secure_openai.model.interface import (
    Model,
    ModelRequest,
    ModelResponse,
    ServerSentEvent,
    usage_of,
)
from secure_openai.policy.estimate import estimate_text_tokens
from secure_openai.store.usage import Reservation
from secure_openai.telemetry.calls import ModelCall
from secure_openai.types import (
    Attempt,
    Deployment,
    JsonObject,
    Limits,
    Operation,
    Principal,
    Usage,
    Verdict,
)

FINISH_REASONS = frozenset({"content_filter", "function_call", "length", "stop", "tool_calls"})
"""What a choice may end with (OpenAI API reference, chat completion object)."""

BYTES_PER_TOKEN = 4096
"""More than one token's event ever takes, Azure's content-filter results included."""

SLACK_BYTES = 1_048_576

ECHOED_BYTES_PER_TOKEN = 64
"""A response says its instructions and tools again, in three of its events."""

_WITH_FACTS = re.compile(rb'"usage":\s*\{|"finish_reason":\s*"')
_FILTERED = b"content_filter"
"""What names everything that the content filter says."""

_FLAGGED = re.compile(rb':\s*(?:true|"(?:low|medium|high)")')
"""What an event holds where the content filter found something; everywhere else it is `safe`."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that may go to the model.

    Attributes:
        principal: Who asks.
        deployment: Which deployment answers.
        limits: What bounds it.
        reservation: The quota set aside.
        prompt_tokens: The prompt's estimate.
        request: What goes to the model.
    """

    principal: Principal
    deployment: Deployment
    limits: Limits
    reservation: Reservation
    prompt_tokens: int
    request: ModelRequest


class Completion:
    """An admitted request on its way: open the model, read the answer, know what it took."""

    def __init__(self, admission: Admission, model: Model, *, provider: str = "") -> None:
        self.admission = admission
        self.began = time.monotonic()
        self._call = ModelCall(
            operation=admission.request.operation,
            provider=provider,
            deployment=admission.deployment.name,
            stream=admission.request.stream,
        )
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.failure: ModelError | None = None
        self._model = model
        self._response: ModelResponse | None = None
        self._verdicts: tuple[Verdict, ...] = ()
        self._output_tokens = 0
        self._output_bytes = 0
        self._largest_bytes = SLACK_BYTES + BYTES_PER_TOKEN * max(
            0, admission.reservation.tokens - admission.prompt_tokens
        )
        if admission.request.operation is Operation.RESPONSES:
            self._largest_bytes += ECHOED_BYTES_PER_TOKEN * admission.prompt_tokens
        self._asked = False
        self._ended = False

    @property
    def ended(self) -> bool:
        """Return whether the model came to the end of its answer."""
        return self._ended

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Return what the content filter found in prompt and answer, the gravest of each."""
        blocked = self.failure.verdicts if isinstance(self.failure, ContentFiltered) else ()
        return worst((*self._verdicts, *blocked))

    @property
    def note(self) -> str | None:
        """Return what the end says to the reader, or `None` where it needs no word."""
        if self.finish_reason == "length":
            return "The answer reached the largest length allowed and stops here."
        if self.finish_reason == "content_filter":
            stopped = named(categories_of(self.verdicts, "answer"))
            return f"The content filter stopped this answer{stopped}. Ask in another way."
        return None

    @property
    def member(self) -> str:
        """Return which member of a pool answers; empty where none does, or there is no pool."""
        return "" if self._response is None else self._response.member

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Return who was asked and did not answer, in a pool."""
        if self._response is not None:
            return self._response.attempts
        return () if self.failure is None else self.failure.attempts

    async def open(self) -> None:
        """Send the request; return when the answer has begun.

        Raises:
            ModelError: As `Model.open` does.
        """
        self._asked = True
        try:
            with self._call.active():
                self._response = await self._model.open(self.admission.request)
        except ModelError as error:
            self._fail(error)
            raise
        if self.admission.request.stream:
            self._call.answered()

    def _fail(self, error: ModelError) -> None:
        self.failure = error
        error.standing = self.admission.reservation.standing

    async def events(self) -> AsyncGenerator[ServerSentEvent, None]:
        """Yield the answer's events as they come, opening the model first if need be.

        Raises:
            ModelError: As `Model.open` and `ModelResponse.events` do.
        """
        if self._response is None:
            await self.open()
        assert self._response is not None  # noqa: S101 - open() has set it or raised
        try:
            async for event in self._response.events():
                self._note(event)
                yield event
        except ModelError as error:
            self.failure = error
            raise

    async def read(self) -> bytes:
        """Return the body of an answer that is not streamed, opening the model first if need be.

        Raises:
            ModelError: As `Model.open` and `ModelResponse.read` do.
        """
        if self._response is None:
            await self.open()
        assert self._response is not None  # noqa: S101 - open() has set it or raised
        try:
            body, payload = await self._response.read()
        except ModelError as error:
            self._fail(error)
            raise
        reported = usage_of(payload)
        believed = self._believed(reported)
        if believed is None or not believed.completion_tokens:
            self._estimate_output(body)
        self._take_facts(payload, body, reported)
        self._ended = True
        return body

    def _estimate_output(self, body: bytes) -> None:
        """Count what an answer took whose usage is not reported, or not believed."""
        if self.admission.request.operation is not Operation.EMBEDDINGS:
            # Half of the JSON around a short answer is framing.
            self._output_tokens = estimate_text_tokens(body.decode(errors="replace")) // 2

    def _take_facts(self, payload: JsonObject, text: bytes, reported: Usage | None) -> None:
        self.usage = self._believed(reported) or self.usage
        self.finish_reason = finish_reason_of(payload) or self.finish_reason
        if _FILTERED in text and (verdicts := verdicts_of(payload)):
            self._verdicts = worst((*self._verdicts, *verdicts))

    def _believed(self, reported: Usage | None) -> Usage | None:
        """Return a reported usage unless it cannot be: larger than the window, or no answer."""
        if reported is None:
            return None
        choices = self.admission.request.body.get("n") or 1
        most = choices * self.admission.deployment.parameters.window_tokens
        most = max(most, 2 * self.admission.reservation.tokens)
        if max(reported.prompt_tokens, reported.completion_tokens) > most:
            return None
        if self._output_tokens > 1 and reported.completion_tokens == 0:
            # An answer took tokens, whatever the model says of it.
            return None
        return reported

    def _note(self, event: ServerSentEvent) -> None:
        self._output_bytes += len(event.raw)
        if self._output_bytes > self._largest_bytes:
            raise ModelError("The model's answer is longer than was allowed.")
        if event.is_done:
            self._ended = True
        elif event.data:
            self._output_tokens += 1
        # Looking for a word is cheap, reading JSON is not: most events carry neither.
        if (
            event.is_done
            or _WITH_FACTS.search(event.data) is not None
            or _FLAGGED.search(event.data) is not None
        ):
            with contextlib.suppress(ValueError):
                payload = event.parsed
                self._take_facts(payload, event.data, usage_of(payload))

    async def aclose(self) -> None:
        """Stop the model's work at once, and say what became of it."""
        if self._response is not None:
            await self._response.aclose()
        self._call.end(
            usage=self.charge,
            finish_reason=self.finish_reason,
            error=None if self._ended else self.outcome,
            member=self.member,
            attempts=self.attempts,
        )

    @property
    def outcome(self) -> str:
        """Return how it ended, for the audit: `completed`, `interrupted`, or a problem's slug."""
        if self.failure is not None:
            return self.failure.slug
        return "completed" if self._ended else "interrupted"

    @property
    def charge(self) -> Usage | None:
        """Return what to charge, or `None` where the model did no work.

        What the model reported is charged as it stands. A stream cut off is charged its estimated
        prompt and one token for each event seen; a call that was not streamed and whose client
        left, its whole reservation; a model that failed before it began, nothing. A prompt that
        the content filter blocked was processed, and Azure bills it. An answer that this process
        cut off is charged as if its client had left: the model worked on.
        """
        if self.usage is not None:
            return self.usage
        prompt = self.admission.prompt_tokens
        if isinstance(self.failure, ContentFiltered):
            return Usage(prompt, 0, estimated=True)
        if self._output_tokens:
            return Usage(prompt, self._output_tokens, estimated=True)
        failed = self.failure is not None and not isinstance(self.failure, AnswerCutOff)
        if failed or not self._asked:
            return None
        if self.admission.request.stream:
            return Usage(prompt, 0, estimated=True)
        return Usage(prompt, self.admission.reservation.tokens - prompt, estimated=True)


def finish_reason_of(payload: JsonObject) -> str | None:
    """Return the first choice's finish reason, `other` if it is none of OpenAI's, or `None`.

    A response says how it ended by its status: that is put in the words of a finish reason. It is
    recorded: a model must not be able to write a text of its own into the audit.
    """
    inner = payload.get("response")
    response = inner if isinstance(inner, dict) else payload
    if isinstance(response.get("status"), str):
        return _response_reason(response)
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None
    reason = choices[0].get("finish_reason")
    if not isinstance(reason, str):
        return None
    return reason if reason in FINISH_REASONS else "other"


def _response_reason(response: JsonObject) -> str | None:
    """Source: OpenAI API reference, response object: `status`, `incomplete_details`."""
    match response["status"]:
        case "queued" | "in_progress":
            return None
        case "completed":
            output = response.get("output")
            items = output if isinstance(output, list) else []
            called = any(
                isinstance(item, dict) and item.get("type") == "function_call" for item in items
            )
            return "tool_calls" if called else "stop"
        case "incomplete":
            details = response.get("incomplete_details")
            reason = details.get("reason") if isinstance(details, dict) else None
            known = {"max_output_tokens": "length", "content_filter": "content_filter"}
            return known.get(reason, "other") if isinstance(reason, str) else "other"
        case _:
            return "other"
