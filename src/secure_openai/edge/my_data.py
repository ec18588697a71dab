"""What people ask to be done with their own data: an export of it, or its erasure.

A job carries it out. An export holds everything its person wrote: only they can fetch it here. None
of it waits for a notice: whoever does not accept one that has changed takes their data and goes.
"""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import SecuredRoute, before_notice, principal_of, signed_in
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import Body, body_of, limit_of
from secure_openai.edge.recording import record
from secure_openai.errors import Forbidden, NotFound, PreconditionFailed, RequestError
from secure_openai.store.audit import EVERYBODY, AuditAnswer, AuditEvent, AuditQuestion
from secure_openai.store.requests import (
    NO_REQUEST,
    DataRequest,
    RequestKind,
    RequestState,
    export_name,
)
from secure_openai.types import JsonObject, Principal, PrincipalId, PrincipalKind, utc_now

CONFIRMATION = "erase everything of mine"
"""What has to be written to have everything erased."""

GONE = "This export is gone: ask for another."

RETRY_SECONDS = 60
"""When to look again for an export that is under way."""

router = APIRouter(route_class=SecuredRoute, prefix="/api/me", tags=["my data"])


class Erase(Body):
    """A wish that cannot be taken back, said in words."""

    confirm: str


@router.get("/requests")
@before_notice
@signed_in
async def list_requests(request: Request) -> Response:
    """Return one's own requests, the newest first."""
    found = await assembly_of(request).requests.list(person_of(request).id)
    return JSONResponse({"items": [request_json(one) for one in found], "continuation": None})


@router.post("/export")
@before_notice
@signed_in
async def ask_export(request: Request) -> Response:
    """Ask for an export of everything that is kept of oneself."""
    return await asked(request, person_of(request).id, RequestKind.EXPORT)


@router.post("/erase")
@before_notice
@signed_in
async def ask_erasure(request: Request) -> Response:
    """Ask that everything of oneself be erased, confirmed in words."""
    person = person_of(request)
    body = await body_of(request, Erase)
    if body.confirm != CONFIRMATION:
        raise RequestError(
            f'This cannot be taken back. To have it done write "{CONFIRMATION}" as confirm.',
            pointer="/confirm",
        )
    return await asked(request, person.id, RequestKind.ERASURE)


@router.get("/export/{request_id}")
@before_notice
@signed_in
async def get_export(request: Request, request_id: str) -> Response:
    """Return one's export as a file or, while it is under way, how it stands (202)."""
    assembly, person = assembly_of(request), person_of(request)
    found = await assembly.requests.get(person.id, request_id)
    if found.kind is not RequestKind.EXPORT:
        raise NotFound(NO_REQUEST)
    if found.state.open:
        return JSONResponse(
            request_json(found), status_code=202, headers={"Retry-After": str(RETRY_SECONDS)}
        )
    if found.state is not RequestState.DONE or not found.expires or found.expires <= utc_now():
        raise NotFound(found.reason or GONE)
    assembly.audit.ensure_writable()
    try:
        content = await assembly.exports.get(export_name(found))
    except NotFound:
        # Where it lies things are dropped by themselves, too.
        raise NotFound(GONE) from None
    record(
        request,
        "export.downloaded",
        person,
        reason="asked",
        facts={"request": found.id, "bytes": len(content)},
    )
    name = f"export-{found.changed.date().isoformat()}.json"
    return Response(
        content,
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/looks")
@before_notice
@signed_in
async def list_looks(request: Request) -> Response:
    """Return what others looked at or did about oneself, the latest first; never who they are."""
    found = await looks_at(request, person_of(request))
    return JSONResponse(
        {
            "items": [look_json(one.event) for one in found.items],
            "continuation": found.continuation,
        }
    )


async def looks_at(request: Request, person: Principal) -> AuditAnswer:
    """Return the records of what others did about a person, or of a list that showed everybody.

    Raises:
        RequestError: The continuation is none.
        StoreError: They cannot be read.
    """
    audit = assembly_of(request).audit
    await audit.flush()
    answer = await audit.search(
        AuditQuestion(subjects=(person.id.key, EVERYBODY)),
        limit=limit_of(request, default=50, largest=200),
        continuation=request.query_params.get("continuation"),
    )
    others = [one for one in answer.items if one.event.principal != person.id]
    return replace(answer, items=others)


def look_json(event: AuditEvent) -> JsonObject:
    """Return what was done about a person as they are told it: by which role, not by whom.

    The record says who, to those who search the audit. A name shown to everybody would put people
    under pressure who did their work.
    """
    return {
        "at": event.at.isoformat(),
        "action": event.action,
        "by": "job" if event.principal is None else "administrator",
        "everybody": event.subject == EVERYBODY,
    }


def person_of(request: Request) -> Principal:
    """Return the person who asks.

    Raises:
        Forbidden: It is an application.
    """
    principal = principal_of(request)
    if principal.kind is not PrincipalKind.PERSON:
        raise Forbidden("This is for people; of an application an administrator disposes.")
    return principal


async def asked(request: Request, of: PrincipalId, kind: RequestKind) -> Response:
    """Store a request, record that it was asked for, and answer 202.

    Raises:
        AuditUnavailable: It cannot be recorded, so it is not stored.
        StoreError: It cannot be stored.
    """
    assembly, principal = assembly_of(request), principal_of(request)
    assembly.audit.ensure_writable()
    stored = await assembly.requests.ask(of, kind, by=principal.id, now=utc_now())
    while stored.state is RequestState.ERASED:
        # Only counts were left of it. What came since is to go as well.
        anew = replace(stored, by=principal.id, state=RequestState.ASKED, asked=utc_now())
        try:
            stored = await assembly.requests.change(replace(anew, changed=anew.asked))
        except PreconditionFailed:
            stored = await assembly.requests.ask(of, kind, by=principal.id, now=utc_now())
    mine = principal.id == of
    record(
        request,
        f"{kind.value}.asked",
        principal,
        reason="asked" if mine else "administrator",
        facts={"request": stored.id},
        of=of,
    )
    return JSONResponse(request_json(stored), status_code=202)


def request_json(request: DataRequest) -> JsonObject:
    """Return a request as the API shows it."""
    done = request.kind is RequestKind.EXPORT and request.state is RequestState.DONE
    return {
        "id": request.id,
        "kind": request.kind.value,
        "state": request.state.value,
        "asked": request.asked.isoformat(),
        "changed": request.changed.isoformat(),
        "reason": request.reason,
        "expires": request.expires.isoformat() if request.expires else None,
        "download": f"/api/me/export/{request.id}" if done else None,
    }
