"""Verifying the audit for an administrator: one run at a time, bounded, its result in the audit.

That a run began and how it ended are records of the audit, so every instance knows, and so does
whoever asks later. How far a run has come is known where it runs.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from secure_openai.errors import SecureOpenAIError
from secure_openai.store.audit import (
    AuditEvent,
    AuditQuestion,
    AuditReader,
    AuditStore,
    SealNote,
    StoredRecord,
)
from secure_openai.store.seals import Seals
from secure_openai.store.signing import Signer
from secure_openai.store.verification import Report, verify
from secure_openai.types import Clock, JsonObject, Principal, PrincipalId, utc_now

logger = logging.getLogger(__name__)

STARTED = "audit.verification.started"
ENDED = "audit.verification.ended"

MOST_RECORDS = 500_000
"""Records that one run reads; the command line reads all."""

LONGEST = timedelta(minutes=15)
"""How long one run takes at most; whoever has not ended by then has died."""

NAMED = 20
"""Findings that the record of a run's end names; the rest is counted."""


class Outcome(enum.StrEnum):
    """How a run stands or ended."""

    RUNNING = "running"
    HOLDS = "holds"
    PARTIAL = "partial"
    TAMPERED = "tampered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verification:
    """A run.

    Attributes:
        outcome: How it stands: `holds`, or `partial` where the bound was reached before the end and
            what was read holds, or `tampered`, or `failed` where something could not be read.
        at: When it began, while it runs; else when it ended.
        by: Who asked.
        facts: What was read: `chains`, `records`, `seals`, `sealed`, `found`, `named`, `error`.
        here: Whether it runs in this process, so that its progress is known.
    """

    outcome: Outcome
    at: datetime
    by: PrincipalId | None
    facts: JsonObject = field(default_factory=dict)
    here: bool = False


class Verifications:
    """Runs verifications.

    Args:
        audit: What is verified, and where it is recorded.
        seals: What it is compared with.
        signer: Whose keys are trusted.
    """

    def __init__(
        self,
        audit: AuditStore,
        seals: Seals,
        signer: Signer,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._audit = audit
        self._seals = seals
        self._signer = signer
        self._clock = clock
        self._reading: _Counting | None = None
        self._running: Verification | None = None
        self._task: asyncio.Task[None] | None = None

    async def latest(self) -> Verification | None:
        """Return the run under way, or else the one that ended last.

        Raises:
            StoreError: It cannot be looked up.
        """
        if self._running is not None and self._reading is not None:
            read: JsonObject = {"chains": self._reading.chain_count, "records": self._reading.count}
            return Verification(
                Outcome.RUNNING, self._running.at, self._running.by, read, here=True
            )
        await self._audit.flush()
        answer = await self._audit.search(AuditQuestion(actions=(STARTED, ENDED)), limit=1)
        if not answer.items:
            return None
        event = answer.items[0].event
        if event.action == STARTED:
            died = self._clock() - event.at > LONGEST
            outcome = Outcome.FAILED if died else Outcome.RUNNING
            return Verification(outcome, event.at, event.principal)
        return Verification(Outcome(event.reason), event.at, event.principal, event.facts or {})

    async def begin(self, principal: Principal, *, request_id: str) -> Verification:
        """Begin a run, or return the one that is under way.

        Raises:
            AuditUnavailable: It cannot be recorded, so it is not begun.
            StoreError: It cannot be looked up whether one is under way.
        """
        latest = await self.latest()
        if self._running is not None or (latest and latest.outcome is Outcome.RUNNING):
            return latest or Verification(Outcome.RUNNING, self._clock(), principal.id, here=True)
        self._record(STARTED, principal, request_id, reason="administrator")
        begun = Verification(Outcome.RUNNING, self._clock(), principal.id, here=True)
        self._running, self._reading = begun, _Counting(self._audit)
        self._task = asyncio.ensure_future(self._run(principal, request_id))
        # Begun before anybody can end it: a task that never ran could not record its end.
        await asyncio.sleep(0)
        return begun

    async def finished(self) -> None:
        """Return when no run is under way here."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def aclose(self) -> None:
        """End a run that is under way here: a process that ends waits for none."""
        if self._task is not None:
            self._task.cancel()
            await self.finished()

    async def _run(self, principal: Principal, request_id: str) -> None:
        assert self._reading is not None  # noqa: S101 - `begin` has set it
        facts: JsonObject
        try:
            async with asyncio.timeout(LONGEST.total_seconds() * 0.9):
                await self._audit.flush()
                trusted = await self._signer.public_keys()
                report = await verify(
                    self._reading, self._seals.all(trusted), largest=NAMED, most=MOST_RECORDS
                )
            outcome, facts = _outcome(report), _facts(report)
        except asyncio.CancelledError:
            outcome, facts = Outcome.FAILED, {"records": self._reading.count, "error": "stopping"}
        except (SecureOpenAIError, TimeoutError) as error:
            outcome = Outcome.FAILED
            slug = error.slug if isinstance(error, SecureOpenAIError) else "timeout"
            facts = {"records": self._reading.count, "error": slug}
        except Exception:
            logger.exception("a verification failed")
            outcome, facts = Outcome.FAILED, {"error": "internal"}
        finally:
            self._running = self._reading = None
        try:
            self._record(ENDED, principal, request_id, reason=outcome.value, facts=facts)
        except SecureOpenAIError:
            logger.exception("the end of a verification is not in the audit")

    def _record(
        self,
        action: str,
        principal: Principal,
        request_id: str,
        *,
        reason: str,
        facts: JsonObject | None = None,
    ) -> None:
        self._audit.append(
            AuditEvent(
                action=action,
                at=self._clock(),
                principal=principal.id,
                decision="allowed",
                reason=reason,
                request_id=request_id,
                facts=facts,
            )
        )


class _Counting:
    """An audit that counts what is read of it."""

    def __init__(self, audit: AuditReader) -> None:
        self._audit = audit
        self.count = 0
        self.chain_count = 0

    async def chains(self) -> AsyncIterator[str]:
        async for chain in self._audit.chains():
            self.chain_count += 1
            yield chain

    async def stored(self, chain: str) -> AsyncIterator[StoredRecord]:
        async for record in self._audit.stored(chain):
            self.count += 1
            yield record

    async def noted_seal(self) -> SealNote | None:
        return await self._audit.noted_seal()


def _outcome(report: Report) -> Outcome:
    if report.found:
        return Outcome.TAMPERED
    return Outcome.HOLDS if report.whole else Outcome.PARTIAL


def _facts(report: Report) -> JsonObject:
    named: list[dict[str, Any]] = [
        {"kind": one.kind.value, "chain": one.chain, "sequence": one.sequence}
        for one in report.found[:NAMED]
    ]
    return {
        "chains": report.chains,
        "records": report.records,
        "seals": report.seals,
        "sealed": report.sealed,
        "found": len(report.found) + report.unnamed,
        "whole": report.whole,
        "named": named,
    }
