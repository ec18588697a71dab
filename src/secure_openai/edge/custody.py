"""What an administrator does with what is kept: legal holds, requests for others, and totals.

Never the text of a conversation: an export that an administrator asks for is fetched by its own
person, or from the store by whoever may read that.
"""

from __future__ import annotations

import re
from dataclasses import asdict

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import ADMIN, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import Body, body_of, limit_of
from secure_openai.edge.looking import viewed
from secure_openai.edge.my_data import asked, request_json
from secure_openai.edge.recording import record
from secure_openai.errors import NotFound, RequestError
from secure_openai.store.holds import Hold, checked_reference
from secure_openai.store.requests import RequestKind
from secure_openai.types import ConversationId, JsonObject, PrincipalId, utc_now

PRINCIPAL = "/principals/{tid}/{oid}"

router = APIRouter(route_class=SecuredRoute, prefix="/api/admin", tags=["custody"])

_PART = re.compile(r"[A-Za-z0-9_-]{1,128}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Case(Body):
    """Why something is held."""

    reference: str


class Erase(Body):
    """A wish that cannot be taken back: the principal's object id, once more."""

    confirm: str


@router.get("/holds")
@requires(ADMIN)
async def list_holds(request: Request) -> Response:
    """Return every legal hold."""
    viewed(request, "holds.viewed")
    return _items([hold_json(one) for one in await assembly_of(request).holds.all()])


@router.put(f"{PRINCIPAL}/hold")
@requires(ADMIN)
async def hold_everything(request: Request, tid: str, oid: str) -> Response:
    """Hold everything of a principal."""
    return await _place(request, principal_named(request, tid, oid), None)


@router.delete(f"{PRINCIPAL}/hold")
@requires(ADMIN)
async def release_everything(request: Request, tid: str, oid: str) -> Response:
    """Lift the hold of everything; holds of conversations stay."""
    return await _lift(request, principal_named(request, tid, oid), None)


@router.put(f"{PRINCIPAL}/conversations/{{conversation_id}}/hold")
@requires(ADMIN)
async def hold_conversation(request: Request, tid: str, oid: str, conversation_id: str) -> Response:
    """Hold one conversation of a principal."""
    return await _place(
        request, principal_named(request, tid, oid), conversation_named(conversation_id)
    )


@router.delete(f"{PRINCIPAL}/conversations/{{conversation_id}}/hold")
@requires(ADMIN)
async def release_conversation(
    request: Request, tid: str, oid: str, conversation_id: str
) -> Response:
    """Lift the hold of one conversation."""
    return await _lift(
        request, principal_named(request, tid, oid), conversation_named(conversation_id)
    )


@router.get(f"{PRINCIPAL}/requests")
@requires(ADMIN)
async def list_requests(request: Request, tid: str, oid: str) -> Response:
    """Return what was asked to be done with a principal's data, and who asked."""
    principal = principal_named(request, tid, oid)
    viewed(request, "requests.viewed", of=principal)
    found = await assembly_of(request).requests.list(principal)
    return _items([{**request_json(one), "by": one.by.key, "download": None} for one in found])


@router.post(f"{PRINCIPAL}/export")
@requires(ADMIN)
async def ask_export(request: Request, tid: str, oid: str) -> Response:
    """Ask for an export of what is kept of a principal."""
    return await asked(request, principal_named(request, tid, oid), RequestKind.EXPORT)


@router.post(f"{PRINCIPAL}/erase")
@requires(ADMIN)
async def ask_erasure(request: Request, tid: str, oid: str) -> Response:
    """Ask that what is kept of a principal be erased, confirmed by the object id."""
    principal = principal_named(request, tid, oid)
    body = await body_of(request, Erase)
    if body.confirm != principal.oid:
        raise RequestError(
            "This cannot be taken back. To have it done write the object id as confirm.",
            pointer="/confirm",
        )
    return await asked(request, principal, RequestKind.ERASURE)


@router.get("/usage/{day}")
@requires(ADMIN)
async def usage_of_day(request: Request, day: str) -> Response:
    """Return what was used in a UTC day, by principal and deployment, as last rolled up."""
    if not _DAY.fullmatch(day):
        raise NotFound("Write a day as 2030-01-02.")
    viewed(request, "usage.viewed", facts={"from": day, "to": day, "by": "principal"})
    page = await assembly_of(request).usage.day(
        day,
        limit=limit_of(request, default=100, largest=1000),
        continuation=request.query_params.get("continuation"),
    )
    items = [{**asdict(one), "principal": one.principal.key} for one in page.items]
    return JSONResponse({"items": items, "continuation": page.continuation})


def hold_json(hold: Hold) -> JsonObject:
    """Return a hold as the API shows it."""
    return {
        "principal": hold.principal.key,
        "conversation": hold.conversation,
        "reference": hold.reference,
        "placed": hold.placed.isoformat(),
        "by": hold.by.key,
    }


async def _place(
    request: Request, principal: PrincipalId, conversation: ConversationId | None
) -> Response:
    reference = (await body_of(request, Case)).reference
    return JSONResponse(hold_json(await placed(request, principal, conversation, reference)))


async def placed(
    request: Request, principal: PrincipalId, conversation: ConversationId | None, reference: str
) -> Hold:
    """Place a hold, and record it.

    Raises:
        RequestError: The reference is none.
        AuditUnavailable: It cannot be recorded, so it is not placed.
    """
    assembly, administrator = assembly_of(request), principal_of(request)
    case = checked_reference(reference)
    assembly.audit.ensure_writable()
    hold = await assembly.holds.place(
        Hold(principal, conversation, case, utc_now(), administrator.id)
    )
    record(
        request,
        "hold.placed",
        administrator,
        reason="administrator",
        facts={"conversation": conversation},
        of=principal,
    )
    return hold


async def _lift(
    request: Request, principal: PrincipalId, conversation: ConversationId | None
) -> Response:
    await lifted(request, principal, conversation)
    return Response(status_code=204)


async def lifted(
    request: Request, principal: PrincipalId, conversation: ConversationId | None
) -> None:
    """Lift a hold, and record it.

    Raises:
        NotFound: There is none.
        AuditUnavailable: It cannot be recorded, so it is not lifted.
    """
    assembly = assembly_of(request)
    assembly.audit.ensure_writable()
    if not await assembly.holds.lift(principal, conversation):
        raise NotFound("There is no such hold.")
    record(
        request,
        "hold.lifted",
        principal_of(request),
        reason="administrator",
        facts={"conversation": conversation},
        of=principal,
    )


def principal_named(request: Request, tid: str, oid: str) -> PrincipalId:
    """Return the principal that an address names, who need not have been here yet.

    Raises:
        NotFound: It can be nobody's.
    """
    if tid != assembly_of(request).settings.tenant_id:
        raise NotFound("There is no such tenant here.")
    if not _PART.fullmatch(oid):
        raise NotFound("There is no such principal.")
    return PrincipalId(tid, oid)


def conversation_named(conversation_id: str) -> ConversationId:
    """Return the conversation that an address names, which need not be there.

    Raises:
        NotFound: It can be nobody's.
    """
    if not _PART.fullmatch(conversation_id):
        raise NotFound("There is no such conversation.")
    return ConversationId(conversation_id)


def _items(items: list[JsonObject]) -> Response:
    return JSONResponse({"items": items, "continuation": None})
