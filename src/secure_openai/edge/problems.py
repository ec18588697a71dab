"""One shape for every refusal: problem details (RFC 9457)."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.errors import (
    ContentFiltered,
    ModelThrottled,
    RequestError,
    SecureOpenAIError,
    Unauthenticated,
)
from secure_openai.types import JsonObject

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

AGAIN_SECONDS = 2.0
"""When to ask again where waiting helps and nobody has said how long."""


def request_id_of(request: Request) -> str:
    """Return the id that joins this request's logs and audit records."""
    return str(request.scope.get("secure_openai.request_id", ""))


def problem_of(error: SecureOpenAIError, *, request_id: str) -> JsonObject:
    """Return the problem-details members for an error of ours."""
    problem: JsonObject = {
        "type": error.problem_type,
        "title": error.title,
        "status": error.http_status,
        "detail": error.detail or error.title,
        "request_id": request_id,
    }
    if isinstance(error, RequestError) and error.pointer is not None:
        problem["pointer"] = error.pointer
    if isinstance(error, ContentFiltered):
        problem["categories"] = list(error.categories)
    if error.retry_after is not None:
        problem["retry_after"] = math.ceil(error.retry_after)
    return problem


def headers_of(error: SecureOpenAIError) -> dict[str, str]:
    """Return the headers that an error's status asks for (RFC 6750, 3; RFC 9110, 10.2.3)."""
    headers = {"Cache-Control": "no-store"}
    wait = error.retry_after
    if wait is None and (
        isinstance(error, ModelThrottled) or error.http_status == HTTPStatus.SERVICE_UNAVAILABLE
    ):
        wait = AGAIN_SECONDS
    if wait is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if error.detail else "Bearer"
    return headers


async def our_error(request: Request, error: Exception) -> Response:
    """Translate an error of our tree."""
    assert isinstance(error, SecureOpenAIError)  # noqa: S101 - registered for this class only
    if error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("%s (%s)", error.slug, request_id_of(request))
    return JSONResponse(
        problem_of(error, request_id=request_id_of(request)),
        status_code=error.http_status,
        headers=headers_of(error),
        media_type=MEDIA_TYPE,
    )


async def http_error(request: Request, error: Exception) -> Response:
    """Translate what the router itself refuses: an unknown path, a method not allowed."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    title = HTTPStatus(error.status_code).phrase
    problem = {
        "type": "about:blank",
        "title": title,
        "status": error.status_code,
        "detail": title,
        "request_id": request_id_of(request),
    }
    return JSONResponse(
        problem,
        status_code=error.status_code,
        headers={"Cache-Control": "no-store", **(error.headers or {})},
        media_type=MEDIA_TYPE,
    )


async def unexpected_error(request: Request, error: Exception) -> Response:
    """Show nothing of our insides; the log has the traceback under the same request id."""
    logger.error("unexpected (%s)", request_id_of(request), exc_info=error)
    return await our_error(request, SecureOpenAIError())


async def client_left(request: Request, error: Exception) -> Response:  # noqa: ARG001 - given
    """Answer nobody: the client has left; 499 is what logs show."""
    return Response(status_code=499)
