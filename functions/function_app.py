"""The Function App: a timer for every job of `tables/jobs.json`, and nothing else.

No trigger answers HTTP. A timer that was missed runs late (`use_monitor`), none runs at a start.
Which functions are switched off in a slot is Terraform's to say (`AzureWebJobs.NAME.Disabled`).

Source: Azure Functions, "Python developer guide", programming model v2.
"""

from __future__ import annotations

import azure.functions as func

from secure_openai.jobs.catalogue import JOBS, Job
from secure_openai.jobs.resident import Resident

app = func.FunctionApp()
resident = Resident()


def declare(job: Job) -> None:
    """Add a job's timer to the application."""

    @app.function_name(job.name)
    @app.timer_trigger(
        arg_name="timer", schedule=job.schedule, run_on_startup=False, use_monitor=True
    )
    async def triggered(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host names it
        await resident.triggered(job.name)


for each in JOBS.values():
    declare(each)
