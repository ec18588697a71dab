"""Who has accepted the notice that an organisation puts before first use, which one, and when.

An acceptance is kept under the digest of the notice's words: whoever accepted another one, or an
earlier one, is asked again. It is asked of people who come by themselves. An application that comes
on behalf of a person is not: what it tells its people is its own to say.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from datetime import datetime

from secure_openai.errors import AlreadyStored, NotFound, NoticeNotAccepted, PreconditionFailed
from secure_openai.store.personal import Bound, PersonalItem, PersonalKind, PersonalStore
from secure_openai.types import Clock, Principal, PrincipalId, PrincipalKind, utc_now

MOST = Bound(items=1_000)
REMEMBERED = 10_000
"""How many people's acceptances a process remembers."""

REMEMBERED_SECONDS = 60.0
"""How long: so long after an erasure another process may not ask again."""

CHANGED = "The notice has changed meanwhile: read it again, and accept that one."
NONE = "There is no notice to accept here."


class Acceptances:
    """Keeps acceptances of the notice that stands; each method raises `StoreError` where it cannot.

    Args:
        store: Where they are kept.
        digest: Of the notice, or `None` where there is none.
        where: Where it is accepted: an address that a person can open.
        clock: Tells the time.
    """

    def __init__(
        self,
        store: PersonalStore,
        *,
        digest: str | None,
        where: str,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._digest = digest
        self._where = where
        self._clock = clock
        self._remembered: OrderedDict[PrincipalId, float] = OrderedDict()

    async def require(self, principal: Principal) -> None:
        """Return if a principal may go on.

        Raises:
            NoticeNotAccepted: They are a person who has not accepted the notice that stands.
        """
        if self._digest is None or principal.kind is not PrincipalKind.PERSON:
            return
        until = self._remembered.get(principal.id)
        if until is not None and time.monotonic() < until:
            return
        if await self.accepted(principal.id) is None:
            raise NoticeNotAccepted(f"Read the notice and accept it first: {self._where}")
        self._remember(principal.id)

    async def accepted(self, owner: PrincipalId) -> datetime | None:
        """Return when a person accepted the notice that stands, or `None`."""
        if self._digest is None:
            return None
        try:
            item = await self._store.get(owner, PersonalKind.ACCEPTANCE, self._digest)
        except NotFound:
            return None
        return item.created

    async def accept(self, owner: PrincipalId, digest: str) -> tuple[datetime, bool]:
        """Keep that a person accepts a notice.

        Returns:
            When they accepted it, and whether that was now.

        Raises:
            NotFound: There is no notice.
            PreconditionFailed: It is not the notice that stands.
        """
        if self._digest is None:
            raise NotFound(NONE)
        if digest != self._digest:
            raise PreconditionFailed(CHANGED)
        now = self._clock()
        item = PersonalItem(owner, PersonalKind.ACCEPTANCE, digest, {"notice": digest}, now, now)
        try:
            await self._store.add(item, MOST)
        except AlreadyStored:
            before = await self.accepted(owner)
            if before is not None:
                return before, False
            raise
        self._remember(owner)
        return now, True

    def _remember(self, owner: PrincipalId) -> None:
        self._remembered[owner] = time.monotonic() + REMEMBERED_SECONDS
        self._remembered.move_to_end(owner)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
