"""What counts of one principal's use of one deployment."""

from __future__ import annotations

from math import inf

from secure_openai.store.quota import Windows
from secure_openai.store.sqlite.journal import Held, Used
from secure_openai.store.usage import UsageTotals

NOTHING = (0, 0)


class Account:
    """Requests and tokens by window, and the reservations that have not ended.

    As in the tables, all days count, and of the minutes the last one that is even, and that is odd.

    Args:
        held: Reservations that have not ended, expired ones too, by their ids.
        windows: Requests and tokens of each window of which any are counted, of all days that
            were looked at.

    Attributes:
        held: The same.
        windows: The same.
        page: The last page of the book on which it was changed.
    """

    __slots__ = ("_reserved", "_soonest", "held", "page", "windows")

    def __init__(self, held: dict[str, Held], windows: dict[str, tuple[int, int]]) -> None:
        self.held = held
        self.windows = windows
        self.page = 0
        # Tokens of all that is held, by window.
        self._reserved: dict[str, int] = {}
        # Before it nothing expires.
        self._soonest = 0.0 if held else inf
        for one in held.values():
            self._reserve(one, one.tokens)

    def totals(self, windows: Windows, now: float) -> UsageTotals:
        """Return what counts at `now`, of windows that were looked at."""
        minute, day = windows
        requests_this_minute, in_minute = self.windows.get(minute, NOTHING)
        requests_today, today = self.windows.get(day, NOTHING)
        concurrent = len(self.held)
        in_minute += self._reserved.get(minute, 0)
        today += self._reserved.get(day, 0)
        if now >= self._soonest:
            self._soonest = min((one.expires for one in self.held.values()), default=inf)
            for one in self.held.values():
                if one.expires <= now:
                    concurrent -= 1
                    in_minute -= one.tokens if one.minute == minute else 0
                    today -= one.tokens if one.day == day else 0
        return UsageTotals(requests_this_minute, in_minute, today, concurrent, requests_today)

    def take(self, identifier: str, held: Held) -> None:
        """Count a request, and what it has reserved."""
        self.held[identifier] = held
        self._reserve(held, held.tokens)
        self._soonest = min(self._soonest, held.expires)
        windows, minute = self.windows, held.minute
        if minute not in windows:
            self._begin(minute)
        for starts in (minute, held.day):
            requests, tokens = windows.get(starts, NOTHING)
            windows[starts] = (requests + 1, tokens)

    def _begin(self, minute: str) -> None:
        """Let a minute take the place of another one that is even, or odd, as it is."""
        for starts in list(self.windows):
            if len(starts) == len(minute) and (int(starts[-1]) - int(minute[-1])) % 2 == 0:
                del self.windows[starts]

    def end(self, identifier: str, used: Used | None) -> None:
        """Count what was used in the place of what was reserved, or nothing."""
        held = self.held.pop(identifier)
        self._reserve(held, -held.tokens)
        if used is not None:
            total = sum(used)
            for starts in (held.minute, held.day):
                if starts in self.windows:
                    requests, tokens = self.windows[starts]
                    self.windows[starts] = (requests, tokens + total)

    def renew(self, identifier: str, expires: float) -> None:
        """Let a reservation count until another moment."""
        self.held[identifier] = self.held[identifier]._replace(expires=expires)
        self._soonest = min(self._soonest, expires)

    def _reserve(self, held: Held, tokens: int) -> None:
        for starts in (held.minute, held.day):
            reserved = self._reserved.get(starts, 0) + tokens
            if reserved:
                self._reserved[starts] = reserved
            else:
                self._reserved.pop(starts, None)
