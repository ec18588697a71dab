"""One assembly for a process whose jobs are started by somebody else."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from secure_openai.assembly import Assembly, assemble
from secure_openai.jobs.catalogue import JOBS
from secure_openai.observation import sending_observations
from secure_openai.settings import Settings
from secure_openai.types import JsonObject


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
