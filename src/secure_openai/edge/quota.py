"""How one stands with each deployment, in the UTC minute and the UTC day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import EVERYONE, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.store.usage import UsageTotals
from secure_openai.types import Deployment, JsonObject, Limits, utc_now

router = APIRouter(route_class=SecuredRoute, prefix="/api/me", tags=["quota"])


@router.get("/quota")
@requires(*EVERYONE)
async def quota(request: Request) -> Response:
    """Return how one stands with each deployment that one may use."""
    now = utc_now()
    used = await assembly_of(request).pipeline.used(principal_of(request))
    return JSONResponse(
        {
            "items": [_standing(*one) for one in used],
            "resets": {"minute": _next(now, minutes=1), "day": _next(now, days=1)},
        }
    )


def _standing(deployment: Deployment, limits: Limits, totals: UsageTotals) -> JsonObject:
    return {
        "deployment": deployment.name,
        "minute": {
            "requests": _line(limits.requests_per_minute, totals.requests_this_minute),
            "tokens": _line(limits.tokens_per_minute, totals.tokens_this_minute),
        },
        "day": {
            "requests": _line(limits.requests_per_day, totals.requests_today),
            "tokens": _line(limits.tokens_per_day, totals.tokens_today),
        },
        "under_way": _line(limits.concurrent_streams, totals.concurrent),
    }


def _line(limit: int, used: int) -> JsonObject:
    # A limit that was lowered meanwhile leaves nothing, and not less than that.
    return {"limit": limit, "used": used, "left": max(0, limit - used)}


def _next(now: datetime, *, minutes: int = 0, days: int = 0) -> str:
    """Return when the UTC minute or the UTC day turns."""
    begun = now.astimezone(UTC).replace(second=0, microsecond=0)
    if days:
        begun = begun.replace(hour=0, minute=0)
    return (begun + timedelta(minutes=minutes, days=days)).isoformat()
