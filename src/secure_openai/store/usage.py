"""How much each principal used: reserved before the model is called, settled after."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from secure_openai.types import Limits, PrincipalId, ReservationId, Standing, Usage


@dataclass(frozen=True, slots=True)
class Reservation:
    """Quota set aside for one request until it is settled, released or expires.

    Attributes:
        id: Unguessable.
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
    standing: Standing | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """What a principal has used of a deployment in the current windows, reservations included."""

    requests_this_minute: int
    tokens_this_minute: int
    tokens_today: int
    concurrent: int


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

    async def settle(self, reservation: Reservation, usage: Usage) -> None:
        """Put what was used in the place of what was reserved, in the windows of `made`.

        Settling twice, or after it expired, charges once.
        """
        ...

    async def release(self, reservation: Reservation) -> None:
        """Give the tokens back: the model did no work."""
        ...

    async def totals(
        self, principal: PrincipalId, deployment: str, *, now: datetime
    ) -> UsageTotals:
        """Return what counts at `now`."""
        ...
