"""From an answer that is an error to the sentence that people read; its own text is not passed on.

Sources: Microsoft Learn, "Troubleshoot common HTTP errors for Azure OpenAI", "Manage Azure OpenAI
quota" (rate-limit headers), "Model lifecycle" (410), "Content filtering" (error response); OpenAI
API reference, "Error codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from secure_openai.errors import (
    ContentFiltered,
    DeploymentMissing,
    DeploymentRetired,
    DeploymentTooSmall,
    ModelError,
    ModelForbidden,
    ModelRejected,
    ModelThrottled,
    ModelTimeout,
    ModelUnavailable,
    WindowExceeded,
)
from secure_openai.model.content_filter import categories_of, named, verdicts_of, worst
from secure_openai.model.interface import ModelRequest
from secure_openai.types import JsonObject

ADMINISTRATOR = "Tell your administrator"
RETIRED_CODES = frozenset({"ModelDeprecated", "ModelRetired", "model_deprecated", "model_retired"})
MISSING_CODES = frozenset({"DeploymentNotFound", "model_not_found"})
GONE_CODES = RETIRED_CODES | MISSING_CODES
REJECTED = frozenset({400, 413, 415, 422})
"""Statuses that are the request's own fault."""

WINDOW_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})
LONG_SECONDS = 3600.0
"""A throttle of an hour or more is no rush: the deployment has next to no capacity."""

LONGEST_NAME = 64
"""What is longer is no name of a parameter or a code."""

MOST_DIGITS = 9
"""What has more is no count of anything that is left."""


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An answer other than 200.

    Attributes:
        status: HTTP status.
        headers: Its headers, found whatever the case of their names.
        payload: Its JSON; empty where there is none.
    """

    status: int
    headers: Mapping[str, str]
    payload: JsonObject

    @property
    def code(self) -> str:
        """Return the error's own code, if it is a plain name."""
        return self._plain("code")

    @property
    def parameter(self) -> str:
        """Return the parameter that it names, if it is a plain name."""
        return self._plain("param")

    def _plain(self, name: str) -> str:
        error = self.payload.get("error")
        value = error.get(name) if isinstance(error, dict) else None
        fits = isinstance(value, str) and value.isidentifier() and len(value) <= LONGEST_NAME
        return str(value) if fits else ""


def error_of(answer: ErrorAnswer, request: ModelRequest, *, successor: str = "") -> ModelError:
    """Return what an error answer means.

    Args:
        answer: What came.
        request: What had been asked.
        successor: The model to deploy instead, where Azure names one.
    """
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _throttled(answer, request)
    if (filtered := filtered_of(answer.payload)) is not None:
        return filtered
    if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE} or answer.code in GONE_CODES:
        return _gone(answer, request, successor)
    if answer.status in REJECTED:
        return _rejected(answer, request)
    return _failed(answer)


def error_event(payload: JsonObject) -> ModelError | None:
    """Return the error that an event of a stream is, or `None` where it is none.

    Chat completions send `{"error": …}`; responses an event of type `error`, or `response.failed`
    with the error in the response.
    """
    if payload.get("type") == "response.failed":
        inner = payload.get("response")
        failed = inner if isinstance(inner, dict) else {}
        payload = {"error": failed.get("error"), "content_filters": failed.get("content_filters")}
    elif payload.get("type") == "error" and not isinstance(payload.get("error"), dict):
        payload = {"error": payload}
    elif "error" not in payload or "choices" in payload:
        return None
    filtered = filtered_of(payload)
    if filtered is not None:
        return filtered
    code = ErrorAnswer(0, {}, payload).code
    if code == "rate_limit_exceeded":
        return ModelThrottled("The model is over its own quota. Try again soon.", billable=True)
    return ModelError("The model failed in the middle of its answer.", billable=True)


def filtered_of(payload: JsonObject) -> ContentFiltered | None:
    """Return the blocked prompt that an error is, or `None` where it is another one."""
    error = payload.get("error")
    if not isinstance(error, dict) or error.get("code") != "content_filter":
        return None
    verdicts = worst(verdicts_of(payload))
    categories = categories_of(verdicts, "prompt")
    return ContentFiltered(
        f"The content filter blocked this prompt{named(categories)}. Change it and try again.",
        categories=categories,
        verdicts=verdicts,
    )


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait: `retry-after-ms`, or `Retry-After` (RFC 9110, 10.2.3)."""
    milliseconds = _count(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("Retry-After", "")
    seconds = _count(value)
    if seconds is not None:
        return float(seconds)
    # A date of absurd numbers is no date: the parser lets their overflow through.
    with suppress(ValueError, TypeError, OverflowError):
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return None


def _count(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS else None


def _throttled(answer: ErrorAnswer, request: ModelRequest) -> ModelError:
    capacity = _count(answer.headers.get("x-ratelimit-limit-tokens", ""))
    if capacity is not None and request.tokens > capacity:
        return DeploymentTooSmall(
            f"{request.deployment} takes {capacity} tokens a minute now, and this request may need "
            f"{request.tokens}. Ask for a shorter answer, or shorten the conversation. "
            f"{ADMINISTRATOR} if that is not enough: its capacity can be raised."
        )
    seconds = retry_after_of(answer.headers)
    if seconds is not None and seconds >= LONG_SECONDS:
        return ModelThrottled(
            f"{request.deployment} has used up its capacity for about {seconds / 3600:.0f} hours. "
            f"Choose another one. {ADMINISTRATOR}: its capacity can be raised.",
            retry_after=seconds,
        )
    return ModelThrottled("The model is over its own quota. Try again soon.", retry_after=seconds)


def _gone(answer: ErrorAnswer, request: ModelRequest, successor: str) -> ModelError:
    if answer.status == HTTPStatus.GONE or answer.code in RETIRED_CODES:
        return DeploymentRetired(
            f"Azure has retired the model behind {request.deployment}. Choose another one. "
            f"{ADMINISTRATOR}: deploy {successor or 'its successor'} and take this deployment out."
        )
    if answer.code in MISSING_CODES:
        return DeploymentMissing(
            f"The deployment {request.deployment} does not exist there. Choose another one. "
            f"{ADMINISTRATOR}: deploy it (a new one takes a few minutes), or take its name out."
        )
    return DeploymentMissing(
        f"Nothing answers at the address of {request.deployment}. {ADMINISTRATOR}: check the "
        "account's address and the API version."
    )


def _rejected(answer: ErrorAnswer, request: ModelRequest) -> ModelError:
    if answer.code in WINDOW_CODES:
        return WindowExceeded(
            "Prompt and answer are larger than the model's window. Shorten the conversation, or "
            "begin another one."
        )
    if answer.code == "OperationNotSupported":
        return ModelRejected(
            f"{request.deployment} does not answer {request.operation}: choose another deployment."
        )
    said = ", ".join(part for part in (answer.code, answer.parameter) if part)
    return ModelRejected(
        "The model does not accept this request" + (f" ({said})." if said else ".")
    )


def _failed(answer: ErrorAnswer) -> ModelError:
    if answer.status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT}:
        return ModelTimeout("The model did not answer in time.", billable=True)
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return ModelForbidden(
            f"The model refuses this application ({answer.status}). {ADMINISTRATOR}: in Azure its "
            "identity needs the role Cognitive Services OpenAI User on the account, and a way "
            "through the account's network."
        )
    retry_after = retry_after_of(answer.headers)
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return ModelUnavailable(
            "The model is not available now. Try again soon.", retry_after=retry_after
        )
    return ModelError(
        "The model failed. Try again, and tell your administrator if it goes on.",
        retry_after=retry_after,
    )
