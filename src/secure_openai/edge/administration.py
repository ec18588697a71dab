"""What an administrator may do; every act is audited. Never the text of a conversation."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import ADMIN, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.problems import request_id_of
from secure_openai.errors import NotFound
from secure_openai.store.audit import AuditEvent
from secure_openai.types import PrincipalId

router = APIRouter(route_class=SecuredRoute, prefix="/api/admin", tags=["administration"])


@router.delete("/principals/{tid}/{oid}/sessions")
@requires(ADMIN)
async def revoke_sessions(request: Request, tid: str, oid: str) -> Response:
    """End every session of a principal at once."""
    assembly = assembly_of(request)
    if tid != assembly.settings.tenant_id:
        raise NotFound("There is no such tenant here.")
    assembly.audit.ensure_writable()
    ended = await assembly.sessions.revoke(PrincipalId(tid, oid))
    assembly.audit.append(
        AuditEvent(
            action="session.revoked",
            at=datetime.now(UTC),
            principal=principal_of(request).id,
            decision="allowed",
            reason="administrator",
            request_id=request_id_of(request),
            facts={"of": PrincipalId(tid, oid).key, "sessions": ended},
        )
    )
    return JSONResponse({"sessions": ended})
