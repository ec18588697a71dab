"""Who is near their limit of the day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import ADMIN, SecuredRoute, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.desk.figures import names_of, usage_in
from secure_openai.edge.desk.principals import limits_of
from secure_openai.edge.desk.ranges import last_days
from secure_openai.edge.looking import viewed
from secure_openai.store.sightings import Sighting
from secure_openai.store.usage import UsageDay
from secure_openai.types import JsonObject

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
        what: Of what: `tokens_per_day` or `requests_per_day`.
        used: How much of it today.
        limit: How much of it in a day.
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
    """Return who has used half of a day's tokens or requests, or more; the nearest first."""
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
    found = []
    for one in largest.values():
        sighting, deployment = names.get(one.principal.key), served.get(one.deployment)
        if sighting is None or deployment is None:
            continue
        limits = limits_of(assembly, sighting, deployment)
        if limits is None:
            continue
        found += [
            near
            for near in (
                Near(
                    sighting, one.deployment, "tokens_per_day", _tokens(one), limits.tokens_per_day
                ),
                Near(
                    sighting, one.deployment, "requests_per_day", one.requests,
                    limits.requests_per_day,
                ),
            )
            if near.share >= NEAR
        ]  # fmt: skip
    return sorted(found, key=lambda one: -one.share)


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
