"""Who comes: written down beside the request, at most once an hour for each principal.

A request never waits for it, and never fails with it. Those who come at the same time are written
together.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from secure_openai.errors import SecureOpenAIError, StoreError
from secure_openai.store.sightings import SightingStore
from secure_openai.streams import Background
from secure_openai.types import Clock, Principal, PrincipalId, utc_now

logger = logging.getLogger(__name__)

INTERVAL = timedelta(hours=1)
"""How long somebody who was seen is not written down again, unless something has changed."""

REMEMBERED = 100_000
"""Principals of whom is remembered that they were written down: as many as there are tokens that
hold and are remembered."""

DELAY_SECONDS = 0.05
"""How long one who came waits for company before they are written down."""

GROUP = 100
"""How many are written at once."""


class Presence:
    """Notes who comes.

    Args:
        sightings: Where it is written down.
        background: Where writing finishes.
        clock: Says when somebody was seen.
        monotonic: Seconds that only grow, by which an hour is told: asked at every request.
    """

    def __init__(
        self,
        sightings: SightingStore,
        background: Background,
        *,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sightings = sightings
        self._background = background
        self._clock = clock
        self._monotonic = monotonic
        self._noted: dict[PrincipalId, tuple[float, Principal]] = {}
        self._waiting: dict[PrincipalId, Principal] = {}
        self._writing = False

    def note(self, principal: Principal) -> None:
        """Write down that a principal came, if that is not written yet."""
        now = self._monotonic()
        noted = self._noted.get(principal.id)
        if noted is not None:
            until, known = noted
            if now < until and (known is principal or known == principal):
                if known is not principal:
                    # The same object is found without a look into it.
                    self._noted[principal.id] = (until, principal)
                return
            del self._noted[principal.id]
        self._noted[principal.id] = (now + INTERVAL.total_seconds(), principal)
        if len(self._noted) > REMEMBERED:
            del self._noted[next(iter(self._noted))]
        self._waiting[principal.id] = principal
        if not self._writing:
            self._writing = True
            self._background.spawn(self._write())

    async def _write(self) -> None:
        try:
            await asyncio.sleep(DELAY_SECONDS)
            while self._waiting:
                group = [self._waiting.pop(one) for one in list(self._waiting)[:GROUP]]
                if not await self._seen(group):
                    # One has a name that cannot be stored: it takes no other with it.
                    for one in group:
                        await self._seen([one])
        finally:
            self._writing = False

    async def _seen(self, group: list[Principal]) -> bool:
        """Write a group down, or return that each had better go alone."""
        try:
            await self._sightings.see(*group, now=self._clock())
        except SecureOpenAIError as error:
            if len(group) > 1 and not isinstance(error, StoreError):
                return False
            logger.warning("sightings were not written: %s", error.slug)
            for one in group:
                self._noted.pop(one.id, None)
        return True
