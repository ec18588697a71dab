"""The notice that a person accepts before first use."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import SecuredRoute, before_notice, principal_of, signed_in
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import Body, body_of
from secure_openai.edge.markdown import rendered
from secure_openai.edge.recording import record
from secure_openai.errors import Forbidden
from secure_openai.types import PrincipalKind

router = APIRouter(route_class=SecuredRoute, prefix="/api/me/notice", tags=["notice"])


class Accepted(Body):
    """Which notice is accepted: the digest that it was read with."""

    digest: Annotated[str, Field(min_length=1, max_length=128)]


@router.get("")
@before_notice
@signed_in
async def get(request: Request) -> Response:
    """Return the notice that stands, and when one accepted it; both may be null."""
    assembly = assembly_of(request)
    notice = assembly.appearance.notice
    accepted = await assembly.acceptances.accepted(principal_of(request).id)
    return JSONResponse(
        {
            "notice": None
            if notice is None
            else {
                "title": notice.name,
                "text": notice.text,
                "html": rendered(notice.text),
                "digest": assembly.appearance.notice_digest,
            },
            "accepted": None if accepted is None else accepted.isoformat(),
        }
    )


@router.post("/accept")
@before_notice
@signed_in
async def accept(request: Request) -> Response:
    """Accept the notice that stands; it is kept, and recorded, once."""
    assembly, principal = assembly_of(request), principal_of(request)
    if principal.kind is not PrincipalKind.PERSON:
        raise Forbidden("A notice is for people: nobody accepts it for them.")
    body = await body_of(request, Accepted)
    assembly.audit.ensure_writable()
    when, anew = await assembly.acceptances.accept(principal.id, body.digest)
    if anew:
        record(
            request,
            "notice.accepted",
            principal,
            reason="accepted",
            facts={"notice": body.digest},
        )
    return JSONResponse({"digest": body.digest, "accepted": when.isoformat()})
