"""From packages to production: place, smoke, swap, look, and swap back where the look fails.

place both in staging   nothing that people reach changes
smoke both in staging   not healthy: it ends here, and production was never touched
swap both
look at production      not healthy: both are swapped back, and looked at again
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secure_openai.delivery.package import Kind
from secure_openai.delivery.placed import PlacedPackage
from secure_openai.delivery.slots import Sight, Slot, Slots, SwapUncertain
from secure_openai.errors import SecureOpenAIError

Tell = Callable[[str], None]


class End(enum.StrEnum):
    """How a deployment ended."""

    LIVE = "live"
    """The packages are what people reach."""

    STOPPED = "stopped"
    """Staging failed; production was never touched."""

    SWAPPED_BACK = "swapped back"
    """Production failed with the packages, and runs what it ran before."""

    BROKEN = "broken"
    """Production does not do its work, and swapping back did not mend it: a person is needed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a deployment ended, and why.

    Attributes:
        end: How.
        says: One sentence.
    """

    end: End
    says: str


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited.

    Attributes:
        whole: Seconds until an application that is not healthy is given up.
        pause: Seconds between two looks.
        steady: How many looks in a row must find it healthy.
    """

    whole: float = 600.0
    pause: float = 10.0
    steady: int = 3


async def deploy(
    slots: Slots, packages: Sequence[PlacedPackage], *, tell: Tell, patience: Patience
) -> Outcome:
    """Bring packages into production, or leave production as it was.

    Raises:
        DeliveryError: Staging could not be filled, or nobody could be asked; production was not
            touched.
    """
    kinds = [one.kind for one in packages]
    for package in packages:
        tell(f"Placing {package.kind} in staging of {slots.where}")
        await slots.place(package)
    failed = await _first_failing(slots, kinds, Slot.STAGING, tell=tell, patience=patience)
    if failed is not None:
        return Outcome(End.STOPPED, f"{failed} Production was not touched.")
    swapped: list[Kind] = []
    reason: str | None
    try:
        for kind in kinds:
            tell(f"Swapping {kind}")
            await slots.swap(kind)
            swapped.append(kind)
        reason = await _first_failing(slots, kinds, Slot.PRODUCTION, tell=tell, patience=patience)
    except SwapUncertain as error:
        # Another swap might undo one that never was.
        return Outcome(End.BROKEN, f"{error.detail} Look there before anything else is deployed.")
    except SecureOpenAIError as error:
        reason = error.detail or error.title
    if reason is None:
        return Outcome(End.LIVE, "Both applications are live and healthy.")
    return await _back(slots, swapped, reason, tell=tell, patience=patience)


async def _back(
    slots: Slots, swapped: Sequence[Kind], reason: str, *, tell: Tell, patience: Patience
) -> Outcome:
    try:
        for kind in reversed(swapped):
            tell(f"Swapping {kind} back")
            await slots.swap(kind)
        kinds = list(Kind)
        still = await _first_failing(slots, kinds, Slot.PRODUCTION, tell=tell, patience=patience)
    except SecureOpenAIError as error:
        still = error.detail or error.title
    if still is None:
        return Outcome(End.SWAPPED_BACK, f"{reason} Production runs what it ran before.")
    return Outcome(End.BROKEN, f"{reason} Swapping back did not mend it: {still}")


async def _first_failing(
    slots: Slots, kinds: Sequence[Kind], slot: Slot, *, tell: Tell, patience: Patience
) -> str | None:
    """Return what the first application says that is not healthy in a slot, or `None`."""
    for kind in kinds:
        tell(f"Looking at {kind} in {slot}")
        sight = await _settled(slots, kind, slot, patience)
        if not sight.healthy:
            return f"{kind} is not healthy in {slot}: {sight.says}"
    return None


async def _settled(slots: Slots, kind: Kind, slot: Slot, patience: Patience) -> Sight:
    """Look until it was healthy often enough in a row, or patience is at its end."""
    end = time.monotonic() + patience.whole
    healthy = 0
    while True:
        sight = await slots.look(kind, slot)
        healthy = healthy + 1 if sight.healthy else 0
        given_up = not sight.healthy and (sight.final or time.monotonic() >= end)
        if healthy >= patience.steady or given_up:
            return sight
        await asyncio.sleep(patience.pause)
