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
from secure_openai.types import JsonObject

router = APIRouter(route_class=SecuredRoute, prefix="/api/admin", tags=["quotas"])

LOOKED_AT = 200
"""Of the day's totals, the largest: their limits are looked up."""

NEAR = 0.5
"""From which part of a limit on somebody is near it."""


@dataclass(frozen=True, slots=True)
class Near:
    """Somebody near a limit.

    Attributes:
        sighting: Who.
        deployment: Of which deployment.
        used: Tokens of today.
        limit: Tokens of a day.
    """

    sighting: Sighting
    deployment: str
    used: int
    limit: int

    @property
    def share(self) -> float:
        """Return which part of the limit is used."""
        return self.used / self.limit


@router.get("/quotas")
@requires(ADMIN)
async def get_quotas(request: Request) -> Response:
    """Return who has used half of a day's tokens or more, the nearest first."""
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
    most = sorted(rows, key=lambda one: -(one.prompt_tokens + one.completion_tokens))[:LOOKED_AT]
    names = await names_of(assembly, list(dict.fromkeys(one.principal.key for one in most)))
    served = {one.name: one for one in assembly.model.deployments}
    found = []
    for one in most:
        sighting, deployment = names.get(one.principal.key), served.get(one.deployment)
        if sighting is None or deployment is None:
            continue
        limits = limits_of(assembly, sighting, deployment)
        if limits is None:
            continue
        used = one.prompt_tokens + one.completion_tokens
        near = Near(sighting, one.deployment, used, limits.tokens_per_day)
        if near.share >= NEAR:
            found.append(near)
    return sorted(found, key=lambda one: -one.share)


def near_json(near: Near) -> JsonObject:
    """Return somebody near a limit as the API shows it."""
    return {
        "principal": near.sighting.principal.key,
        "name": near.sighting.name,
        "deployment": near.deployment,
        "tokens_today": near.used,
        "tokens_per_day": near.limit,
        "share": round(near.share, 4),
    }
