"""The arithmetic of quota: the windows that a request is charged to, and when it is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from secure_openai.store.usage import UsageTotals
from secure_openai.types import Decision, Limits, Reason, Standing

DAYS_KEPT = 400
"""How long day counts are kept, for reports; minute counts are of no use after a day."""

DAYS_COUNTED = 4
"""So many days after its end nothing changes any more of what is counted of a UTC day."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The UTC minute and UTC day of an instant, as keys."""

    minute: str
    day: str

    @classmethod
    def of(cls, now: datetime) -> Windows:
        """Return the windows of an instant."""
        return _windows(int(now.timestamp() // 60))


@lru_cache(maxsize=16)
def _windows(minutes: int) -> Windows:
    """Return the windows of a minute since the epoch: many instants share one."""
    utc = datetime.fromtimestamp(minutes * 60, UTC)
    return Windows(utc.strftime("%Y-%m-%dT%H:%M"), utc.strftime("%Y-%m-%d"))


def standing_of(totals: UsageTotals, limits: Limits, now: datetime) -> Standing:
    """Return what `totals` leave of `limits`; never less than nothing."""
    to_minute, to_day = _turns(now)
    requests, requests_of_day = (
        limits.requests_per_minute - totals.requests_this_minute,
        limits.requests_per_day - totals.requests_today,
    )
    tokens, tokens_of_day = (
        limits.tokens_per_minute - totals.tokens_this_minute,
        limits.tokens_per_day - totals.tokens_today,
    )
    return Standing(
        limit_requests=limits.requests_per_minute,
        remaining_requests=max(0, min(requests, requests_of_day)),
        limit_tokens=limits.tokens_per_minute,
        remaining_tokens=max(0, min(tokens, tokens_of_day)),
        reset_requests_seconds=to_day if requests_of_day < requests else to_minute,
        reset_tokens_seconds=to_day if tokens_of_day < tokens else to_minute,
    )


def _turns(now: datetime) -> tuple[float, float]:
    """Return in how many seconds the UTC minute and the UTC day turn."""
    seconds = now.timestamp()
    return 60.0 - seconds % 60, 86_400.0 - seconds % 86_400


def with_request(totals: UsageTotals, tokens: int) -> UsageTotals:
    """Return the totals with one more request of `tokens` counted."""
    return UsageTotals(
        requests_this_minute=totals.requests_this_minute + 1,
        tokens_this_minute=totals.tokens_this_minute + tokens,
        tokens_today=totals.tokens_today + tokens,
        concurrent=totals.concurrent + 1,
        requests_today=totals.requests_today + 1,
    )


def refusal_of(totals: UsageTotals, tokens: int, limits: Limits, now: datetime) -> Decision | None:
    """Return why one more request of `tokens` is refused, or `None`."""
    if (
        totals.tokens_today + tokens <= limits.tokens_per_day
        and totals.requests_today < limits.requests_per_day
        and totals.tokens_this_minute + tokens <= limits.tokens_per_minute
        and totals.requests_this_minute < limits.requests_per_minute
        and totals.concurrent < limits.concurrent_streams
    ):
        return None
    refusal = _refusal_of(totals, tokens, limits, now)
    return None if refusal is None else replace(refusal, standing=standing_of(totals, limits, now))


def _refusal_of(totals: UsageTotals, tokens: int, limits: Limits, now: datetime) -> Decision | None:
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
