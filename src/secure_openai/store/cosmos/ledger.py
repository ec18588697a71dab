"""A ledger: what every instance has claimed of one principal's quota of one deployment.

One item holds the leases of all instances, so that one conditional write of it decides. A lease
says, in absolute numbers, what its instance claims: of a UTC minute its requests and tokens, of a
UTC day the same, and how many requests may be under way. Whoever writes an absolute number twice
has written it once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from secure_openai.store.documents import VERSION
from secure_openai.store.quota import DAYS_KEPT, Windows
from secure_openai.store.usage import UsageTotals
from secure_openai.types import JsonObject, PrincipalId

CLOCK_SKEW = timedelta(seconds=30)
"""How far two instances' clocks may differ. A lease counts for others this much longer than its
holder spends from it, so that whoever's clock is late cannot spend what was given to another."""

MINUTES_KEPT = timedelta(minutes=10)
DAYS_CLAIMED = timedelta(days=2)
DAYS_IN_LEDGER = timedelta(days=3)
"""A holder claims nothing of days before `DAYS_CLAIMED`; once a day is older than `DAYS_IN_LEDGER`,
no lease can gain it again, and its total becomes an item of its own."""

TTL_SECONDS = DAYS_KEPT * 86_400


@dataclass(frozen=True, slots=True)
class MinuteClaim:
    """What a lease claims of a UTC minute; it counts until the minute is forgotten."""

    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class DayClaim:
    """What a lease claims of a UTC day.

    Attributes:
        settled: Tokens that were used: they count for ever.
        claimed: Those, the ones reserved and the block: they count while the lease does.
        requests: How many were made, for reports.
        prompt: How many of the settled tokens were prompts, for reports.
        claimed_requests: How many may have been made: those and the block. They count until the
            day is over, whether the lease does or not, since what was made of the block is known
            to its holder alone.
    """

    settled: int
    claimed: int
    requests: int
    prompt: int = 0
    claimed_requests: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """What one instance claims.

    Attributes:
        expires: UTC timestamp after which its holder spends nothing from it.
        streams: Requests that may be under way.
        minutes: By UTC minute.
        days: By UTC day.
    """

    expires: float = 0.0
    streams: int = 0
    minutes: Mapping[str, MinuteClaim] | None = None
    days: Mapping[str, DayClaim] | None = None

    def minute(self, label: str) -> MinuteClaim:
        """Return the claim of a minute, nothing where there is none."""
        return (self.minutes or {}).get(label, MinuteClaim(0, 0))

    def day(self, label: str) -> DayClaim:
        """Return the claim of a day, nothing where there is none."""
        return (self.days or {}).get(label, DayClaim(0, 0, 0))

    def counts_at(self, now: datetime) -> bool:
        """Return whether others must believe that the holder may still spend from it."""
        return now.timestamp() < self.expires + CLOCK_SKEW.total_seconds()


def ledger_key(deployment: str) -> str:
    """Return the id of a deployment's ledger in its principal's partition."""
    return f"ledger.{_hashed(deployment)}"


def _hashed(deployment: str) -> str:
    # A deployment's name may hold what an id may not.
    return hashlib.sha256(deployment.encode()).hexdigest()[:32]


def blank(principal: PrincipalId, deployment: str) -> JsonObject:
    """Return a ledger in which nothing is claimed."""
    return {
        "id": ledger_key(deployment),
        "principal": principal.key,
        "kind": "ledger",
        "deployment": deployment,
        "version": VERSION,
        "ttl": TTL_SECONDS,
        "leases": {},
    }


def lease_in(ledger: JsonObject | None, instance: str) -> Lease | None:
    """Return an instance's lease, or `None`."""
    document = (ledger or {"leases": {}})["leases"].get(instance)
    return None if document is None else _lease_of(document)


def claimed_by_others(ledger: JsonObject | None, instance: str, now: datetime) -> UsageTotals:
    """Return what all leases but one instance's claim at `now`."""
    return _claimed(ledger, instance, now, certain=False)


def certain_of_others(ledger: JsonObject | None, instance: str, now: datetime) -> UsageTotals:
    """Return what of that stays claimed even when every other lease ends."""
    return _claimed(ledger, instance, now, certain=True)


def _claimed(
    ledger: JsonObject | None, instance: str, now: datetime, *, certain: bool
) -> UsageTotals:
    windows = Windows.of(now)
    requests = minute = day = streams = requests_of_day = 0
    for lease in _others(ledger, instance):
        counts = lease.counts_at(now) and not certain
        requests += lease.minute(windows.minute).requests
        minute += lease.minute(windows.minute).tokens
        claim = lease.day(windows.day)
        day += claim.claimed if counts else claim.settled
        requests_of_day += claim.claimed_requests
        streams += lease.streams if counts else 0
    return UsageTotals(requests, minute, day, streams, requests_of_day)


def first_end_of_others(ledger: JsonObject | None, instance: str, now: datetime) -> float:
    """Return in how many seconds the first of the other leases counts no more."""
    ends = [
        lease.expires + CLOCK_SKEW.total_seconds() - now.timestamp()
        for lease in _others(ledger, instance)
        if lease.counts_at(now)
    ]
    return max(1.0, min(ends, default=1.0))


