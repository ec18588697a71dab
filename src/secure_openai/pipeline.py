"""The way of every request to a model: admit, complete, settle.

    async with pipeline.run(principal, request, request_id=...) as completion:
        async for event in completion.events():
            ...

*admit* decides, reserves quota and queues the audit record; a refusal never reaches the model and
leaves a record with its reason and without its text. *complete* opens the model and hands its
events on. *settle* charges what was used in place of what was reserved and records the end; it
happens however the block is left, and finishes even when the client has gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from secure_openai.errors import ContentFiltered, ModelError, Refused, SecureOpenAIError, StoreError
from secure_openai.model.interface import (
    Model,
    ModelRequest,
    ModelResponse,
    ServerSentEvent,
    usage_of,
)
from secure_openai.policy.decision import Admittance, Policy
from secure_openai.policy.estimate import estimate_prompt_tokens, estimate_text_tokens
from secure_openai.policy.fields import ChatCompletions
from secure_openai.store.audit import AuditEvent, AuditStore
from secure_openai.store.usage import Reservation, UsageStore
from secure_openai.streams import Background
from secure_openai.types import (
    Clock,
    Deployment,
    JsonObject,
    Limits,
    Principal,
    Reason,
    Usage,
    utc_now,
)

logger = logging.getLogger(__name__)

_WITH_FACTS = re.compile(rb'"usage":\s*\{|"finish_reason":\s*"')

RESERVATION_SECONDS = 60.0
"""How long quota stays reserved for a process that died."""


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

    def __init__(self, admission: Admission, model: Model) -> None:
        self.admission = admission
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.failure: ModelError | None = None
        self._model = model
        self._response: ModelResponse | None = None
        self._output_tokens = 0
        self._asked = False
        self._ended = False

    @property
    def ended(self) -> bool:
        """Return whether the model came to the end of its answer."""
        return self._ended

    async def open(self) -> None:
        """Send the request; return when the answer has begun.

        Raises:
            ModelError: As `Model.open` does.
        """
        self._asked = True
        with self._noting():
            self._response = await self._model.open(self.admission.request)

    async def events(self) -> AsyncGenerator[ServerSentEvent, None]:
        """Yield the answer's events as they come, opening the model first if need be.

        Raises:
            ModelError: As `Model.open` and `ModelResponse.events` do.
        """
        if self._response is None:
            await self.open()
        assert self._response is not None  # noqa: S101 - open() has set it or raised
        with self._noting():
            async for event in self._response.events():
                self._note(event)
                yield event

    async def read(self) -> bytes:
        """Return the body of an answer that is not streamed, opening the model first if need be.

        Raises:
            ModelError: As `Model.open` and `ModelResponse.read` do.
        """
        if self._response is None:
            await self.open()
        assert self._response is not None  # noqa: S101 - open() has set it or raised
        with self._noting():
            body = await self._response.read()
        payload = json.loads(body)
        # Half of the JSON around a short answer is framing; a model that reports is believed.
        self._output_tokens = estimate_text_tokens(body.decode(errors="replace")) // 2
        self.usage = usage_of(payload)
        self.finish_reason = finish_reason_of(payload)
        self._ended = True
        return body

    def _note(self, event: ServerSentEvent) -> None:
        if event.is_done:
            self._ended = True
            return
        if not event.data:
            return
        self._output_tokens += 1
        # Looking for a word is cheap, reading JSON is not: most events carry neither.
        if _WITH_FACTS.search(event.data):
            with contextlib.suppress(ValueError):
                self.usage = usage_of(event.parsed) or self.usage
                self.finish_reason = finish_reason_of(event.parsed) or self.finish_reason

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except ModelError as error:
            self.failure = error
            raise

    async def aclose(self) -> None:
        """Stop the model's work at once."""
        if self._response is not None:
            await self._response.aclose()

    @property
    def charge(self) -> Usage | None:
        """Return what to charge, or `None` where the model did no work.

        What the model reported is charged as it stands. A stream cut off is charged its estimated
        prompt and one token for each event seen; a call that was not streamed and whose client
        left, its whole reservation; a model that failed before it began, nothing. A prompt that
        the content filter blocked was processed, and Azure bills it.
        """
        if self.usage is not None:
            return self.usage
        prompt = self.admission.prompt_tokens
        if isinstance(self.failure, ContentFiltered):
            return Usage(prompt, 0, estimated=True)
        if self._output_tokens:
            return Usage(prompt, self._output_tokens, estimated=True)
        if self.failure is not None or not self._asked:
            return None
        if self.admission.request.stream:
            return Usage(prompt, 0, estimated=True)
        return Usage(prompt, self.admission.reservation.tokens - prompt, estimated=True)


def finish_reason_of(payload: JsonObject) -> str | None:
    """Return the first choice's finish reason, or `None`."""
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None
    reason = choices[0].get("finish_reason")
    return reason if isinstance(reason, str) else None


