"""Whether this process has once found everything that it needs: its startup probe.

What `secure-openai check --live` asks is asked from inside, by this process, with its credential,
until all of it was answered: names resolve, TLS holds, each service lets us in, the audit takes
records, a model's account answers. Then it is asked no more. A ping reads what was found and costs
nothing, whoever sends it.

Passed once is passed for good, on purpose: App Service takes an instance that stays unhealthy out
of rotation, and replaces it (Microsoft Learn, "Monitor App Service instances using Health check").
Another instance mends nothing where a service is away, and would cut off who is being answered.
Whether a request would be served now is said by `/readyz`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from secure_openai.assembly import Assembly
from secure_openai.errors import StoreError
from secure_openai.probes.asks import Identity
from secure_openai.probes.estate import answers_of
from secure_openai.probes.probe import Outcome, Prober
from secure_openai.telemetry.logs import classes_of

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
"""A role that was assigned a moment ago takes minutes to count: asking more often helps nobody."""


@dataclass(slots=True)
class SelfCheck:
    """The check of one process.

    Attributes:
        assembly: What is checked.
        passed: Whether everything was answered once.
    """

    assembly: Assembly
    passed: bool = False
    _told: frozenset[str] = field(default=frozenset())

    async def run(self) -> None:
        """Ask until everything was answered; what is wrong twice in a row is logged, once."""
        pause = FIRST_PAUSE_SECONDS
        before: frozenset[str] = frozenset()
        while True:
            wrong = frozenset(await self._asked())
            if not wrong:
                self.passed = True
                if self._told:
                    logger.info("the self-check has passed")
                return
            if wrong == before != self._told:
                self._told = wrong
                logger.warning("the self-check has not passed: %s", "; ".join(sorted(wrong)))
            before = wrong
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _asked(self) -> list[str]:
        """Return a few words for everything that is wrong."""
        try:
            return await self._wrong()
        except Exception as error:
            # Whatever it was, it is no yes; the next time may do better.
            return [f"it could not be asked ({classes_of(error)})"]

    async def _wrong(self) -> list[str]:
        wrong: list[str] = []
        try:
            self.assembly.audit.ensure_writable()
        except StoreError:
            wrong.append("the audit takes no records")
        if not await self.assembly.model.ready():
            wrong.append("no account of a model answers")
        credential = self.assembly.credential
        if credential is not None:
            # A service with its network closed refuses who comes by its public address, and one of
            # an estate that is public on purpose does not: no setting has to say which it is.
            prober = Prober(self.assembly.outbound, credential.bearer, public=True)
            answers = await answers_of(self.assembly.settings, Identity.WEB, prober)
            wrong += [
                f"{one.ask.service}: {one.says}"
                for one in answers
                if one.outcome is not Outcome.GOOD
            ]
        return wrong


@asynccontextmanager
async def self_checking(assembly: Assembly) -> AsyncIterator[SelfCheck]:
    """Check for as long as it takes, or until the block is left."""
    check = SelfCheck(assembly)
    task = asyncio.ensure_future(check.run())
    try:
        yield check
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
