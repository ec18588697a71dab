"""The desk's forms: they work without a script, do what the JSON routes do, and lead back.

`OriginMiddleware` has compared the origin before any of them is read.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from secure_openai.edge.access import ADMIN, SecuredRoute, principal_of, requires
from secure_openai.edge.administration import sessions_ended
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.custody import conversation_named, lifted, placed, principal_named
from secure_openai.edge.desk.audit import verified
from secure_openai.edge.desk.identification import identified
from secure_openai.edge.desk.principals import session_ended
from secure_openai.edge.desk.usage import rolled_up
from secure_openai.edge.my_data import asked
from secure_openai.edge.presentation import led
from secure_openai.edge.problems import request_id_of
from secure_openai.errors import RequestError
from secure_openai.model.management.interface import Progress, Wanted
from secure_openai.sessions import local_path
from secure_openai.store.requests import RequestKind
from secure_openai.types import PrincipalId

PRINCIPAL = "/principals/{tid}/{oid}"

router = APIRouter(route_class=SecuredRoute, prefix="/admin", include_in_schema=False)


@router.post("/usage/roll-up")
@requires(ADMIN)
async def roll_up(request: Request) -> Response:
    """Bring the totals up to date."""
    await rolled_up(request)
    return await _back(request, "/admin/usage", "rolled_up")


@router.post("/audit/verification")
@requires(ADMIN)
async def verify(request: Request) -> Response:
    """Begin to verify the audit."""
    await verified(request)
    return await _back(request, "/admin/audit", "verification_begun")


@router.post("/custody/hold")
@requires(ADMIN)
async def hold(request: Request) -> Response:
    """Place a hold on what a principal has, or on one conversation."""
    form = await _form(request)
    meant = await identified(request, form.get("principal", ""))
    principal = principal_named(request, meant.tid, meant.oid)
    conversation = form.get("conversation", "").strip()
    named = conversation_named(conversation) if conversation else None
    await placed(request, principal, named, form.get("reference", "").strip())
    return await _back(request, "/admin/custody", "hold_placed")


@router.post("/custody/release")
@requires(ADMIN)
async def release(request: Request) -> Response:
    """Lift a hold."""
    form = await _form(request)
    meant = await identified(request, form.get("principal", ""))
    principal = principal_named(request, meant.tid, meant.oid)
    conversation = form.get("conversation", "")
    await lifted(request, principal, conversation_named(conversation) if conversation else None)
    return await _back(request, "/admin/custody", "hold_lifted")


@router.post(f"{PRINCIPAL}/sessions")
@requires(ADMIN)
async def end_sessions(request: Request, tid: str, oid: str) -> Response:
    """End one session of a principal, or all of them."""
    principal = principal_named(request, tid, oid)
    handle = (await _form(request)).get("session", "")
    if handle:
        await session_ended(request, principal, handle)
        return await _back(request, _address(principal), "session_ended")
    await sessions_ended(request, principal)
    return await _back(request, _address(principal), "sessions_ended")


@router.post(f"{PRINCIPAL}/export")
@requires(ADMIN)
async def ask_export(request: Request, tid: str, oid: str) -> Response:
    """Ask for an export of what is kept of a principal."""
    principal = principal_named(request, tid, oid)
    await asked(request, principal, RequestKind.EXPORT)
    return await _back(request, _address(principal), "export_asked")


@router.post(f"{PRINCIPAL}/erase")
@requires(ADMIN)
async def ask_erasure(request: Request, tid: str, oid: str) -> Response:
    """Ask that what is kept of a principal be erased, confirmed by the object id."""
    principal = principal_named(request, tid, oid)
    if (await _form(request)).get("confirm", "").strip() != principal.oid:
        raise RequestError(
            "This cannot be taken back. To have it done write the object id to confirm it."
        )
    await asked(request, principal, RequestKind.ERASURE)
    return await _back(request, _address(principal), "erasure_asked")


@router.post("/pool/deploy")
@requires(ADMIN)
async def deploy(request: Request) -> Response:
    """Begin to create a deployment; what is left empty is chosen."""
    form = await _form(request)
    capacity = form.get("capacity", "").strip()
    if capacity and not re.fullmatch(r"[0-9]{1,9}", capacity):
        raise RequestError("Write a capacity of at least 1.")
    begun = await assembly_of(request).deployments.create(
        principal_of(request),
        Wanted(
            account=form.get("account", ""),
            name=form.get("name", "").strip(),
            model=form.get("model", "").strip(),
            version=form.get("version", "").strip() or None,
            sku=form.get("sku", "") or None,
            capacity=int(capacity) if capacity else None,
        ),
        request_id=request_id_of(request),
    )
    return _following(request, begun)


@router.post("/pool/remove")
@requires(ADMIN)
async def remove(request: Request) -> Response:
    """Begin to delete the deployment that was shown, confirmed by its name."""
    form = await _form(request)
    begun = await assembly_of(request).deployments.delete(
        principal_of(request),
        form.get("account", ""),
        form.get("name", ""),
        confirm=form.get("confirm", "").strip(),
        etag=form.get("etag", ""),
        request_id=request_id_of(request),
    )
    return _following(request, begun)


def _following(request: Request, begun: Progress) -> Response:
    """Lead to the page that says how an operation stands."""
    query = urlencode({"operation": begun.operation})
    return led(request, f"/admin/pool?{query}")


async def _form(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=8)
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def _back(request: Request, place: str, done: str) -> Response:
    """Lead to `place`, or to where the form says it was; the page there says what was done."""
    there = local_path((await _form(request)).get("return_to", place))
    if not there.startswith("/admin"):
        there = place
    mark = "&" if "?" in there else "?"
    return led(request, f"{there}{mark}done={done}")


def _address(principal: PrincipalId) -> str:
    return f"/admin/principals/{principal.key}"
