"""What Azure Resource Manager says when it does not do it, in sentences of ours.

Its own text names object ids and whole resource paths, so only codes and the one action that was
not allowed are read from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from secure_openai.errors import (
    DeploymentRejected,
    ManagementConflict,
    ManagementError,
    ManagementThrottled,
    ManagementUnavailable,
    NotFound,
    QuotaInsufficient,
    RoleMissing,
    SecureOpenAIError,
)

MANAGER_ROLE = "Secure OpenAI Deployment Manager"
"""The role that infra/bootstrap defines; the estate assigns it on each account."""

USAGES_ROLE = "Cognitive Services Usages Reader"
"""Built-in; quota is read on the subscription, where a role on an account does not reach."""

_ACTION = re.compile(
    r"perform action '(Microsoft\.CognitiveServices/[A-Za-z/]{1,120})'", re.IGNORECASE
)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,63}")
_BUSY = "The account is busy with another change, and takes one at a time: try again in a minute."
_QUOTA = (
    "The region's quota has too little left for this capacity: see what is left with "
    "secure-openai models quota."
)
_NOT_OFFERED = (
    "This region does not offer that model, version and SKU together: see what it offers with "
    "secure-openai models list."
)
_RETIRED = "Azure makes no more deployments of that version: choose a later one."

_SENTENCES: Mapping[str, tuple[type[ManagementError], str]] = {
    "accountprovisioningstateinvalid": (ManagementConflict, _BUSY),
    "anotheroperationinprogress": (ManagementConflict, _BUSY),
    "conflict": (ManagementConflict, _BUSY),
    "requestconflict": (ManagementConflict, _BUSY),
    "deploymentmodelnotsupported": (DeploymentRejected, _NOT_OFFERED),
    "invalidcapacity": (
        DeploymentRejected,
        "That capacity is not sold: see secure-openai models list.",
    ),
    "invalidresourceproperties": (DeploymentRejected, _NOT_OFFERED),
    "servicemodeldeprecated": (DeploymentRejected, _RETIRED),
    "servicemodeldeprecating": (DeploymentRejected, _RETIRED),
    "insufficientquota": (QuotaInsufficient, _QUOTA),
    "quotaexceeded": (QuotaInsufficient, _QUOTA),
    "requestdisallowedbypolicy": (
        ManagementError,
        "An Azure Policy of this subscription does not allow it: ask who keeps the policies.",
    ),
    "scopelocked": (
        ManagementConflict,
        "A lock on the account keeps it as it is: ask who set the lock.",
    ),
    "specialfeatureorquotaidrequired": (
        ManagementError,
        "This subscription may not use Azure OpenAI in this way: its offer does not include it.",
    ),
}


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what the client library raises into an error of our tree.

    Args:
        what: What was meant, for the sentence of a 404: `There is no {what}.`

    Raises:
        NotFound: It does not exist.
        ManagementError: Anything else.
    """
    try:
        yield
    except HttpResponseError as error:
        raise _of_response(error, what) from None
    except (ServiceRequestError, ServiceResponseError):
        raise ManagementUnavailable(
            "Azure Resource Manager cannot be reached. Try again soon."
        ) from None
    except AzureError:
        raise ManagementError("Azure Resource Manager did not answer as it should.") from None


def _of_response(error: HttpResponseError, what: str) -> SecureOpenAIError:
    if isinstance(error, ClientAuthenticationError) or error.status_code is None:
        return ManagementError(
            "Azure does not accept this sign-in: sign in again with az login, or check the "
            "managed identity."
        )
    payload: object = None
    if error.response is not None:
        with suppress(ValueError, AttributeError, RecursionError):
            payload = json.loads(error.response.text())
    headers = getattr(error.response, "headers", {})
    return error_of(error.status_code, payload, what=what, retry_after=seconds_of(headers))


def error_of(
    status: int, payload: object, *, what: str, retry_after: float | None = None
) -> SecureOpenAIError:
    """Return the error that a response means.

    Args:
        status: HTTP status.
        payload: The body as JSON, where it is.
        what: What was meant.
        retry_after: Seconds that the response says to wait.
    """
    code, message = _said(payload)
    known = _SENTENCES.get(code.lower())
    if known is not None:
        made = known[0](known[1])
        if isinstance(made, ManagementConflict):
            made.retry_after = retry_after
        return made
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _role_missing(message)
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(f"There is no {what}.")
    kind, sentence = _by_status(status)
    return kind(sentence.format(code=f" ({code})" if code else ""), retry_after=retry_after)


def _by_status(status: int) -> tuple[type[ManagementError], str]:
    if status == HTTPStatus.CONFLICT:
        return ManagementConflict, _BUSY
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ManagementThrottled, "Azure Resource Manager was asked too often. Try again soon."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return (
            ManagementUnavailable,
            "Azure Resource Manager does not answer now{code}. Try again soon.",
        )
    return ManagementError, "Azure did not do it{code}."


def failure_of(payload: object) -> str:
    """Return the sentence for an operation that failed, from its `error`."""
    error = error_of(HTTPStatus.BAD_REQUEST, payload, what="operation")
    return error.detail


def _said(payload: object) -> tuple[str, str]:
    """Return code and message of an error body, the innermost code that we know.

    A template's error wraps that of the resource ("Error response format": `details`).
    """
    error = payload.get("error", payload) if isinstance(payload, dict) else None
    code, message = _plain(error)
    details = error.get("details") if isinstance(error, dict) else None
    if isinstance(details, list):
        for one in details[:8]:
            inner, text = _plain(one)
            if inner.lower() in _SENTENCES:
                return inner, text
    return code, message


def _plain(error: Any) -> tuple[str, str]:
    if not isinstance(error, dict):
        return "", ""
    code, message = error.get("code"), error.get("message")
    return (
        code if isinstance(code, str) and _CODE.fullmatch(code) else "",
        message if isinstance(message, str) else "",
    )


def _role_missing(message: str) -> RoleMissing:
    found = _ACTION.search(message)
    action = found.group(1) if found else ""
    named = f" ({action})" if action else ""
    if "/locations/" in action:
        return RoleMissing(
            f"This needs the role {USAGES_ROLE} on the subscription{named}.", action=action
        )
    return RoleMissing(f"This needs the role {MANAGER_ROLE} on the account{named}.", action=action)


def seconds_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `Retry-After`; Resource Manager writes no dates there."""
    value = headers.get("Retry-After", "")
    if value.isascii() and value.isdigit() and len(value) < 6:  # noqa: PLR2004 - a day at most
        return float(value)
    return None
