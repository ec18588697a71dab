"""What is asked of quota: a reservation to be made, to end, or to count for longer."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from secure_openai.store.quota import Windows
from secure_openai.store.sqlite.journal import Key
from secure_openai.store.usage import Reservation
from secure_openai.types import Limits, PrincipalId, Usage


class Taking(NamedTuple):
    """A reservation to be decided.

    Attributes:
        key: In whose account.
        id: The reservation's.
        tokens: How many are set aside.
        limits: What the principal may use.
        windows: Which are charged.
        now: When, in seconds since the epoch.
        expires: The same of when it counts no more.
    """

    key: Key
    id: str
    tokens: int
    limits: Limits
    windows: Windows
    now: float
    expires: float


class Giving(NamedTuple):
    """A reservation to be settled, or released where nothing was used."""

    key: Key
    id: str
    usage: Usage | None

    @classmethod
    def back(cls, reservation: Reservation, usage: Usage | None) -> Giving:
        """Return the end of a reservation."""
        return cls(key_of(reservation.principal, reservation.deployment), reservation.id, usage)


class Renewing(NamedTuple):
    """A reservation that is to count until another moment, in seconds since the epoch."""

    key: Key
    id: str
    expires: float

    @classmethod
    def until(cls, expires: datetime, reservation: Reservation) -> Renewing:
        """Return the renewal of a reservation."""
        key = key_of(reservation.principal, reservation.deployment)
        return cls(key, reservation.id, expires.timestamp())


def key_of(principal: PrincipalId, deployment: str) -> Key:
    """Return in whose account a principal's use of a deployment is."""
    return (principal.key, deployment)
