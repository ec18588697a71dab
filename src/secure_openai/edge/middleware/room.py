"""What bodies take of a process, and who gives way where there is not enough for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Protocol

from secure_openai.errors import Overloaded, TooManyRequests

AGAIN_SECONDS = 1.0
SHARES = 4
"""One principal may take this part of the room: no two of them keep everybody else out."""

MEBIBYTE = 1_048_576


class Room:
    """Memory for bodies that are not small, shared by everybody.

    Args:
        size: How many bytes all of them take.
        largest: How many one of them takes at most: there is always room for one.
    """

    def __init__(self, size: int, *, largest: int) -> None:
        self._left = max(size, largest)
        self._share = max(size // SHARES, largest)
        self._taken: Counter[Hashable] = Counter()

    def take(self, whose: Hashable, more: int) -> None:
        """Take `more` bytes for somebody; nobody who is known yet is `None`, and has no share.

        Raises:
            TooManyRequests: It is more than one may have.
            Overloaded: There is no room for it.
        """
        if whose is not None and self._taken[whose] + more > self._share:
            raise TooManyRequests(
                f"Your large requests under way may take {self._share // MEBIBYTE} MiB together: "
                "ask again when one of them is answered.",
                retry_after=AGAIN_SECONDS,
            )
        if more > self._left:
            raise Overloaded(
                "Too many large requests are being answered: ask again.", retry_after=AGAIN_SECONDS
            )
        self._left -= more
        self._taken[whose] += more

    def give(self, whose: Hashable, taken: int) -> None:
        """Give back what was taken."""
        self._left += taken
        self._taken[whose] -= taken
        if not self._taken[whose]:
            del self._taken[whose]


class Arriving(Protocol):
    """What waits for its client to send the rest of it."""

    def give_way(self) -> None:
        """End the wait, as there is no place for it any more."""
        ...


class Arrivals:
    """Places for what has begun to arrive; where all are taken, whoever has waited longest leaves.

    So whoever keeps many waiting keeps out only those who wait as long. Nobody is told apart by
    address: behind a front end all have its own, and a header that says another is the client's.

    Args:
        places: How many there are.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        # In the order of their coming.
        self._waiting: dict[Arriving, None] = {}

    def enter(self, one: Arriving) -> None:
        """Take a place, from the first of all if need be."""
        if len(self._waiting) >= self._places:
            first = next(iter(self._waiting))
            del self._waiting[first]
            first.give_way()
        self._waiting[one] = None

    def leave(self, one: Arriving) -> None:
        """Leave the place, unless it was lost."""
        self._waiting.pop(one, None)