class Pipeline:
    """Joins policy, usage, audit and model; both doors go through it."""

    def __init__(
        self,
        *,
        policy: Policy,
        usage: UsageStore,
        audit: AuditStore,
        model: Model,
        background: Background,
        clock: Clock = utc_now,
    ) -> None:
        self._policy = policy
        self._usage = usage
        self._audit = audit
        self._model = model
        self._background = background
        self._clock = clock
        self._alive: dict[str, Reservation] = {}

    def deployments_for(self, principal: Principal) -> Sequence[Deployment]:
        """Return the deployments that the principal may use."""
        return self._policy.deployments_for(principal, self._model.deployments)

    def allowance(self, principal: Principal, deployment: str) -> Admittance:
        """Return what policy allows the principal of a deployment, without reserving anything.

        Raises:
            Refused: The principal may not use it.
        """
        return self._policy.admit(
            principal, deployment, self._model.deployments, prompt_tokens=0, answer_tokens=None
        )

    @asynccontextmanager
    async def run(
        self, principal: Principal, request: ChatCompletions, *, request_id: str
    ) -> AsyncIterator[Completion]:
        """Admit, hand out the completion, and settle however the block is left.

        Raises:
            Refused: Policy or quota refuses.
            AuditUnavailable: Nothing that must be audited may happen now.
        """
        admission = await self.admit(principal, request, request_id=request_id)
        completion = Completion(admission, self._model)
        started = time.monotonic()
        try:
            yield completion
        finally:
            self._alive.pop(admission.reservation.id, None)
            settlement = self._settle(completion, time.monotonic() - started)
            await self._background.finish(settlement)

    async def admit(
        self, principal: Principal, request: ChatCompletions, *, request_id: str
    ) -> Admission:
        """Decide, reserve, and queue the audit record.

        Raises:
            Refused: Policy or quota refuses; the refusal is recorded.
            AuditUnavailable: The audit cannot be written.
        """
        self._audit.ensure_writable()
        prompt_tokens = estimate_prompt_tokens(request.body)
        try:
            admittance = self._policy.admit(
                principal,
                request.deployment,
                self._model.deployments,
                prompt_tokens=prompt_tokens,
                answer_tokens=request.answer_tokens,
                choices=request.choices,
            )
            answer_tokens = admittance.answer_tokens * request.choices
            reservation = await self._usage.reserve(
                principal.id,
                admittance.deployment.name,
                tokens=prompt_tokens + answer_tokens,
                limits=admittance.limits,
                now=self._clock(),
                lifetime=RESERVATION_SECONDS,
            )
        except Refused as refusal:
            self._record(
                "completion.refused",
                principal,
                request.deployment,
                request_id,
                decision="refused",
                reason=refusal.decision.reason,
                facts={"prompt_tokens_estimated": prompt_tokens},
            )
            raise
        admission = Admission(
            principal=principal,
            deployment=admittance.deployment,
            limits=admittance.limits,
            reservation=reservation,
            prompt_tokens=prompt_tokens,
            request=ModelRequest(
                deployment=admittance.deployment.name,
                body=bounded(request, admittance.deployment, admittance.answer_tokens),
                stream=request.stream,
                request_id=request_id,
            ),
        )
        try:
            self._record(
                "completion.admitted",
                principal,
                admittance.deployment.name,
                request_id,
                decision="allowed",
                reason=Reason.ADMITTED,
                facts={"tokens_reserved": reservation.tokens},
            )
        except SecureOpenAIError:
            await self._background.finish(self._usage.release(reservation))
            raise
        self._alive[reservation.id] = reservation
        return admission

    async def keep_reservations(self) -> None:
        """Renew what is alive, for ever; one task for all requests. Cancel it to stop."""
        while True:
            await asyncio.sleep(RESERVATION_SECONDS / 3)
            expires = self._clock() + timedelta(seconds=RESERVATION_SECONDS)
            for reservation in tuple(self._alive.values()):
                try:
                    await self._usage.renew(reservation, expires=expires)
                except StoreError:
                    logger.warning("a reservation could not be renewed")

    async def _settle(self, completion: Completion, seconds: float) -> None:
        await completion.aclose()
        admission = completion.admission
        charge = completion.charge
        try:
            if charge is None:
                await self._usage.release(admission.reservation)
            else:
                await self._usage.settle(admission.reservation, charge)
        except StoreError:
            # The reservation stands until it expires: counted too much for a minute, never lost.
            logger.exception("usage could not be settled")
        facts: JsonObject = {
            "latency_ms": round(seconds * 1000),
            "ended": completion.ended,
            "finish_reason": completion.finish_reason,
        }
        if charge is not None:
            facts |= {
                "prompt_tokens": charge.prompt_tokens,
                "completion_tokens": charge.completion_tokens,
                "estimated": charge.estimated,
            }
        if isinstance(completion.failure, ContentFiltered):
            facts["content_filter"] = list(completion.failure.categories)
        with contextlib.suppress(StoreError):
            self._record(
                "completion.settled",
                admission.principal,
                admission.deployment.name,
                admission.request.request_id,
                decision="allowed",
                reason=_outcome(completion),
                facts=facts,
            )

    def _record(
        self,
        action: str,
        principal: Principal,
        deployment: str,
        request_id: str,
        *,
        decision: str,
        reason: str,
        facts: JsonObject,
    ) -> None:
        facts = {**facts, "kind": principal.kind.value}
        if principal.client_id is not None:
            facts["client_id"] = principal.client_id
        self._audit.append(
            AuditEvent(
                action=action,
                at=self._clock(),
                principal=principal.id,
                decision=decision,
                reason=str(reason),
                deployment=deployment,
                request_id=request_id,
                facts=facts,
            )
        )


def bounded(request: ChatCompletions, deployment: Deployment, answer_tokens: int) -> JsonObject:
    """Return the body with the answer bounded, in the field that the deployment reads."""
    body = {
        name: value
        for name, value in request.body.items()
        if name not in {"max_tokens", "max_completion_tokens", "store"}
    }
    body[deployment.parameters.max_tokens_field] = answer_tokens
    return body


def _outcome(completion: Completion) -> str:
    if completion.failure is not None:
        return completion.failure.slug
    if completion.ended:
        return "completed"
    return "interrupted"
