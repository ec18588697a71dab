"""Tallies: what the audit's records add up to by UTC day, so that nobody reads them again for it.

Two kinds: what each application asked and used, and how often each reason refused. They name no
person. Each record is read for them once: of every chain is kept how far it has been counted.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from secure_openai.store.audit import AuditRecord, AuditStore

LOOKBACK = timedelta(days=14)
"""How long whoever counts may have been away: chains that ended before are not looked at."""

MOST = 200_000
"""Records that one call counts; the next goes on."""

PAGE = 50
"""Records that are read and counted without a pause: whoever is served meanwhile waits for that."""

PAUSES = 3
"""How much longer a pause is than what was done before."""

LONGEST_PAUSE_SECONDS = 0.1


class TallyKind(enum.StrEnum):
    """What is counted."""

    APPLICATION = "application"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Tally:
    """What adds up to something in a UTC day.

    Attributes:
        day: `2030-01-02`.
        kind: What is counted.
        name: Client id of the application, empty for this application's own pages; or the reason.
        deployment: Of which deployment; empty where none was meant.
        requests: How many were admitted, or refused.
        prompt_tokens: Of settled requests.
        completion_tokens: The same.
    """

    day: str
    kind: TallyKind
    name: str
    deployment: str = ""
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return what tells it from others."""
        return (self.day, self.kind.value, self.name, self.deployment)

    def with_more(self, other: Tally) -> Tally:
        """Return both together."""
        return replace(
            self,
            requests=self.requests + other.requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


def added_up(tallies: Iterable[Tally]) -> dict[tuple[str, str, str, str], Tally]:
    """Return what tallies of the same key add up to, by their keys as they come first."""
    sums: dict[tuple[str, str, str, str], Tally] = {}
    for one in tallies:
        known = sums.get(one.key)
        sums[one.key] = one if known is None else known.with_more(one)
    return sums


@dataclass(frozen=True, slots=True)
class Counted:
    """What one record adds.

    Attributes:
        sequence: Of the record.
        tally: What it adds.
    """

    sequence: int
    tally: Tally


class TallyStore(Protocol):
    """Keeps tallies for 400 days at least. Each method raises `StoreError` when it cannot."""

    async def reached(self) -> Mapping[str, int]:
        """Return by chain up to which record it has been counted."""
        ...

    async def add(self, chain: str, counted: Sequence[Counted], *, upto: int) -> None:
        """Add what the records of a chain up to `upto` add; each record counts once.

        However often, by however many and however far cut off it is called: records that were
        added before are passed over.
        """
        ...

    async def days(self, first: str, last: str) -> Sequence[Tally]:
        """Return the tallies of the UTC days from `first` to `last`, by their keys."""
        ...


async def tally(audit: AuditStore, tallies: TallyStore, *, now: datetime, most: int = MOST) -> int:
    """Count what was recorded since it was last counted; return how many records that were.

    A little at a time: on a laptop it runs beside everything else.

    Raises:
        StoreError: Something cannot be read or written, or a record is none of ours.
    """
    reached = await tallies.reached()
    total = 0
    for head in await audit.heads(since=now - LOOKBACK):
        after = reached.get(head.chain, 0)
        while after < head.sequence and total < most:
            began = time.perf_counter()
            page = await audit.records(head.chain, after=after, limit=PAGE)
            if not page.items:
                break
            after = page.items[-1].sequence
            total += len(page.items)
            await tallies.add(head.chain, list(counted(page.items)), upto=after)
            took = time.perf_counter() - began
            await asyncio.sleep(min(PAUSES * took, LONGEST_PAUSE_SECONDS))
    return total


def counted(records: Iterable[AuditRecord]) -> Iterable[Counted]:
    """Yield what records add to the tallies."""
    for record in records:
        event = record.event
        day = event.at.astimezone(UTC).date().isoformat()
        deployment, facts = event.deployment or "", event.facts or {}
        if event.decision == "refused":
            found = Tally(day, TallyKind.REFUSAL, event.reason, deployment, requests=1)
        elif event.action in {"completion.admitted", "completion.settled"}:
            settled = event.action == "completion.settled"
            found = Tally(
                day,
                TallyKind.APPLICATION,
                str(facts.get("client_id", "")),
                deployment,
                requests=0 if settled else 1,
                prompt_tokens=_count(facts.get("prompt_tokens")),
                completion_tokens=_count(facts.get("completion_tokens")),
            )
        else:
            continue
        yield Counted(record.sequence, found)


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
