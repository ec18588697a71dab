"""Who is signed in, and what they may use."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import SecuredRoute, principal_of, signed_in
from secure_openai.edge.authentication import assembly_of

router = APIRouter(route_class=SecuredRoute, prefix="/api", tags=["me"])


@router.get("/me")
@signed_in
async def me(request: Request) -> Response:
    """Return who is signed in and what they may use."""
    principal = principal_of(request)
    deployments = assembly_of(request).pipeline.deployments_for(principal)
    return JSONResponse(
        {
            "tid": principal.id.tid,
            "oid": principal.id.oid,
            "kind": principal.kind.value,
            "name": principal.name,
            "username": principal.username,
            "roles": sorted(principal.roles),
            "deployments": [
                {
                    "name": deployment.name,
                    "model": deployment.model,
                    "operations": sorted(deployment.parameters.operations),
                    "images": deployment.parameters.images,
                    "window_tokens": deployment.parameters.window_tokens,
                    "answer_tokens": deployment.parameters.answer_tokens,
                    "reasons": bool(deployment.parameters.reasoning_effort),
                }
                for deployment in deployments
            ],
        }
    )
