"""The OpenAI-compatible door: the same pipeline, with errors in OpenAI's own shape."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.completion import Completion
from secure_openai.edge.access import EVERYONE, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import json_of
from secure_openai.edge.event_stream import EventStreamResponse, while_present
from secure_openai.edge.problems import headers_of, request_id_of
from secure_openai.errors import ContentFiltered, ModelError, RequestError, SecureOpenAIError
from secure_openai.policy.fields import ChatCompletions
from secure_openai.types import JsonObject

PREFIX = "/openai/v1"
SERVED = "Here are served: chat/completions and models."

router = APIRouter(route_class=SecuredRoute, prefix=PREFIX, tags=["gateway"])

_TYPES = {
    HTTPStatus.BAD_REQUEST: "invalid_request_error",
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.GONE: "not_found_error",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "invalid_request_error",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "invalid_request_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}


def openai_error(error: SecureOpenAIError) -> JsonObject:
    """Return an error as OpenAI's API writes it, so that clients' own handling works.

    Source: OpenAI API reference, "Error codes"; the content filter's code is Azure OpenAI's.
    """
    pointer = error.pointer if isinstance(error, RequestError) else None
    return {
        "error": {
            "message": error.detail or error.title,
            "type": _TYPES.get(HTTPStatus(error.http_status), "server_error"),
            "param": pointer.lstrip("/").replace("/", ".") if pointer else None,
            "code": "content_filter"
            if isinstance(error, ContentFiltered)
            else error.problem.replace("-", "_"),
        }
    }


def error_response(error: SecureOpenAIError) -> Response:
    """Return the response for an error at this door."""
    return JSONResponse(
        openai_error(error), status_code=error.http_status, headers=headers_of(error)
    )


@router.get("/models")
@requires(*EVERYONE)
async def models(request: Request) -> Response:
    """List the deployments that the caller may use."""
    deployments = assembly_of(request).pipeline.deployments_for(principal_of(request))
    data = [
        {"id": deployment.name, "object": "model", "created": 0, "owned_by": deployment.model}
        for deployment in deployments
    ]
    return JSONResponse({"object": "list", "data": data})


@router.post("/chat/completions")
@requires(*EVERYONE)
async def chat_completions(request: Request) -> Response:
    """Answer a chat completion, streamed or not, under policy, quota and audit."""
    pipeline, principal = assembly_of(request).pipeline, principal_of(request)
    request_id = request_id_of(request)
    checked = pipeline.checked(principal, await json_of(request), request_id=request_id)
    async with AsyncExitStack() as stack:
        completion = await stack.enter_async_context(
            pipeline.run(principal, checked, request_id=request_id)
        )
        if not checked.stream:
            body = await while_present(request.receive, completion.read())
            return Response(body, media_type="application/json")
        await while_present(request.receive, completion.open())
        return EventStreamResponse(
            _stream(completion, checked), on_end=stack.pop_all().aclose, heartbeat_seconds=None
        )


async def _stream(completion: Completion, checked: ChatCompletions) -> AsyncGenerator[bytes, None]:
    async with aclosing(completion.events()) as events:
        try:
            async for event in events:
                if checked.include_usage or not _only_usage(event.data):
                    yield event.raw
        except ModelError as error:
            # The status has gone out; an error event is what OpenAI's clients raise from.
            text = JSONResponse(openai_error(error)).body
            yield b"data: " + bytes(text) + b"\n\n"


def _only_usage(data: bytes) -> bool:
    """Return whether an event carries nothing but the usage that we, not the client, asked for."""
    return b'"choices":[]' in data.replace(b" ", b"") and b'"usage"' in data
