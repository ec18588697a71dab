"""What an administrator may do; every act is audited. Never the text of a conversation."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import ADMIN, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.custody import principal_named
from secure_openai.edge.recording import record
from secure_openai.types import PrincipalId

router = APIRouter(route_class=SecuredRoute, prefix="/api/admin", tags=["administration"])


@router.delete("/principals/{tid}/{oid}/sessions")
@requires(ADMIN)
async def revoke_sessions(request: Request, tid: str, oid: str) -> Response:
    """End every session of a principal at once."""
    return JSONResponse(
        {"sessions": await sessions_ended(request, principal_named(request, tid, oid))}
    )


async def sessions_ended(request: Request, principal: PrincipalId) -> int:
    """End every session of a principal, record it, and return how many there were.

    Raises:
        AuditUnavailable: It cannot be recorded, so none is ended.
    """
    assembly = assembly_of(request)
    assembly.audit.ensure_writable()
    ended = await assembly.sessions.revoke(principal)
    record(
        request,
        "session.revoked",
        principal_of(request),
        reason="administrator",
        facts={"sessions": ended},
        of=principal,
    )
    return ended
