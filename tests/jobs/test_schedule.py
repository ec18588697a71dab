"""Schedules as timer triggers write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from secure_openai.jobs.catalogue import JOBS
from secure_openai.jobs.schedule import Schedule

MOMENT = datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * * *",
        "* * * * * * *",
        "60 * * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * * 13 *",
        "* * * * * 7",
        "5-3 * * * * *",
        "*/0 * * * * *",
        "a * * * * *",
        "1,,2 * * * * *",
        "-1 * * * * *",
        "@daily",
    ],
)
def test_what_is_no_schedule(text: str) -> None:
    """What no timer would take is refused."""
    with pytest.raises(ValueError, match=r"is no|fields"):
        Schedule.parse(text)


def test_a_day_that_never_comes() -> None:
    """A schedule of a day that no month has says so, and does not search for ever."""
    with pytest.raises(ValueError, match="no day"):
        Schedule.parse("0 0 0 30 2 *").after(MOMENT)


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("* * * * * *", "2030-01-02T03:04:06"),
        ("0 */15 * * * *", "2030-01-02T03:15:00"),
        ("0 30 2 * * *", "2030-01-03T02:30:00"),
        ("0 10 * * * *", "2030-01-02T03:10:00"),
        ("0 0 0 1 * *", "2030-02-01T00:00:00"),
        ("0 0 6 * * 1-5", "2030-01-02T06:00:00"),
        ("0 0 6 * * 0", "2030-01-06T06:00:00"),
        ("10/20 5 3 * * *", "2030-01-02T03:05:10"),
        ("0 0 12 29 2 *", "2032-02-29T12:00:00"),
        ("5 4 3 2 1 *", "2031-01-02T03:04:05"),
        ("0,30 4 3,4 * * *", "2030-01-02T03:04:30"),
    ],
)
def test_the_next_time(text: str, following: str) -> None:
    """The next time is the first one after a moment, never that moment itself."""
    found = Schedule.parse(text).after(MOMENT)

    assert found == datetime.fromisoformat(f"{following}+00:00")


def test_times_are_utc() -> None:
    """A moment of another zone is the same moment."""
    there = MOMENT.astimezone(timezone(timedelta(hours=9)))

    assert Schedule.parse("0 30 2 * * *").after(there) == Schedule.parse("0 30 2 * * *").after(
        MOMENT
    )


def test_every_job_has_a_schedule() -> None:
    """What the table writes for each job is a schedule."""
    for job in JOBS.values():
        assert job.times.after(MOMENT) > MOMENT, job.name
