"""Who comes: written down beside the request, at most once an hour for each principal.

A request never waits for it, and never fails with it.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from datetime import datetime, timedelta

from secure_openai.errors import SecureOpenAIError
from secure_openai.store.sightings import SightingStore
from secure_openai.streams import Background
from secure_openai.types import Clock, Principal, PrincipalId, utc_now

logger = logging.getLogger(__name__)

INTERVAL = timedelta(hours=1)
"""How long somebody who was seen is not written down again, unless something has changed."""

REMEMBERED = 10_000
"""Principals of whom is remembered that they were written down."""


class Presence:
    """Notes who comes.

    Args:
        sightings: Where it is written down.
        background: Where writing finishes.
    """

    def __init__(
        self, sightings: SightingStore, background: Background, *, clock: Clock = utc_now
    ) -> None:
        self._sightings = sightings
        self._background = background
        self._clock = clock
        self._written: OrderedDict[PrincipalId, tuple[datetime, Principal]] = OrderedDict()

    def note(self, principal: Principal) -> None:
        """Write down that a principal came, if that is not written yet."""
        now = self._clock()
        at, known = self._written.get(principal.id, (None, None))
        if at is not None and known == principal and now - at < INTERVAL:
            return
        self._written[principal.id] = (now, principal)
        self._written.move_to_end(principal.id)
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)
        self._background.spawn(self._write(principal, now))

    async def _write(self, principal: Principal, now: datetime) -> None:
        try:
            await self._sightings.see(principal, now=now)
        except SecureOpenAIError as error:
            logger.warning("a sighting was not written: %s", error.slug)
            self._written.pop(principal.id, None)
