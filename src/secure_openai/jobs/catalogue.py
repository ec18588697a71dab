"""Every job by its name, with what it needs taken from the assembly.

When each runs stands in `tables/jobs.json`, which the Function App and Terraform read too. A job
may be run at any other time as well, by anybody, several at once.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from secure_openai.assembly import Assembly
from secure_openai.jobs.erasure import Erasures
from secure_openai.jobs.export import Exports
from secure_openai.jobs.requests import attend
from secure_openai.jobs.retention import expire
from secure_openai.jobs.retirement import warn
from secure_openai.jobs.schedule import Schedule
from secure_openai.jobs.seal import seal
from secure_openai.store.sightings import DAYS_KEPT
from secure_openai.store.tallies import tally
from secure_openai.tables import table
from secure_openai.telemetry.runs import observed_run
from secure_openai.types import JsonObject, utc_now

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A job.

    Attributes:
        name: What it is called everywhere.
        does: What it does, for people.
        schedule: When it runs, as written.
        work: Does it, and returns counts of what was done.
    """

    name: str
    does: str
    schedule: str
    work: Callable[[Assembly], Awaitable[JsonObject]]

    @property
    def times(self) -> Schedule:
        """Return when it runs."""
        return Schedule.parse(self.schedule)

    async def run(self, assembly: Assembly) -> JsonObject:
        """Run it once; what it recorded is written when this returns.

        Raises:
            SecureOpenAIError: It could not be done, or not wholly: the next run goes on.
        """

        async def whole() -> JsonObject:
            try:
                return await self.work(assembly)
            finally:
                await assembly.audit.flush()

        report = await observed_run(self.name, whole)
        logger.info("job %s: %s", self.name, report)
        return report


def exports_in(assembly: Assembly) -> Exports:
    """Return what makes exports."""
    return Exports(
        conversations=assembly.conversations,
        sessions=assembly.sessions,
        sightings=assembly.sightings,
        usage=assembly.usage,
        personal=assembly.personal,
        attachments=assembly.attachments,
        audit=assembly.audit,
        requests=assembly.requests,
        blobs=assembly.exports,
        days=assembly.policy.retention.export_days,
    )


def erasures_in(assembly: Assembly) -> Erasures:
    """Return what erases."""
    return Erasures(
        conversations=assembly.conversations,
        holds=assembly.holds,
        sessions=assembly.sessions,
        sightings=assembly.sightings,
        usage=assembly.usage,
        personal=assembly.personal,
        attachments=assembly.attachments,
        audit=assembly.audit,
        requests=assembly.requests,
        blobs=assembly.exports,
    )


async def _erasure(assembly: Assembly) -> JsonObject:
    return await attend(assembly.requests, exports_in(assembly), erasures_in(assembly))


async def _roll_up(assembly: Assembly) -> JsonObject:
    now = utc_now()
    return {
        "totals": await assembly.usage.roll_up(now=now),
        "records": await tally(assembly.audit, assembly.tallies, now=now),
    }


async def _retention(assembly: Assembly) -> JsonObject:
    unseen = utc_now() - timedelta(days=DAYS_KEPT)
    return {
        **await expire(
            assembly.conversations,
            assembly.audit,
            assembly.sessions.purge,
            assembly.attachments.clear,
            days=assembly.policy.retention.conversation_days,
        ),
        "sightings": await assembly.sightings.purge(before=unseen),
    }


async def _seal(assembly: Assembly) -> JsonObject:
    made = await seal(assembly.audit, assembly.seals, assembly.signer)
    return {"seal": made.number, "chains": len(made.heads or ())}


async def _retirement(assembly: Assembly) -> JsonObject:
    return await warn(
        assembly.deployments.management,
        assembly.settings.model_accounts,
        assembly.audit,
        assembly.notes,
        days=assembly.settings.retirement_days,
    )


_WORK: Mapping[str, Callable[[Assembly], Awaitable[JsonObject]]] = {
    "erasure": _erasure,
    "retention": _retention,
    "retirement": _retirement,
    "roll_up": _roll_up,
    "seal": _seal,
}

JOBS: Mapping[str, Job] = MappingProxyType(
    {
        name: Job(name, row["does"], row["schedule"], _WORK[name])
        for name, row in table("jobs").items()
    }
)
"""The jobs, by name."""
