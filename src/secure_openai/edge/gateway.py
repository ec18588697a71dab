"""The OpenAI-compatible door: the same pipeline as the chat's, in both styles of address.

`/openai/v1/…` names the deployment in the body, `/openai/deployments/{deployment}/…?api-version=`
in the path (Microsoft Learn, "Azure OpenAI API version lifecycle"). What a client sends of headers
ends here: a model gets the checked body, and the client only headers of ours.
"""

from __future__ import annotations

import re
from functools import partial
from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.completion import Completion
from secure_openai.edge.access import EVERYONE, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import json_text_of
from secure_openai.edge.description import description
from secure_openai.edge.event_stream import EventStreamResponse, Presence
from secure_openai.edge.openai_errors import PREFIX, standing_headers
from secure_openai.edge.openai_stream import passed_on
from secure_openai.edge.problems import request_id_of
from secure_openai.errors import NotFound, RequestError
from secure_openai.policy.decision import Offer
from secure_openai.policy.fields import WrittenRequest
from secure_openai.tables import table
from secure_openai.types import JsonObject, Operation

V1 = f"{PREFIX}/v1"
DEPLOYMENTS = f"{PREFIX}/deployments/"
DATED = f"{DEPLOYMENTS}{{deployment}}"

router = APIRouter(route_class=SecuredRoute, tags=["gateway"])

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?|v1|preview|latest")


@router.get(f"{V1}/models")
@requires(*EVERYONE)
async def models(request: Request) -> Response:
    """List what the caller may name as model."""
    _check_query(request, dated=False)
    return _models(request)


@router.get(f"{V1}/models/{{model}}")
@requires(*EVERYONE)
async def model(request: Request, model: str) -> Response:
    """Show one of what the caller may name as model."""
    _check_query(request, dated=False)
    return _model(request, model)


@router.get(f"{PREFIX}/models")
@requires(*EVERYONE)
async def dated_models(request: Request) -> Response:
    """List what the caller may name as deployment."""
    _check_query(request, dated=True)
    return _models(request)


@router.get(f"{PREFIX}/models/{{model}}")
@requires(*EVERYONE)
async def dated_model(request: Request, model: str) -> Response:
    """Show one of what the caller may name as deployment."""
    _check_query(request, dated=True)
    return _model(request, model)


@router.post(f"{V1}/chat/completions")
@requires(*EVERYONE)
async def chat_completions(request: Request) -> Response:
    """Answer a chat completion, streamed or not, under policy, quota and audit."""
    return await _answered(request, Operation.CHAT_COMPLETIONS)


@router.post(f"{V1}/responses")
@requires(*EVERYONE)
async def responses(request: Request) -> Response:
    """Answer a response, streamed or not; nothing of it is kept."""
    return await _answered(request, Operation.RESPONSES)


@router.post(f"{V1}/embeddings")
@requires(*EVERYONE)
async def embeddings(request: Request) -> Response:
    """Answer embeddings."""
    return await _answered(request, Operation.EMBEDDINGS)


@router.post(f"{DATED}/chat/completions")
@requires(*EVERYONE)
async def dated_chat_completions(request: Request, deployment: str) -> Response:
    """Answer a chat completion of the deployment that the path names."""
    return await _answered(request, Operation.CHAT_COMPLETIONS, dated=True, named=deployment)


@router.post(f"{PREFIX}/responses")
@requires(*EVERYONE)
async def dated_responses(request: Request) -> Response:
    """Answer a response; the body names the deployment, in this style too."""
    return await _answered(request, Operation.RESPONSES, dated=True)


@router.post(f"{DATED}/embeddings")
@requires(*EVERYONE)
async def dated_embeddings(request: Request, deployment: str) -> Response:
    """Answer embeddings of the deployment that the path names."""
    return await _answered(request, Operation.EMBEDDINGS, dated=True, named=deployment)


@router.get(f"{PREFIX}/openapi.json")
@requires(*EVERYONE)
async def openapi(request: Request) -> Response:
    """Describe these addresses to programs (OpenAPI 3.1)."""
    return JSONResponse(description(assembly_of(request).settings.public_url))


