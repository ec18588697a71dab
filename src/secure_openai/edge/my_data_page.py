"""The page of a person's own data: take everything along, have it erased, see who looked."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from secure_openai.edge.access import SecuredRoute, before_notice, signed_in
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.desk.words import Words
from secure_openai.edge.language import language_of
from secure_openai.edge.my_data import CONFIRMATION, asked, looks_at, person_of
from secure_openai.edge.pages import wants_page
from secure_openai.edge.presentation import led, page
from secure_openai.errors import RequestError
from secure_openai.store.audit import EVERYBODY
from secure_openai.store.requests import RequestKind, RequestState
from secure_openai.types import utc_now

PLACE = "/my-data"

DONE = frozenset({"export", "erase"})

WRONG = "The words are not those: nothing was asked for."

router = APIRouter(route_class=SecuredRoute, include_in_schema=False)


@router.get(PLACE)
@before_notice
@signed_in
async def show(request: Request) -> Response:
    """Show what a person can do with their data, and who looked at it."""
    return await _shown(request)


@router.post(f"{PLACE}/export")
@before_notice
@signed_in
async def ask_export(request: Request) -> Response:
    """Ask for an export."""
    await asked(request, person_of(request).id, RequestKind.EXPORT)
    return led(request, f"{PLACE}?done=export")


@router.post(f"{PLACE}/erase")
@before_notice
@signed_in
async def ask_erasure(request: Request) -> Response:
    """Ask for an erasure, confirmed in words; other words show the page again, with what to do."""
    person = person_of(request)
    form = await request.form(max_files=0, max_fields=4)
    if str(form.get("confirm", "")).strip() != CONFIRMATION:
        if not wants_page(request):
            raise RequestError(WRONG, pointer="/confirm")
        return await _shown(request, wrong=True)
    await asked(request, person.id, RequestKind.ERASURE)
    return led(request, f"{PLACE}?done=erase")


async def _shown(request: Request, *, wrong: bool = False) -> Response:
    assembly, person, now = assembly_of(request), person_of(request), utc_now()
    requests = await assembly.requests.list(person.id)
    looks = await looks_at(request, person)
    done = request.query_params.get("done", "")
    return page(
        request,
        "my_data.html",
        status_code=400 if wrong else 200,
        w=Words(language_of(request), assembly.policy.prices.currency),
        requests=requests,
        ready={
            one.id
            for one in requests
            if one.kind is RequestKind.EXPORT
            and one.state is RequestState.DONE
            and one.expires
            and one.expires > now
        },
        looks=[one.event for one in looks.items],
        more=looks.continuation,
        held=bool(await assembly.holds.of(person.id)),
        days=assembly.policy.retention.export_days,
        words=CONFIRMATION,
        wrong=wrong,
        done=done if done in DONE else "",
        everybody=EVERYBODY,
    )
