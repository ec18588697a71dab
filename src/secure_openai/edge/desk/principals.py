"""Who was here: with which roles, which sessions, what they used, and where their limits are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.assembly import Assembly
from secure_openai.edge.access import ADMIN, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import limit_of
from secure_openai.edge.custody import PRINCIPAL, hold_json, principal_named
from secure_openai.edge.desk.figures import Line, Part, added, line_json
from secure_openai.edge.desk.ranges import USUAL_DAYS, last_days
from secure_openai.edge.looking import viewed
from secure_openai.edge.my_data import request_json
from secure_openai.edge.recording import record
from secure_openai.errors import NotFound
from secure_openai.store.holds import Hold
from secure_openai.store.requests import DataRequest
from secure_openai.store.sessions import Session
from secure_openai.store.sightings import Sighting
from secure_openai.store.usage import UsageTotals
from secure_openai.types import Deployment, JsonObject, Limits, Principal, PrincipalId, utc_now

router = APIRouter(route_class=SecuredRoute, prefix="/api/admin", tags=["principals"])


@dataclass(frozen=True, slots=True)
class Quota:
    """How a principal stands with a deployment.

    Attributes:
        deployment: Which.
        limits: What policy allows, with the roles of their last sight.
        totals: What counts now.
    """

    deployment: str
    limits: Limits
    totals: UsageTotals


@dataclass(frozen=True, slots=True)
class Portrait:
    """Everything that the desk shows of one principal.

    Attributes:
        principal: Who.
        sighting: When and how last seen, or `None`.
        sessions: Open ones.
        by_day: What they used in the last days.
        by_deployment: The same by deployment.
        quotas: How they stand, for each deployment that they may use.
        holds: What is held of them.
        requests: What was asked to be done with their data.
    """

    principal: PrincipalId
    sighting: Sighting | None
    sessions: Sequence[Session]
    by_day: Sequence[Line]
    by_deployment: Sequence[Line]
    quotas: Sequence[Quota]
    holds: Sequence[Hold]
    requests: Sequence[DataRequest]


@router.get("/principals")
@requires(ADMIN)
async def list_principals(request: Request) -> Response:
    """Return who was seen, the latest first; `search` looks in names, user names and ids."""
    viewed(request, "principals.viewed")
    page = await assembly_of(request).sightings.list(
        search=request.query_params.get("search", ""),
        limit=limit_of(request, default=50, largest=200),
        continuation=request.query_params.get("continuation"),
    )
    return JSONResponse(
        {"items": [sighting_json(one) for one in page.items], "continuation": page.continuation}
    )


@router.get(PRINCIPAL)
@requires(ADMIN)
async def get_principal(request: Request, tid: str, oid: str) -> Response:
    """Return what there is to see of a principal, never what they wrote."""
    portrait = await portrayed(request, principal_named(request, tid, oid))
    currency = assembly_of(request).policy.prices.currency
    return JSONResponse(
        {
            "principal": portrait.principal.key,
            "seen": sighting_json(portrait.sighting) if portrait.sighting else None,
            "sessions": [session_json(one) for one in portrait.sessions],
            "usage": [line_json(one, currency) for one in portrait.by_day],
            "usage_by_deployment": [line_json(one, currency) for one in portrait.by_deployment],
            "quotas": [
                {
                    "deployment": one.deployment,
                    "limits": asdict(one.limits),
                    "used": one.totals._asdict(),
                }
                for one in portrait.quotas
            ],
            "holds": [hold_json(one) for one in portrait.holds],
            "requests": [
                {**request_json(one), "by": one.by.key, "download": None}
                for one in portrait.requests
            ],
        }
    )


@router.delete(f"{PRINCIPAL}/sessions/{{session}}")
@requires(ADMIN)
async def end_session(request: Request, tid: str, oid: str, session: str) -> Response:
    """End one session of a principal."""
    await session_ended(request, principal_named(request, tid, oid), session)
    return Response(status_code=204)


async def session_ended(request: Request, principal: PrincipalId, handle: str) -> None:
    """End a session, and record it.

    Raises:
        NotFound: They have none of that handle.
        AuditUnavailable: It cannot be recorded, so it is not done.
    """
    assembly = assembly_of(request)
    assembly.audit.ensure_writable()
    for one in await assembly.sessions.of(principal):
        if handle_of(one) == handle:
            await assembly.sessions.drop(one)
            record(
                request,
                "session.revoked",
                principal_of(request),
                reason="administrator",
                facts={"sessions": 1},
                of=principal,
            )
            return
    raise NotFound("There is no such session.")


async def portrayed(request: Request, principal: PrincipalId) -> Portrait:
    """Return what there is to see of a principal, once the look is recorded.

    Raises:
        AuditUnavailable: It cannot be recorded, so nothing is shown.
        StoreError: Something cannot be read.
    """
    viewed(request, "principal.viewed", of=principal)
    assembly, now = assembly_of(request), utc_now()
    sighting = await assembly.sightings.get(principal)
    days = last_days(USUAL_DAYS).labels
    rows = [one for one in await assembly.usage.of(principal) if one.day >= days[0]]
    prices = assembly.policy.prices.by_name(assembly.model.deployments)
    parts = [
        Part(one.day, one.deployment, one.requests, one.prompt_tokens, one.completion_tokens)
        for one in rows
    ]
    daily = {label: Line(label) for label in days}
    daily |= {line.key: line for line in added(parts, prices)}
    by_deployment = [
        Part(one.deployment, one.deployment, one.requests, one.prompt_tokens, one.completion_tokens)
        for one in parts
    ]
    return Portrait(
        principal=principal,
        sighting=sighting,
        sessions=[one for one in await assembly.sessions.of(principal) if one.expires > now],
        by_day=list(daily.values()),
        by_deployment=added(by_deployment, prices),
        quotas=await quotas_of(assembly, principal, sighting),
        holds=await assembly.holds.of(principal),
        requests=await assembly.requests.list(principal),
    )


async def quotas_of(
    assembly: Assembly, principal: PrincipalId, sighting: Sighting | None
) -> Sequence[Quota]:
    """Return how a principal stands, with the roles of their last sight."""
    if sighting is None:
        return []
    found = []
    for deployment in assembly.model.deployments:
        limits = limits_of(assembly, sighting, deployment)
        if limits is not None:
            totals = await assembly.usage.totals(principal, deployment.name, now=utc_now())
            found.append(Quota(deployment.name, limits, totals))
    return found


def limits_of(assembly: Assembly, sighting: Sighting, deployment: Deployment) -> Limits | None:
    """Return what policy allows whoever was seen so, or `None` where it allows nothing."""
    principal = Principal(
        sighting.principal, sighting.kind, sighting.roles, client_id=sighting.client_id
    )
    return assembly.policy.limits_for(principal, deployment)


def handle_of(session: Session) -> str:
    """Return what the desk calls a session: neither its cookie nor what that is found by."""
    return hashlib.sha256(f"desk {session.id_hash}".encode()).hexdigest()[:16]


def sighting_json(sighting: Sighting) -> JsonObject:
    """Return a sighting as the API shows it."""
    return {
        "principal": sighting.principal.key,
        "kind": sighting.kind.value,
        "name": sighting.name,
        "username": sighting.username,
        "roles": sorted(sighting.roles),
        "client_id": sighting.client_id,
        "first": sighting.first.isoformat(),
        "last": sighting.last.isoformat(),
    }


def session_json(session: Session) -> JsonObject:
    """Return a session as the API shows it: nothing that opens it."""
    return {
        "session": handle_of(session),
        "created": session.created.isoformat(),
        "last_seen": session.last_seen.isoformat(),
        "expires": session.expires.isoformat(),
        "roles": sorted(session.principal.roles),
        "roles_checked": session.roles_checked.isoformat(),
    }
