"""One assembly for a process whose jobs are started by somebody else."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

from secure_openai.assembly import Assembly, assemble
from secure_openai.errors import SecureOpenAIError
from secure_openai.jobs.catalogue import JOBS
from secure_openai.observation import sending_observations
from secure_openai.settings import Settings
from secure_openai.telemetry.logs import classes_of, frames_of
from secure_openai.types import JsonObject

logger = logging.getLogger(__name__)


class JobFailed(Exception):
    """A job that did not end well, in words that quote nobody."""


class Resident:
    """Opens the assembly for the first job, and keeps it for those that follow.

    The Function App's host starts jobs on one event loop, as long as its process lives. To open
    everything for each would begin a chain of the audit every time.
    """

    def __init__(self) -> None:
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()
        self._assembly: Assembly | None = None

    async def run(self, name: str) -> JsonObject:
        """Run a job by its name, with the environment's settings.

        Raises:
            ConfigurationError: Settings or policy are not usable, or a store cannot be opened.
            SecureOpenAIError: The job could not be done: the next run goes on.
        """
        return await JOBS[name].run(await self._assembled())

    async def triggered(self, name: str) -> None:
        """Run a job for a host that writes down what a function ends with.

        Raises:
            JobFailed: It did not end well; nothing that a library said is in it.
        """
        try:
            await self.run(name)
        except SecureOpenAIError as error:
            said = str(error)
            _log(name, error)
        except Exception as error:
            said = classes_of(error)
            _log(name, error)
        else:
            return
        # Raised here, it has no other error behind it that a host would print.
        raise JobFailed(f"the job {name} did not end well: {said}")

    async def _assembled(self) -> Assembly:
        async with self._opening:
            if self._assembly is None:
                async with AsyncExitStack() as opening:
                    settings = Settings.load()
                    assembly = await opening.enter_async_context(assemble(settings))
                    await opening.enter_async_context(
                        # The host sends what is logged, and would send it twice.
                        sending_observations(
                            settings, assembly.credential, assembly.outbound, log=False
                        )
                    )
                    self._open = opening.pop_all()
                self._assembly = assembly
            return self._assembly

    async def aclose(self) -> None:
        """Close the assembly; the next job would open it again."""
        self._assembly = None
        await self._open.aclose()


def _log(name: str, error: Exception) -> None:
    """Log what went wrong and where; with the exception itself a host would log its words."""
    where = ", ".join(frames_of(error))
    logger.error("the job %s did not end well: %s at %s", name, classes_of(error), where)