def requests_set_aside(
    ledger: JsonObject | None, instance: str, now: datetime
) -> tuple[int, float | None]:
    """Return how many of the day's requests others hold that they have not told to be made.

    With it, in how many seconds the first of them ends who may still give some back, or `None`: a
    lease that has ended gives nothing back by itself.
    """
    label = Windows.of(now).day
    holders = [
        (lease, claim.claimed_requests - claim.requests)
        for lease in _others(ledger, instance)
        if (claim := lease.day(label)).claimed_requests > claim.requests
    ]
    ends = [
        lease.expires + CLOCK_SKEW.total_seconds() - now.timestamp()
        for lease, _ in holders
        if lease.counts_at(now)
    ]
    return sum(aside for _, aside in holders), max(1.0, min(ends)) if ends else None


def _others(ledger: JsonObject | None, instance: str) -> Iterator[Lease]:
    for other, document in (ledger or {"leases": {}})["leases"].items():
        if other != instance:
            yield _lease_of(document)


def with_lease(
    ledger: JsonObject, instance: str, lease: Lease, now: datetime
) -> tuple[JsonObject, list[JsonObject]]:
    """Return a ledger with an instance's lease in it, and the days that leave it.

    Other instances' leases pass as they are, members that only a later version knows included;
    one that counts no more and claims nothing recent is dropped.
    """
    leases = {**ledger["leases"], instance: _document(lease)}
    before = ledger["leases"].get(instance, {"days": {}})["days"]
    # Of the days that it claims nothing of any more, it leaves what is there.
    leases[instance]["days"] = {**before, **leases[instance]["days"]}
    oldest_day = Windows.of(now - DAYS_IN_LEDGER).day
    oldest_minute = Windows.of(now - MINUTES_KEPT).minute
    totals: dict[str, DayClaim] = {}
    kept: dict[str, JsonObject] = {}
    for holder, document in leases.items():
        read = _lease_of(document)
        for label, claim in (read.days or {}).items():
            if label < oldest_day:
                total = totals.get(label, DayClaim(0, 0, 0))
                totals[label] = DayClaim(
                    total.settled + claim.settled,
                    0,
                    total.requests + claim.requests,
                    total.prompt + claim.prompt,
                )
        days = _from(document["days"], oldest_day)
        ended = not read.counts_at(now)
        minutes = _from(document["minutes"], oldest_minute) if ended else document["minutes"]
        if holder == instance or days or minutes or not ended:
            kept[holder] = {**document, "days": days, "minutes": minutes}
    written = {
        **ledger,
        "leases": kept,
        "ttl": TTL_SECONDS,
        "version": max(ledger.get("version", VERSION), VERSION),
    }
    return written, [_day_item(ledger, label, total) for label, total in totals.items()]


def days_in(ledger: JsonObject) -> dict[str, DayClaim]:
    """Return what all leases together have settled, by UTC day."""
    days: dict[str, DayClaim] = {}
    for lease in _others(ledger, ""):
        for label, claim in (lease.days or {}).items():
            day = days.get(label, DayClaim(0, 0, 0))
            days[label] = DayClaim(
                day.settled + claim.settled,
                0,
                day.requests + claim.requests,
                day.prompt + claim.prompt,
            )
    return days


def without_days(ledger: JsonObject, until: str) -> JsonObject:
    """Return a ledger without the days up to `until`."""
    leases = {
        holder: {
            **document,
            "days": {label: day for label, day in document["days"].items() if label > until},
        }
        for holder, document in ledger["leases"].items()
    }
    return {**ledger, "leases": leases}


def _from(windows: JsonObject, oldest: str) -> JsonObject:
    return {label: claim for label, claim in windows.items() if label >= oldest}


def _day_item(ledger: JsonObject, label: str, total: DayClaim) -> JsonObject:
    """Return a day's total as it is kept for reports."""
    return {
        "id": f"day.{_hashed(ledger['deployment'])}.{label}",
        "principal": ledger["principal"],
        "kind": "day",
        "deployment": ledger["deployment"],
        "day": label,
        "version": VERSION,
        "ttl": TTL_SECONDS,
        "requests": total.requests,
        "tokens": total.settled,
        "prompt": total.prompt,
    }


def _document(lease: Lease) -> JsonObject:
    return {
        "expires": lease.expires,
        "streams": lease.streams,
        "minutes": {
            label: {"requests": claim.requests, "tokens": claim.tokens}
            for label, claim in (lease.minutes or {}).items()
        },
        "days": {
            label: {
                "settled": claim.settled,
                "claimed": claim.claimed,
                "requests": claim.requests,
                "prompt": claim.prompt,
                "claimed_requests": claim.claimed_requests,
            }
            for label, claim in (lease.days or {}).items()
        },
    }


def _lease_of(document: JsonObject) -> Lease:
    return Lease(
        expires=document["expires"],
        streams=document["streams"],
        minutes={
            label: MinuteClaim(claim["requests"], claim["tokens"])
            for label, claim in document["minutes"].items()
        },
        days={
            label: DayClaim(
                claim["settled"],
                claim["claimed"],
                claim["requests"],
                # A program before wrote neither.
                claim.get("prompt", 0),
                claim.get("claimed_requests", claim["requests"]),
            )
            for label, claim in document["days"].items()
        },
    )
