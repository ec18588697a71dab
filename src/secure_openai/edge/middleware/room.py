"""What bodies take of a process, and who gives way where there is not enough for all.

Whoever sends as fast as a body must come to be whole in time is in no hurry here; whoever does not
would be refused in the end. So these give way to whoever has no place, and nobody else does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from itertools import islice
from typing import Protocol

from secure_openai.errors import Overloaded, TooManyRequests

AGAIN_SECONDS = 1.0
SHARES = 4
"""One principal may take this part of the room: no two of them keep everybody else out."""

MEBIBYTE = 1_048_576

WAIT_SECONDS = 1.0
"""How long whoever finds no room waits for some."""

LOOK_SECONDS = 0.05

HALT_SECONDS = 0.5
"""How long a body may halt, or its sender take to begin, before it comes too slowly."""

REMEMBERED_SECONDS = 60.0
"""How long whoever began what did not become whole begins without such a halt."""

LOOKED_AT = 64
"""How many are looked at for one that makes way."""


class Arriving(Protocol):
    """What waits for its client to send the rest of it."""

    @property
    def slow(self) -> bool:
        """Return whether it comes too slowly to be whole in time."""
        ...

    def give_way(self) -> None:
        """End the wait, as there is no place for it any more."""
        ...


class Pace:
    """Whether a body comes fast enough: what came pays for the time that it takes.

    Args:
        size: How large it is, or may be.
        seconds: In what time it is to be whole.
        now: Seconds that only grow.
        trusted: Whether it may halt before something came.
    """

    __slots__ = ("_each", "_until")

    def __init__(self, size: int, seconds: float, *, now: float, trusted: bool = True) -> None:
        self._each = seconds / max(size, 1)
        self._until = now + (HALT_SECONDS if trusted else 0.0)

    def came(self, size: int, now: float) -> None:
        """Count what came, for no longer than a halt ahead."""
        paid = max(self._until, now - HALT_SECONDS) + size * self._each
        self._until = min(paid, now + HALT_SECONDS)

    def slow(self, now: float) -> bool:
        """Return whether too little has come."""
        return now > self._until


class _Share:
    """What the bodies of one principal take together.

    Attributes:
        whose: Whose they are.
        taken: How many bytes they take.
        coming: How many are on their way, or wait for that.
    """

    __slots__ = ("coming", "taken", "whose")

    def __init__(self, whose: Hashable) -> None:
        self.whose = whose
        self.taken = self.coming = 0


class Room:
    """Memory and places for bodies that are not small, shared by everybody.

    Args:
        size: How many bytes all of them take.
        largest: How many one of them takes at most: there is always room for one.
        at_once: How many requests are answered at once. Three quarters of them may be such bodies
            on their way, and an eighth may wait for that: what is left is everybody else's.
    """

    def __init__(self, size: int, *, largest: int, at_once: int) -> None:
        self._left = max(size, largest)
        self._share = max(size // SHARES, largest)
        self._places = max(at_once * 3 // 4, 1)
        self._places_share = max(self._places // SHARES, 1)
        self._most_waiting = max(at_once // 8, 1)
        self._waiting = 0
        # Of whoever has any.
        self._shares: dict[Hashable, _Share] = {}
        # What each is of, and what it has taken.
        self._held: dict[Arriving, tuple[_Share, int]] = {}
        # Those that are not whole yet.
        self._arriving: dict[Arriving, None] = {}
        self._doubted: dict[Hashable, float] = {}

    def trusts(self, whose: Hashable) -> bool:
        """Return whether whatever somebody began in the last minute became whole."""
        return self._doubted.get(whose, 0.0) <= asyncio.get_running_loop().time()

    async def enter(self, one: Arriving, whose: Hashable, size: int) -> None:
        """Take room for a body that is to arrive, from those that come too slowly if need be.

        Args:
            one: The body.
            whose: Whose it is; nobody has no share.
            size: How large it is, or may be.

        Raises:
            TooManyRequests: It is more than one may have; what waits for room counts too.
            Overloaded: There is no room for it, and none was made in time.
        """
        self.leave(one)
        share = self._shares.get(whose) or _Share(whose)
        if whose is not None:
            self._require_share(share, size)
        self._shares[whose] = share
        share.taken += size
        share.coming += 1
        try:
            if not self._make(size):
                await self._made(size)
        except BaseException:
            share.coming -= 1
            self._forget(share, size)
            raise
        self._left -= size
        self._held[one] = (share, size)
        self._arriving[one] = None

    def take(self, one: Arriving, size: int) -> None:
        """Let what nobody is known to send yet take more room.

        Raises:
            Overloaded: There is none.
        """
        _, taken = self._held.get(one, (None, 0))
        if size - taken > self._left:
            raise _full()
        self._left -= size - taken
        share = self._shares.setdefault(None, _Share(None))
        share.taken += size - taken
        self._held[one] = (share, size)

    def arrived(self, one: Arriving) -> None:
        """Let a body that is whole stay until it leaves."""
        if one in self._arriving:
            del self._arriving[one]
            self._held[one][0].coming -= 1

    def leave(self, one: Arriving) -> None:
        """Give back what a body has taken, unless it was lost before."""
        if one not in self._held:
            return
        share, size = self._held.pop(one)
        self._left += size
        if one in self._arriving:
            del self._arriving[one]
            share.coming -= 1
            self._doubt(share.whose)
        self._forget(share, size)

    def _require_share(self, share: _Share, size: int) -> None:
        if share.taken + size > self._share:
            raise TooManyRequests(
                f"Your large requests under way may take {self._share // MEBIBYTE} MiB together: "
                "ask again when one of them is answered.",
                retry_after=AGAIN_SECONDS,
                limit=self._share // size,
            )
        if share.coming >= self._places_share:
            raise TooManyRequests(
                f"{self._places_share} large requests of yours are on their way: ask again when "
                "one of them is whole.",
                retry_after=AGAIN_SECONDS,
                limit=self._places_share,
            )

    async def _made(self, size: int) -> None:
        """Wait until there is room and a place."""
        if self._waiting >= self._most_waiting:
            raise _full()
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_SECONDS
        self._waiting += 1
        try:
            while not self._make(size):
                if loop.time() >= until:
                    raise _full()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._waiting -= 1

    def _make(self, size: int) -> bool:
        """Return whether there is room, after those that come too slowly have given way for it."""
        if self._fits(size, self._left, len(self._arriving)):
            return True
        slow = [one for one in self._arriving if one.slow]
        could = self._left + sum(self._held[one][1] for one in slow)
        if not self._fits(size, could, len(self._arriving) - len(slow)):
            return False
        for one in slow:
            self.leave(one)
            one.give_way()
            if self._fits(size, self._left, len(self._arriving)):
                break
        return True

    def _fits(self, size: int, left: int, arriving: int) -> bool:
        return size <= left and arriving < self._places

    def _forget(self, share: _Share, size: int) -> None:
        share.taken -= size
        if not share.taken:
            del self._shares[share.whose]

    def _doubt(self, whose: Hashable) -> None:
        now = asyncio.get_running_loop().time()
        self._doubted.pop(whose, None)
        self._doubted[whose] = now + REMEMBERED_SECONDS
        for other, until in list(islice(self._doubted.items(), 2)):
            if until <= now:
                del self._doubted[other]


def _full() -> Overloaded:
    return Overloaded(
        "Too many large requests are being answered: ask again.", retry_after=AGAIN_SECONDS
    )


class Arrivals:
    """Places for small bodies that have begun to arrive; where all are taken, one of them leaves.

    The first one that comes too slowly does, or else whoever has waited longest: so whoever keeps
    many waiting keeps out only those who wait as long. Nobody is told apart by address: behind a
    front end all have its own, and a header that says another is the client's.

    Args:
        places: How many there are.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        # In the order of their coming.
        self._waiting: dict[Arriving, None] = {}

    def enter(self, one: Arriving) -> None:
        """Take a place, from another one if need be."""
        self.make_way()
        self._waiting[one] = None

    def make_way(self) -> None:
        """Let another one leave, where all places are taken."""
        if len(self._waiting) >= self._places:
            looked_at = [*islice(self._waiting, LOOKED_AT)]
            leaving = next((other for other in looked_at if other.slow), looked_at[0])
            del self._waiting[leaving]
            leaving.give_way()

    def leave(self, one: Arriving) -> None:
        """Leave the place, unless it was lost."""
        self._waiting.pop(one, None)
