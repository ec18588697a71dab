"""When a job runs: the six fields that timer triggers of Azure Functions are given.

    second minute hour day month day-of-week        all in UTC; 0 is Sunday

Source: Azure Functions, "Timer trigger", NCRONTAB expressions. A field is `*`, a number, a range
`1-5`, any of those with a step `*/15`, or several with commas. A day must fit the day of the month
and the day of the week.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIELDS = (
    ("second", 0, 59),
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 6),
)
DAYS_SEARCHED = 366 * 8
"""The 29th of February comes back after eight years at most."""

_PART = re.compile(r"(?:\*|(?P<first>\d{1,2})(?:-(?P<last>\d{1,2}))?)(?:/(?P<step>\d{1,2}))?")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule, read.

    Attributes:
        fields: The values that each field takes, in the order of `FIELDS`.
    """

    fields: tuple[tuple[int, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Read a schedule.

        Raises:
            ValueError: It is none.
        """
        parts = text.split()
        if len(parts) != len(FIELDS):
            raise ValueError(f"{text!r} has {len(parts)} fields: write {len(FIELDS)}")
        return cls(
            tuple(
                _values(part, name, lowest, highest)
                for part, (name, lowest, highest) in zip(parts, FIELDS, strict=True)
            )
        )

    def after(self, moment: datetime) -> datetime:
        """Return the first moment of the schedule after another.

        Raises:
            ValueError: There is none: it names a day that no month has.
        """
        seconds, minutes, hours, days, months, weekdays = self.fields
        moment = moment.astimezone(UTC)
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for number in range(DAYS_SEARCHED):
            day = midnight + timedelta(days=number)
            fits = day.day in days and day.month in months
            if not fits or day.isoweekday() % 7 not in weekdays:
                continue
            for hour in hours:
                for minute in minutes:
                    for second in seconds:
                        found = day.replace(hour=hour, minute=minute, second=second)
                        if found > moment:
                            return found
        raise ValueError("no day fits this schedule")


def _values(text: str, name: str, lowest: int, highest: int) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no {name}")
        step = int(match["step"] or 1)
        first = int(match["first"] or lowest)
        # A number with a step goes on to the end of its field.
        alone = match["first"] is not None and match["step"] is None
        last = int(match["last"] or (first if alone else highest))
        if not (lowest <= first <= last <= highest and step):
            raise ValueError(f"{part!r} is no {name}: it goes from {lowest} to {highest}")
        found.update(range(first, last + 1, step))
    return tuple(sorted(found))
