"""Errors in OpenAI's own shape, so that its clients raise, retry and give up as they know to.

Sources: OpenAI API reference, "Error codes"; Azure OpenAI, "Content filtering" (`content_filter`);
the `openai` packages retry 408, 409, 429 and 5xx, wait as `Retry-After` says up to a minute, and
obey `x-should-retry`.
"""

from __future__ import annotations

import math
from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from secure_openai.edge.problems import headers_of
from secure_openai.errors import (
    ModelThrottled,
    Refused,
    RequestError,
    SecureOpenAIError,
    TooManyRequests,
)
from secure_openai.types import JsonObject, Standing

PREFIX = "/openai"
LONGEST_WAIT_SECONDS = 60.0
"""Clients wait no longer than a minute, whatever they are told, and then ask in vain."""

_TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.GONE: "not_found_error",
    HTTPStatus.REQUEST_TIMEOUT: "timeout_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}

_NAMES = {
    "unauthenticated": "invalid_api_key",
    "unknown-deployment": "model_not_found",
    "content-filtered": "content_filter",
}
"""OpenAI's word for a problem, where it has one."""

_LIMITS = {
    "requests-per-minute": "rate_limit_exceeded",
    "tokens-per-minute": "rate_limit_exceeded",
    "concurrent-streams": "rate_limit_exceeded",
    "too-many-requests": "rate_limit_exceeded",
    "model-throttled": "rate_limit_exceeded",
    "requests-per-day": "insufficient_quota",
    "tokens-per-day": "insufficient_quota",
}
"""OpenAI's words for what waiting helps with."""

_UNSAID = {
    "unauthenticated": "Sign in first: send an access token of Microsoft Entra ID as "
    "Authorization: Bearer, or as api-key.",
}
"""What programs are told where nothing was said of this time."""


def speaks_openai(path: str) -> bool:
    """Return whether an address is the gateway's, and so answers in OpenAI's shape."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def openai_error(error: SecureOpenAIError) -> JsonObject:
    """Return an error's body."""
    status = HTTPStatus(error.http_status)
    ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return {
        "error": {
            "message": error.detail or _UNSAID.get(error.problem, error.title),
            "type": "server_error" if ours else _TYPES.get(status, "invalid_request_error"),
            "param": _param(error),
            "code": _code(error),
        }
    }


def openai_error_headers(error: SecureOpenAIError) -> dict[str, str]:
    """Return an error's headers."""
    headers = headers_of(error)
    if isinstance(error, Refused) and error.decision.standing is not None:
        headers |= _texts(standing_headers(error.decision.standing))
    if error.http_status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = int(headers["Retry-After"])
        if isinstance(error, ModelThrottled) and error.standing is not None:
            headers |= _texts(standing_headers(_beside_busy_model(error.standing, wait)))
        elif isinstance(error, TooManyRequests):
            headers |= _full_headers(error.limit, wait)
        if wait > LONGEST_WAIT_SECONDS:
            headers["x-should-retry"] = "false"
    return headers


def openai_error_response(error: SecureOpenAIError) -> Response:
    """Return the response for an error."""
    return JSONResponse(
        openai_error(error), status_code=error.http_status, headers=openai_error_headers(error)
    )


def standing_headers(standing: Standing) -> list[tuple[bytes, bytes]]:
    """Return `x-ratelimit-*` (OpenAI API, "Rate limits": rate limits in headers), as ASGI has them.

    They stand beside every answer: making bytes of names and texts costs more than of numbers.
    """
    return [
        (b"x-ratelimit-limit-requests", b"%d" % standing.limit_requests),
        (b"x-ratelimit-limit-tokens", b"%d" % standing.limit_tokens),
        (b"x-ratelimit-remaining-requests", b"%d" % standing.remaining_requests),
        (b"x-ratelimit-remaining-tokens", b"%d" % standing.remaining_tokens),
        (b"x-ratelimit-reset-requests", b"%ds" % math.ceil(standing.reset_requests_seconds)),
        (b"x-ratelimit-reset-tokens", b"%ds" % math.ceil(standing.reset_tokens_seconds)),
    ]


def _texts(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}


def _beside_busy_model(standing: Standing, wait: int) -> Standing:
    """Return how one stands with a model that answers nothing before `wait` seconds are over.

    Which limit of its own it has reached it does not say: until then nothing is left of either.
    """
    return standing._replace(
        remaining_requests=0,
        remaining_tokens=0,
        reset_requests_seconds=_later(
            standing.remaining_requests, standing.reset_requests_seconds, wait
        ),
        reset_tokens_seconds=_later(standing.remaining_tokens, standing.reset_tokens_seconds, wait),
    )


def _later(left: int, reset_seconds: float, wait: int) -> float:
    return wait if left else max(reset_seconds, wait)


def _full_headers(limit: int, wait: int) -> dict[str, str]:
    """Return what is told where as many requests are under way as may be; tokens are not asked."""
    return {
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": f"{wait}s",
    }


def _code(error: SecureOpenAIError) -> str:
    own = error.problem.replace("-", "_")
    if isinstance(error, Refused) and error.retry_after is None:
        # OpenAI's words for limits are of those that are there again after a while.
        return _NAMES.get(error.problem, own)
    return _NAMES.get(error.problem) or _LIMITS.get(error.problem, own)


def _param(error: SecureOpenAIError) -> str | None:
    pointer = error.pointer if isinstance(error, RequestError) else None
    if isinstance(error, Refused):
        pointer = error.decision.pointer
    return pointer.lstrip("/").replace("/", ".") if pointer else None
