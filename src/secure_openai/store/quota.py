"""The arithmetic of quota: the windows that a request is charged to, and when it is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from secure_openai.store.usage import UsageTotals
from secure_openai.types import Decision, Limits, Reason, Standing

DAYS_KEPT = 400
"""How long day counts are kept, for reports; minute counts are of no use after a day."""

DAYS_COUNTED = 4
"""So many days after its end nothing changes any more of what is counted of a UTC day."""


class Windows(NamedTuple):
    """The UTC minute and UTC day of an instant, as keys."""

    minute: str
    day: str

    @classmethod
    def of(cls, now: datetime) -> Windows:
        """Return the windows of an instant."""
        return cls.at(now.timestamp())

    @classmethod
    def at(cls, seconds: float) -> Windows:
        """Return the windows of a number of seconds since the epoch."""
        return _windows(int(seconds // 60))


@lru_cache(maxsize=16)
def _windows(minutes: int) -> Windows:
    """Return the windows of a minute since the epoch: many instants share one."""
    utc = datetime.fromtimestamp(minutes * 60, UTC)
    return Windows(utc.strftime("%Y-%m-%dT%H:%M"), utc.strftime("%Y-%m-%d"))


def standing_of(totals: UsageTotals, limits: Limits, now: float) -> Standing:
    """Return what `totals` leave of `limits`; never less than nothing.

    Args:
        totals: What counts.
        limits: What the principal may use.
        now: In seconds since the epoch.
    """
    in_minute, tokens_in_minute, tokens_today, _, today = totals
    requests, tokens = (
        limits.requests_per_minute - in_minute,
        limits.tokens_per_minute - tokens_in_minute,
    )
    requests_of_day, tokens_of_day = (
        limits.requests_per_day - today,
        limits.tokens_per_day - tokens_today,
    )
    to_minute, to_day = _turns(now)
    to_requests = to_tokens = to_minute
    if requests_of_day < requests:
        requests, to_requests = requests_of_day, to_day
    if tokens_of_day < tokens:
        tokens, to_tokens = tokens_of_day, to_day
    if requests < 0 or tokens < 0:
        # Over a limit, where it was lowered or others claim it.
        requests, tokens = max(0, requests), max(0, tokens)
    return Standing(
        limits.requests_per_minute,
        requests,
        limits.tokens_per_minute,
        tokens,
        to_requests,
        to_tokens,
    )


def _turns(now: float) -> tuple[float, float]:
    """Return in how many seconds the UTC minute and the UTC day turn."""
    return 60.0 - now % 60, 86_400.0 - now % 86_400


def with_request(totals: UsageTotals, tokens: int) -> UsageTotals:
    """Return the totals with one more request of `tokens` counted."""
    in_minute, tokens_in_minute, tokens_today, concurrent, today = totals
    return UsageTotals(
        in_minute + 1, tokens_in_minute + tokens, tokens_today + tokens, concurrent + 1, today + 1
    )


def refusal_of(totals: UsageTotals, tokens: int, limits: Limits, now: float) -> Decision | None:
    """Return why one more request of `tokens` is refused, or `None`; see `standing_of`."""
    in_minute, tokens_in_minute, tokens_today, concurrent, today = totals
    if (
        tokens_today + tokens <= limits.tokens_per_day
        and today < limits.requests_per_day
        and tokens_in_minute + tokens <= limits.tokens_per_minute
        and in_minute < limits.requests_per_minute
        and concurrent < limits.concurrent_streams
    ):
        return None
    refusal = _refusal_of(totals, tokens, limits, now)
    return None if refusal is None else replace(refusal, standing=standing_of(totals, limits, now))


def _refusal_of(totals: UsageTotals, tokens: int, limits: Limits, now: float) -> Decision | None:
    to_minute, to_day = _turns(now)
    # The longest wait first: whoever waits as long as the answer says must not be refused again.
    if totals.tokens_today + tokens > limits.tokens_per_day:
        return _refused(
            Reason.TOKENS_PER_DAY,
            f"The request may take {tokens} tokens and you have "
            f"{max(0, limits.tokens_per_day - totals.tokens_today)} left today (UTC)."
            f"{_over(tokens, limits.tokens_per_day)}",
            to_day if tokens <= limits.tokens_per_day else None,
        )
    if totals.requests_today >= limits.requests_per_day:
        return _refused(
            Reason.REQUESTS_PER_DAY,
            f"You have made {totals.requests_today} requests today (UTC), which is the limit. "
            "Come back tomorrow.",
            to_day if limits.requests_per_day else None,
        )
    if totals.tokens_this_minute + tokens > limits.tokens_per_minute:
        return _refused(
            Reason.TOKENS_PER_MINUTE,
            f"The request may take {tokens} tokens and you have "
            f"{max(0, limits.tokens_per_minute - totals.tokens_this_minute)} left in this minute."
            f"{_over(tokens, limits.tokens_per_minute)}",
            to_minute if tokens <= limits.tokens_per_minute else None,
        )
    if totals.requests_this_minute >= limits.requests_per_minute:
        return _refused(
            Reason.REQUESTS_PER_MINUTE,
            f"You have made {totals.requests_this_minute} requests in this minute, which is the "
            "limit. Wait for the next minute.",
            to_minute if limits.requests_per_minute else None,
        )
    if totals.concurrent >= limits.concurrent_streams:
        return _refused(
            Reason.CONCURRENT_STREAMS,
            f"You have {totals.concurrent} requests under way, which is the limit. "
            "Wait until one has ended.",
            1.0 if limits.concurrent_streams else None,
        )
    return None


def _over(tokens: int, limit: int) -> str:
    more = f" The limit itself is {limit}: ask for a shorter answer, or shorten the prompt."
    return more if tokens > limit else ""


def _refused(reason: Reason, detail: str, retry_after: float | None) -> Decision:
    return Decision(allowed=False, reason=reason, detail=detail, retry_after=retry_after)
