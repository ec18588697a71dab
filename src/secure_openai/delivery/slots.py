"""Where packages run: production, which people reach, and staging beside it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from secure_openai.delivery.package import Kind
from secure_openai.delivery.placed import PlacedPackage
from secure_openai.errors import DeliveryError


class Slot(enum.StrEnum):
    """One of an application's two places."""

    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at an application in a slot showed.

    Attributes:
        healthy: Whether it does its work, by its own check.
        says: One sentence for whoever deploys.
        final: Whether waiting changes nothing.
    """

    healthy: bool
    says: str
    final: bool = False


class SwapUncertain(DeliveryError):
    """A swap was asked for, and nobody knows whether it happened."""


class Slots(Protocol):
    """The two slots of both applications; `testing/slots_contract.py` says what holds of each."""

    @property
    def where(self) -> str:
        """Return what people call the place."""
        ...

    async def place(self, package: PlacedPackage) -> None:
        """Put a package into staging and have it started; production goes on untouched.

        Raises:
            DeliveryError: It is not there now.
        """
        ...

    async def look(self, kind: Kind, slot: Slot) -> Sight:
        """Return how an application does in a slot; one that does not answer is not healthy.

        Raises:
            DeliveryError: Nobody can be asked.
        """
        ...

    async def swap(self, kind: Kind) -> None:
        """Let staging and production change places; twice is as before.

        Raises:
            SwapUncertain: Nobody knows whether they have.
            DeliveryError: They have not.
        """
        ...
