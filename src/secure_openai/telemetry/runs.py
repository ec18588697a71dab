"""A run of a job, as it is observed: one span and one measurement."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from secure_openai.telemetry import metrics, names
from secure_openai.telemetry.spans import error_type, failed, span
from secure_openai.types import JsonObject

INCOMPLETE = "incomplete"
"""What a run is called that ended, and left something for the next."""

FAILED = "failed"
"""The member of a job's report that counts what could not be done."""


async def observed_run(name: str, work: Callable[[], Awaitable[JsonObject]]) -> JsonObject:
    """Run a job, and measure it.

    Args:
        name: Which job.
        work: Does it, and returns its report.

    Raises:
        Exception: As the work does.
    """
    told = {names.JOB.name: name}
    began = time.perf_counter()
    error = ""
    try:
        with span(f"job {name}", told) as current:
            report = await work()
            if report.get(FAILED):
                error = INCOMPLETE
                failed(current, error)
            return report
    except BaseException as problem:
        error = error_type(problem)
        raise
    finally:
        measured = {**told, names.ERROR.name: error} if error else told
        metrics.job_duration.record(time.perf_counter() - began, measured)
