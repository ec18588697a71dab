"""How much each principal used: reserved before the model is called, settled after."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from secure_openai.types import Limits, Page, PrincipalId, ReservationId, Standing, Usage


class Reservation(NamedTuple):
    """Quota set aside for one request until it is settled, released or expires.

    Attributes:
        id: Never another's.
        principal: Whose quota.
        deployment: Which deployment's quota.
        tokens: How many tokens are set aside: the prompt's estimate and the largest answer.
        made: When; the windows charged are the UTC minute and UTC day of this instant.
        expires: When it counts no more, because its process must have died.
        standing: How the principal stands with this request counted.
    """

    id: ReservationId
    principal: PrincipalId
    deployment: str
    tokens: int
    made: datetime
    expires: datetime
    standing: Standing | None = None


class UsageTotals(NamedTuple):
    """What a principal has used of a deployment in the current windows, reservations included."""

    requests_this_minute: int
    tokens_this_minute: int
    tokens_today: int
    concurrent: int
    requests_today: int


@dataclass(frozen=True, slots=True)
class UsageDay:
    """What a principal used of a deployment in a UTC day.

    Attributes:
        principal: Who.
        deployment: Of which deployment.
        day: Which day: `2030-01-02`.
        requests: How many were admitted.
        prompt_tokens: Of settled requests.
        completion_tokens: The same; tokens whose kind was not kept are among these.
    """

    principal: PrincipalId
    deployment: str
    day: str
    requests: int
    prompt_tokens: int
    completion_tokens: int


class UsageStore(Protocol):
    """Counts requests and tokens by principal and deployment, in UTC minutes and UTC days.

    Reserving is atomic: however many callers reserve at once, the sum of what is settled and what
    is reserved and alive never exceeds the limits. Each method raises `StoreError` when the store
    cannot be reached.
    """

    async def reserve(
        self,
        principal: PrincipalId,
        deployment: str,
        *,
        tokens: int,
        limits: Limits,
        now: datetime,
        lifetime: float,
    ) -> Reservation:
        """Set quota aside, or refuse.

        Counts the request itself at once; a reservation released later gives its tokens back, not
        its request.

        Args:
            principal: Who asks.
            deployment: Which deployment.
            tokens: Prompt estimate and largest answer together.
            limits: What the principal may use.
            now: Aware UTC.
            lifetime: Seconds until the reservation expires.

        Raises:
            Refused: Over a limit; the decision names which, and `retry_after` says when the window
                turns, one second for requests under way; `None` where waiting cannot help.
        """
        ...

    async def renew(self, reservation: Reservation, *, expires: datetime) -> None:
        """Keep a reservation alive for longer; nothing happens if it was settled or released."""
        ...

    def settle(self, reservation: Reservation, usage: Usage) -> asyncio.Future[None]:
        """Put what was used in the place of what was reserved, in the windows of `made`.

        Settling twice, or after it expired, charges once. It is asked for when this returns, and
        whoever reserves after that is decided after it; it is done when what is returned is.
        """
        ...

    def release(self, reservation: Reservation) -> asyncio.Future[None]:
        """Give the tokens back: the model did no work. Asked for and done as settling is."""
        ...

    async def totals(
        self, principal: PrincipalId, deployment: str, *, now: datetime
    ) -> UsageTotals:
        """Return what counts at `now`."""
        ...

    async def of(self, principal: PrincipalId) -> Sequence[UsageDay]:
        """Return what a principal used, by day and deployment."""
        ...

    async def roll_up(self, *, now: datetime) -> int:
        """Bring the totals of days up to what was used; return how many were written.

        For jobs: it asks every partition. Totals only grow, so that several may do so at once.
        """
        ...

    async def day(
        self, day: str, *, limit: int = 100, continuation: str | None = None
    ) -> Page[UsageDay]:
        """Return the totals of a UTC day, of all principals, as they were last rolled up.

        Raises:
            RequestError: `continuation` is not one that this store gave for this day.
        """
        ...

    async def erase(self, principal: PrincipalId, *, until: str) -> int:
        """Drop what is counted of a principal's days up to `until`; return how much there was.

        For jobs: it asks every partition. Only days that are over for `quota.DAYS_COUNTED` stay
        erased: until then whoever counts may write them again.
        """
        ...
