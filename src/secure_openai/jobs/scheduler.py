"""The jobs of a process that has no one else to run them: the laptop, and every embedded store."""

from __future__ import annotations

import asyncio
import logging
from asyncio import sleep
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from secure_openai.assembly import Assembly
from secure_openai.jobs.catalogue import JOBS, Job
from secure_openai.jobs.seal import seal
from secure_openai.types import Clock, utc_now

logger = logging.getLogger(__name__)

START = timedelta(minutes=1)
"""How long after its start a process runs every job once: a laptop sleeps at half past two."""

LONGEST_SLEEP_SECONDS = 60.0
"""A machine that was asleep finds out by then what time it is."""


@asynccontextmanager
async def scheduled(assembly: Assembly, *, clock: Clock = utc_now) -> AsyncIterator[None]:
    """Run every job after the start and by its schedule, and seal the audit at the end.

    Where what is kept is kept in Azure it runs none: the Function App does, and makes the seals.
    A job that is under way at the end is cut off: the next start goes on with it.
    """
    if assembly.settings.kept_in_azure:
        yield
        return
    tasks = [asyncio.ensure_future(_repeat(job, assembly, clock)) for job in JOBS.values()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await assembly.background.drain()
        try:
            await seal(assembly.audit, assembly.seals, assembly.signer)
        except Exception:
            logger.exception("the audit could not be sealed")


async def _repeat(job: Job, assembly: Assembly, clock: Clock) -> None:
    due = clock() + START
    while True:
        await _until(due, clock)
        try:
            await job.run(assembly)
        except Exception:
            # Whatever it was, the next run may do better, and the application goes on.
            logger.exception("the job %s did not end well", job.name)
        due = job.times.after(clock())


async def _until(due: datetime, clock: Clock) -> None:
    while (left := (due - clock()).total_seconds()) > 0:  # noqa: ASYNC110 - for no event, but for a time
        await sleep(min(left, LONGEST_SLEEP_SECONDS))