def answering() -> list[SecuredRoute]:
    """Return the routes that ask a model: nearly all requests are for them."""
    return [
        route
        for route in router.routes
        if isinstance(route, SecuredRoute) and route.methods == {"POST"}
    ]


def not_served(path: str) -> NotFound:
    """Return what is told of an address under the prefix that is not on the list."""
    known = table("gateway")
    meant = meant_by(path)
    # What was meant is served: only what stands around it can be the reason.
    around = path.removeprefix(PREFIX).removesuffix("" if meant is None else meant[len(V1) :])
    named = next((part for part in around.split("/") if part in known["refused"]), None)
    if named is None and meant is not None:
        return NotFound(f"There is no such address: write {meant}.")
    why = "" if named is None else f"{named} is not served here: {known['refused'][named]}. "
    return NotFound(f"{why}Here are served: {', '.join(known['served'])}.")


def meant_by(path: str) -> str | None:
    """Return the address that a client meant whose base address is not quite ours, or `None`."""
    for api in table("gateway")["served"]:
        if path in {f"/{api}", f"/v1/{api}"} or (
            path.startswith(f"{PREFIX}/") and path.endswith(f"/{api}")
        ):
            return f"{V1}/{api}"
    return None


async def _answered(
    request: Request, operation: Operation, *, dated: bool = False, named: str | None = None
) -> Response:
    _check_query(request, dated=dated)
    pipeline, principal = assembly_of(request).pipeline, principal_of(request)
    turn = pipeline.turn
    await turn
    request_id = request_id_of(request)
    checked = pipeline.checked(
        principal,
        WrittenRequest(await json_text_of(request), named),
        operation=operation,
        request_id=request_id,
    )
    await turn
    completion = await pipeline.begin(principal, checked, request_id=request_id)
    headers = _headers(completion)
    if not checked.stream:
        try:
            await turn
            with Presence(request.receive):
                await completion.open()
                await pipeline.answered
                answer = await completion.read()
            await turn
        finally:
            await pipeline.end(completion)
        return _Whole(answer, headers)
    try:
        await turn
        with Presence(request.receive):
            await completion.open()
    except BaseException:
        await pipeline.end(completion)
        raise
    return EventStreamResponse(
        passed_on(completion.events(), operation, checked.include_usage),
        on_end=partial(pipeline.end, completion),
        heartbeat_seconds=None,
        headers=headers,
    )


def _headers(completion: Completion) -> list[tuple[bytes, bytes]]:
    standing = completion.admission.reservation.standing
    return [] if standing is None else standing_headers(standing)


class _Whole(Response):
    """A model's JSON as it came: Starlette would make it, and each header, again."""

    def __init__(self, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self.status_code, self.background = HTTPStatus.OK.value, None
        self.body = body
        self.raw_headers = [
            *headers,
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]


def _check_query(request: Request, *, dated: bool) -> None:
    """Return if the query holds what these addresses read and nothing else.

    Raises:
        RequestError: It does not.
    """
    if not request.scope["query_string"] and not dated:
        return
    for name in request.query_params:
        if name != "api-version":
            raise RequestError("The query may hold api-version and nothing else.")
    versions = request.query_params.getlist("api-version")
    if len(versions) != 1 and (versions or dated):
        raise RequestError("Send api-version once, such as ?api-version=2024-10-21.")
    if versions and _VERSION.fullmatch(versions[0]) is None:
        raise RequestError("Write api-version as a date, such as 2024-10-21, or as v1.")


def _models(request: Request) -> Response:
    offers = assembly_of(request).pipeline.offers_to(principal_of(request))
    return JSONResponse({"object": "list", "data": [_shown(offer) for offer in offers]})


def _model(request: Request, name: str) -> Response:
    for offer in assembly_of(request).pipeline.offers_to(principal_of(request)):
        if offer.name == name:
            return JSONResponse(_shown(offer))
    raise NotFound("There is no such model, or your role may not use it.")


def _shown(offer: Offer) -> JsonObject:
    return {
        "id": offer.name,
        "object": "model",
        "created": 0,
        "owned_by": offer.deployment.model,
    }
