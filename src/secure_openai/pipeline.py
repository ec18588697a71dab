"""The way of every request to a model: admit, complete, settle.

    async with pipeline.run(principal, request, request_id=...) as completion:
        async for event in completion.events():
            ...

Whoever cannot keep a block open calls `begin` and `end`, which `run` does around its block.

*admit* decides, reserves quota and queues the audit record; a refusal never reaches the model and
leaves a record with its reason and without its text. *complete* opens the model and hands its
events on. *settle* charges what was used in place of what was reserved and records the end; it
happens however the block is left, and finishes even when the client has gone.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import NamedTuple

from secure_openai.completion import Admission, Completion
from secure_openai.errors import Refused, SecureOpenAIError, StoreError
from secure_openai.model.interface import Model, ModelRequest
from secure_openai.policy.decision import Admittance, Offer, Policy
from secure_openai.policy.estimate import estimate_prompt_tokens
from secure_openai.policy.fields import CheckedRequest, check_request
from secure_openai.store.audit import AuditEvent, AuditStore
from secure_openai.store.usage import Reservation, UsageStore, UsageTotals
from secure_openai.streams import Background, Drain, Gathering, Turn, Within, error_of
from secure_openai.telemetry import metrics, names
from secure_openai.telemetry.spans import span
from secure_openai.types import (
    Clock,
    Deployment,
    JsonObject,
    Limits,
    Operation,
    Principal,
    PrincipalKind,
    Reason,
    utc_now,
)

logger = logging.getLogger(__name__)

RESERVATION_SECONDS = 60.0
"""How long quota stays reserved for a process that died."""

RENEWED_AT_ONCE = 16


class Pipeline:
    """Joins policy, usage, audit and model; both doors go through it.

    Args:
        policy: What is allowed.
        usage: Where quota is reserved and charged.
        audit: Where it is recorded.
        model: Who answers.
        background: Where settlements finish.
        provider: What observations call who answers (`gen_ai.provider.name`).
        drain: Says what is under way.

    Attributes:
        turn: What a request awaits between two steps.
        answered: What it awaits when its answer begins.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        usage: UsageStore,
        audit: AuditStore,
        model: Model,
        background: Background,
        provider: str = "",
        drain: Drain | None = None,
        clock: Clock = utc_now,
    ) -> None:
        drain = drain or Drain()
        self.turn = Turn(drain)
        self.answered = Gathering(drain)
        self._policy = policy
        self._provider = provider
        self._usage = usage
        self._audit = audit
        self._model = model
        self._background = background
        self._clock = clock
        self._alive: dict[str, Reservation] = {}

    def deployments_for(
        self, principal: Principal, operation: Operation | None = None
    ) -> Sequence[Deployment]:
        """Return the deployments that the principal may use, or may use for one operation."""
        mine = self._policy.deployments_for(principal, self._model.deployments)
        return [one for one in mine if operation is None or operation in one.parameters.operations]

    def offers_to(self, principal: Principal) -> Sequence[Offer]:
        """Return every name that the principal may ask for, aliases included."""
        return self._policy.offers_to(principal, self._model.deployments)

    def checked(
        self,
        principal: Principal,
        body: object,
        *,
        request_id: str,
        operation: Operation = Operation.CHAT_COMPLETIONS,
    ) -> CheckedRequest:
        """Return a request's body checked against its API's allow-list of fields.

        Raises:
            RequestError: It does not fit.
            Refused: A field is not on the list; the refusal is recorded.
            AuditUnavailable: The refusal cannot be recorded.
        """
        try:
            return check_request(operation, body, admitted=self._policy.fields_for(principal))
        except Refused as refusal:
            self._record_refusal(refusal, principal, None, request_id)
            raise

    async def used(self, principal: Principal) -> Sequence[tuple[Deployment, Limits, UsageTotals]]:
        """Return what the principal may use of each deployment, and what counts against it.

        Raises:
            StoreError: What was used cannot be read.
        """
        now = self._clock()
        return [
            (one, limits, await self._usage.totals(principal.id, one.name, now=now))
            for one in self.deployments_for(principal)
            if (limits := self._policy.limits_for(principal, one)) is not None
        ]

    def allowance(self, principal: Principal, deployment: str, *, request_id: str) -> Admittance:
        """Return what policy allows the principal of a deployment, without reserving anything.

        Raises:
            Refused: The principal may not use it; the refusal is recorded.
            AuditUnavailable: The refusal cannot be recorded.
        """
        try:
            return self._policy.admit(
                principal, deployment, self._model.deployments, prompt_tokens=0, answer_tokens=None
            )
        except Refused as refusal:
            self._record_refusal(refusal, principal, deployment, request_id)
            raise

    @asynccontextmanager
    async def run(
        self,
        principal: Principal,
        request: CheckedRequest,
        *,
        request_id: str,
        facts: JsonObject | None = None,
    ) -> AsyncIterator[Completion]:
        """Admit, hand out the completion, and settle however the block is left.

        Args:
            principal: Who asks.
            request: What.
            request_id: Of the request.
            facts: What the audit is told of the request besides; never a text.

        Raises:
            Refused: Policy or quota refuses.
            AuditUnavailable: Nothing that must be audited may happen now.
        """
        completion = await self.begin(principal, request, request_id=request_id, facts=facts)
        try:
            yield completion
        finally:
            await self.end(completion)

    async def begin(
        self,
        principal: Principal,
        request: CheckedRequest,
        *,
        request_id: str,
        facts: JsonObject | None = None,
    ) -> Completion:
        """Admit, and return the completion; whoever calls this calls `end`, whatever comes.

        Raises:
            Refused: Policy or quota refuses.
            AuditUnavailable: Nothing that must be audited may happen now.
        """
        admission = await self.admit(principal, request, request_id=request_id, facts=facts)
        return Completion(admission, self._model, provider=self._provider)

    async def end(self, completion: Completion) -> None:
        """Stop the model's work and settle; cancelled or not, the settlement finishes."""
        self._alive.pop(completion.admission.reservation.id, None)
        seconds = time.monotonic() - completion.began
        try:
            await completion.aclose()
        finally:
            # Nobody waits for it. The store keeps the order in which it is asked.
            self._settle(completion, seconds)
        await self.turn

    async def admit(
        self,
        principal: Principal,
        request: CheckedRequest,
        *,
        request_id: str,
        facts: JsonObject | None = None,
    ) -> Admission:
        """Decide, reserve, and queue the audit record.

        Raises:
            Refused: Policy or quota refuses; the refusal is recorded.
            AuditUnavailable: The audit cannot be written.
        """
        with span("admit") as current:
            try:
                admission = await self._admit(
                    principal, request, request_id=request_id, facts=facts or {}
                )
            except Refused as refusal:
                known, reason = self._known(request.deployment), refusal.decision.reason
                current.set_attributes(_told(principal.kind, known, "refused", reason))
                raise
            told = _told(principal.kind, admission.deployment.name, "allowed", Reason.ADMITTED)
            if current.is_recording():
                current.set_attributes(told)
            metrics.decisions.add(1, told)
        return admission

    async def _admit(
        self,
        principal: Principal,
        request: CheckedRequest,
        *,
        request_id: str,
        facts: JsonObject,
    ) -> Admission:
        if self._audit.late:
            # A machine that has other work holds a write up, and the next one comes at once.
            await self._audit.in_time()
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
                operation=request.operation,
            )
            request.require_taken(admittance.deployment.parameters)
            await self.turn
            reservation = await self._usage.reserve(
                principal.id,
                admittance.deployment.name,
                tokens=prompt_tokens + admittance.answer_tokens * request.choices,
                limits=admittance.limits,
                now=self._clock(),
                lifetime=RESERVATION_SECONDS,
            )
        except Refused as refusal:
            self._record_refusal(
                refusal,
                principal,
                request.deployment,
                request_id,
                {"prompt_tokens_estimated": prompt_tokens},
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
                body=request.bounded(admittance.deployment.parameters, admittance.answer_tokens),
                stream=request.stream,
                request_id=request_id,
                operation=request.operation,
                tokens=reservation.tokens,
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
                facts={**facts, "tokens_reserved": reservation.tokens},
            )
        except SecureOpenAIError:
            await self._background.finish(self._usage.release(reservation))
            raise
        self._alive[reservation.id] = reservation
        return admission

    async def keep_reservations(self) -> None:
        """Renew what is alive, for ever; cancel it to stop.

        Each is renewed by itself: what is slow, or never ends, lets no other one lapse.
        """
        interval = RESERVATION_SECONDS / 4
        async with asyncio.TaskGroup() as renewals:
            while True:
                alive = list(self._alive.values())
                # A few at a time: a thousand at one moment hold up every stream's next event.
                groups = max(1, math.ceil(len(alive) / RENEWED_AT_ONCE))
                for group in range(groups):
                    await asyncio.sleep(interval / groups)
                    expires = self._clock() + timedelta(seconds=RESERVATION_SECONDS)
                    begin = group * RENEWED_AT_ONCE
                    for one in alive[begin : begin + RENEWED_AT_ONCE]:
                        if one.id in self._alive:
                            renewals.create_task(self._renew(one, expires, within=interval))

    async def _renew(self, reservation: Reservation, expires: datetime, *, within: float) -> None:
        try:
            with Within(within):
                await self._usage.renew(reservation, expires=expires)
        except Exception as error:
            # Whatever it was, all others go on.
            logger.warning("a reservation could not be renewed (%s)", type(error).__name__)

    def _settle(self, completion: Completion, seconds: float) -> None:
        reservation, charge = completion.admission.reservation, completion.charge
        try:
            if charge is None:
                settled = self._usage.release(reservation)
            else:
                settled = self._usage.settle(reservation, charge)
        except Exception as error:
            settled = asyncio.get_running_loop().create_future()
            settled.set_exception(error)
        # Without the completion: what it holds is not to be kept until this is written.
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
        end = _End(
            completion.admission.principal,
            completion.admission.deployment.name,
            completion.admission.request.request_id,
            completion.outcome,
            facts | _model_facts(completion),
        )
        settled.add_done_callback(partial(self._settled, end))
        self._background.hold(settled)

    def _settled(self, end: _End, settled: asyncio.Future[None]) -> None:
        error, facts = error_of(settled), end.facts
        if error is not None:
            # Whatever it was, the end is recorded: the audit is what usage can be made up from.
            logger.error("usage could not be settled (%s)", end.request_id, exc_info=error)
            facts |= {"settled": False}
        try:
            self._record(
                "completion.settled",
                end.principal,
                end.deployment,
                end.request_id,
                decision="allowed",
                reason=end.outcome,
                facts=facts,
                happened=True,
            )
        except StoreError:
            logger.exception("an end is not in the audit (%s)", end.request_id)

    def _record_refusal(
        self,
        refusal: Refused,
        principal: Principal,
        deployment: str | None,
        request_id: str,
        facts: JsonObject | None = None,
    ) -> None:
        known, reason = self._known(deployment), refusal.decision.reason
        metrics.decisions.add(1, _told(principal.kind, known, "refused", reason))
        self._record(
            "completion.refused",
            principal,
            known,
            request_id,
            decision="refused",
            reason=reason,
            facts=facts or {},
        )

    def _known(self, deployment: str | None) -> str | None:
        """Return a deployment's name if there is one: any other is a text that a person wrote."""
        if deployment is None:
            return None
        found = self._policy.deployment_of(deployment, self._model.deployments)
        return "unknown" if found is None else found.name

    def _record(
        self,
        action: str,
        principal: Principal,
        deployment: str | None,
        request_id: str,
        *,
        decision: str,
        reason: str,
        facts: JsonObject,
        happened: bool = False,
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
            ),
            happened=happened,
        )


class _End(NamedTuple):
    """What the audit is told of a completion, once it is settled."""

    principal: Principal
    deployment: str
    request_id: str
    outcome: str
    facts: JsonObject


KINDS = 1_000
"""Of so many decisions the attributes are held: deployments by reasons are fewer."""


@lru_cache(KINDS)
def _told(
    kind: PrincipalKind, deployment: str | None, decision: str, reason: Reason
) -> dict[str, str]:
    """Return what is observed of a decision."""
    return {
        names.DECISION.name: decision,
        names.REASON.name: reason.value,
        names.DEPLOYMENT.name: deployment or "unknown",
        names.KIND.name: kind.value,
    }


def _model_facts(completion: Completion) -> JsonObject:
    """Return who answered, who was asked in vain, and what the content filter found."""
    facts: JsonObject = {}
    if completion.member:
        facts["member"] = completion.member
    if completion.attempts:
        facts["failed_attempts"] = [
            {"member": one.member, "outcome": one.outcome, "may_be_billed": one.billable}
            for one in completion.attempts
        ]
    if completion.verdicts:
        facts["content_filter"] = [asdict(one) for one in completion.verdicts]
    return facts
