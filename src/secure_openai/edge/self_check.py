"""Whether this process has once found everything that it needs: its startup probe.

What `secure-openai check --live` asks is asked from inside, by this process, with its credential,
until all of it was answered: names resolve, TLS holds, each service lets us in, the audit takes
records, a model's account answers. It has passed once what serving needs was answered: sign-in,
the database with the audit, one model's account. The rest (attachments, exports, seals, keys,
telemetry) is logged and asked again ever more seldom: people are served without it, also by an
instance that Azure starts while it is away. A ping reads what was found and costs nothing, whoever
sends it.

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
from secure_openai.probes.asks import COMPLETE, Identity
from secure_openai.probes.estate import answers_of
from secure_openai.probes.probe import Outcome, Prober
from secure_openai.telemetry.logs import classes_of

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
"""A role that was assigned a moment ago takes minutes to count: asking more often helps nobody."""

LONGEST_PAUSE_ONCE_PASSED_SECONDS = 3600.0
"""Nobody waits for it any more; only the log says that it is mended."""


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A few words for everything that is wrong.

    Attributes:
        serving: With what serving needs.
        beside: With the rest.
    """

    serving: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.serving or self.beside)

    def __str__(self) -> str:
        return "; ".join(sorted(self.serving | self.beside))


@dataclass(slots=True)
class SelfCheck:
    """The check of one process.

    Attributes:
        assembly: What is checked.
        passed: Whether everything that serving needs was answered once.
    """

    assembly: Assembly
    passed: bool = False
    _told: str = field(default="")

    async def run(self) -> None:
        """Ask until everything was answered; what is wrong twice in a row is logged, once."""
        pause = FIRST_PAUSE_SECONDS
        before = _Wrong()
        while True:
            wrong = await self._asked()
            self.passed = self.passed or not wrong.serving
            if not wrong:
                if self._told:
                    logger.info("the self-check has passed")
                return
            said = (
                f"the self-check has {'passed, without' if self.passed else 'not passed'}: {wrong}"
            )
            if wrong == before and said != self._told:
                self._told = said
                logger.warning("%s", said)
            before = wrong
            await asyncio.sleep(pause)
            longest = LONGEST_PAUSE_ONCE_PASSED_SECONDS if self.passed else LONGEST_PAUSE_SECONDS
            pause = min(2 * pause, longest)

    async def _asked(self) -> _Wrong:
        try:
            return await self._wrong()
        except Exception as error:
            # Whatever it was, it is no yes; the next time may do better.
            return _Wrong(frozenset({f"it could not be asked ({classes_of(error)})"}))

    async def _wrong(self) -> _Wrong:
        serving, beside = set[str](), set[str]()
        try:
            self.assembly.audit.ensure_writable()
        except StoreError:
            serving.add("the audit takes no records")
        if not await self.assembly.model.ready():
            serving.add("no account of a model answers")
        credential = self.assembly.credential
        if credential is not None:
            # A service with its network closed refuses who comes by its public address, and one of
            # an estate that is public on purpose does not: no setting has to say which it is.
            prober = Prober(self.assembly.outbound, credential.bearer, public=True)
            answers = await answers_of(self.assembly.settings, Identity.WEB, prober)
            good = {one.ask.need for one in answers if one.outcome is Outcome.GOOD}
            for one in answers:
                if one.outcome is not Outcome.GOOD:
                    # Of several accounts of models one is enough.
                    spared = one.ask.need == COMPLETE and COMPLETE in good
                    kind = serving if one.ask.serves and not spared else beside
                    kind.add(f"{one.ask.service}: {one.says}")
        return _Wrong(frozenset(serving), frozenset(beside))


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
