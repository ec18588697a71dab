"""The UTC days that a figure is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType

from starlette.requests import Request

from secure_openai.errors import RequestError
from secure_openai.types import utc_now

LONGEST_DAYS = 92
USUAL_DAYS = 30

NAMED: Mapping[str | None, timedelta] = MappingProxyType(
    {"today": timedelta(0), "yesterday": timedelta(1)}
)

YEARS = range(2000, 3000)
"""Of days that can be asked for: whatever is reckoned from one of them is a day, too."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class DayRange:
    """From one UTC day to another, both counted."""

    first: date
    last: date

    @property
    def labels(self) -> Sequence[str]:
        """Return each day as `2030-01-02`."""
        count = (self.last - self.first).days + 1
        return [(self.first + timedelta(days=number)).isoformat() for number in range(count)]

    @property
    def since(self) -> datetime:
        """Return when the first day begins."""
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        """Return when the last day has ended."""
        after = self.last + timedelta(days=1)
        return datetime(after.year, after.month, after.day, tzinfo=UTC)


def last_days(count: int) -> DayRange:
    """Return the last days, today counted."""
    today = utc_now().date()
    return DayRange(today - timedelta(days=count - 1), today)


def range_of(request: Request) -> DayRange:
    """Return the days of `from` and `to`, or the last `days`, or `today` or `yesterday`.

    Raises:
        RequestError: They are no days, the wrong way round, or too many.
    """
    query = request.query_params
    first, last, count = query.get("from"), query.get("to"), query.get("days")
    if not first and not last and count in NAMED:
        day = utc_now().date() - NAMED[count]
        return DayRange(day, day)
    if not first and not last:
        return last_days(_count(count) if count else USUAL_DAYS)
    today = utc_now().date()
    end = day_of(last, "to") if last else today
    begin = day_of(first, "from") if first else end - timedelta(days=USUAL_DAYS - 1)
    if begin > end:
        raise RequestError("Write from as a day that is not after to.")
    if (end - begin).days >= LONGEST_DAYS:
        raise RequestError(f"Ask for at most {LONGEST_DAYS} days at once.")
    return DayRange(begin, end)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= LONGEST_DAYS:
        raise RequestError(f"Write days as a number from 1 to {LONGEST_DAYS}, today or yesterday.")
    return int(text)


def day_of(text: str, name: str) -> date:
    """Return the day that a member of a query names.

    Raises:
        RequestError: It is none, or of a year before 2000 or after 2999.
    """
    try:
        if _DAY.fullmatch(text) and int(text[:4]) in YEARS:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise RequestError(f"Write {name} as a day: 2030-01-02.")
