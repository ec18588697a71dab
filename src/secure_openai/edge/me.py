"""Who is signed in, and what they may use."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import SecuredRoute, principal_of, signed_in
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.offers import offers_json

router = APIRouter(route_class=SecuredRoute, prefix="/api", tags=["me"])


@router.get("/me")
@signed_in
async def me(request: Request) -> Response:
    """Return who is signed in and what they may use."""
    principal = principal_of(request)
    assembly = assembly_of(request)
    deployments = assembly.pipeline.deployments_for(principal)
    return JSONResponse(
        {
            "tid": principal.id.tid,
            "oid": principal.id.oid,
            "kind": principal.kind.value,
            "name": principal.name,
            "username": principal.username,
            "roles": sorted(principal.roles),
            "deployments": offers_json(assembly, deployments),
        }
    )
