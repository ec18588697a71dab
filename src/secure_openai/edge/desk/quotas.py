"""Who is near a limit: of the day by the last count, of the minute as it counts now.

A minute is over before a job could count it, so the store is asked how each of the day's largest
stands. What it answers is what would be refused by: with what is set aside for requests under way,
and on several instances with what these have claimed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import ADMIN, SecuredRoute, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.desk.figures import AT_ONCE, names_of, usage_in
from secure_openai.edge.desk.principals import limits_of
from secure_openai.edge.desk.ranges import last_days
from secure_openai.edge.looking import viewed
from secure_openai.store.sightings import Sighting
from secure_openai.store.usage import UsageDay, UsageTotals
from secure_openai.types import JsonObject, Limits, utc_now

router = APIRouter(route_class=SecuredRoute, prefix="/api/admin", tags=["quotas"])

LOOKED_AT = 100
"""Of the day's totals, the largest by tokens, and by requests: their limits are looked up."""

NEAR = 0.5
"""From which part of a limit on somebody is near it."""


@dataclass(frozen=True, slots=True)
class Near:
    """Somebody near a limit.

    Attributes:
        sighting: Who.
        deployment: Of which deployment.
        what: Which limit: `tokens_per_day`, `requests_per_minute`, `concurrent_streams` …
        used: How much of it counts: of the day by the last count, else at this moment.
        limit: How much of it there is.
    """

    sighting: Sighting
    deployment: str
    what: str
    used: int
    limit: int

    @property
    def share(self) -> float:
        """Return which part of the limit is used."""
        return self.used / self.limit


@router.get("/quotas")
@requires(ADMIN)
async def get_quotas(request: Request) -> Response:
    """Return who is half way to a limit, or further, and to which; the nearest first."""
    return JSONResponse({"items": [near_json(one) for one in await near_limits(request)]})


async def near_limits(request: Request) -> Sequence[Near]:
    """Return who is near a limit, once the look is recorded.

    Raises:
        AuditUnavailable: It cannot be recorded, so nothing is shown.
        StoreError: Something cannot be read.
    """
    viewed(request, "quotas.viewed")
    assembly = assembly_of(request)
    rows, _ = await usage_in(assembly, last_days(1))
    most = [
        *sorted(rows, key=lambda one: -_tokens(one))[:LOOKED_AT],
        *sorted(rows, key=lambda one: -one.requests)[:LOOKED_AT],
    ]
    largest = {(one.principal.key, one.deployment): one for one in most}
    names = await names_of(assembly, list(dict.fromkeys(key for key, _ in largest)))
    served = {one.name: one for one in assembly.model.deployments}
    asked: list[tuple[UsageDay, Sighting, Limits]] = []
    for one in largest.values():
        sighting, deployment = names.get(one.principal.key), served.get(one.deployment)
        if sighting is None or deployment is None:
            continue
        limits = limits_of(assembly, sighting, deployment)
        if limits is not None:
            asked.append((one, sighting, limits))
    found: list[Near] = []
    for at in range(0, len(asked), AT_ONCE):
        few, now = asked[at : at + AT_ONCE], utc_now()
        counted = await asyncio.gather(
            *(assembly.usage.totals(one.principal, one.deployment, now=now) for one, _, _ in few)
        )
        for (day, sighting, limits), totals in zip(few, counted, strict=True):
            found += [
                Near(sighting, day.deployment, what, used, limit)
                for what, used, limit in _counts(day, totals, limits)
                if used >= limit * NEAR
            ]
    return sorted(found, key=lambda one: -one.share)


def _counts(day: UsageDay, totals: UsageTotals, limits: Limits) -> Iterator[tuple[str, int, int]]:
    """Yield each limit with how much of it counts; one of nothing is nothing to be near to."""
    counts = {
        "tokens_per_day": _tokens(day),
        "requests_per_day": day.requests,
        "tokens_per_minute": totals.tokens_this_minute,
        "requests_per_minute": totals.requests_this_minute,
        "concurrent_streams": totals.concurrent,
    }
    for what, used in counts.items():
        if (limit := int(getattr(limits, what))) > 0:
            yield what, used, limit


def near_json(near: Near) -> JsonObject:
    """Return somebody near a limit as the API shows it."""
    return {
        "principal": near.sighting.principal.key,
        "name": near.sighting.name,
        "deployment": near.deployment,
        "limit": near.what,
        "used": near.used,
        "of": near.limit,
        "share": round(near.share, 4),
    }


def _tokens(one: UsageDay) -> int:
    return one.prompt_tokens + one.completion_tokens
