"""How a long operation of Azure Resource Manager stands, by what it answers.

Source: Microsoft Learn, "Track asynchronous Azure operations".
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from azure.core.rest import AsyncHttpResponse

from secure_openai.model.management.interface import Kind, Progress, State
from secure_openai.model.management.operations import Operation, Way
from secure_openai.model.management.resource_manager.errors import error_of, failure_of, seconds_of

POLL_SECONDS = 5.0
"""How soon to ask again where Azure does not say."""

_ENDED = {
    "succeeded": State.SUCCEEDED,
    "failed": State.FAILED,
    "canceled": State.CANCELED,
    "disabled": State.FAILED,
}


def begun(asked: Operation, response: AsyncHttpResponse) -> Progress:
    """Return how an operation stands by the response that began it."""
    if asked.kind is Kind.DELETE:
        ended = response.status_code in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}
        state = State.SUCCEEDED if ended else State.UNDER_WAY
    else:
        properties = _json(response).get("properties")
        said = properties.get("provisioningState") if isinstance(properties, dict) else None
        state = state_of(said or "Succeeded")
    return progress(asked, state, retry_after=_pause(response))


def told(asked: Operation, response: AsyncHttpResponse) -> Progress:
    """Return how an operation stands by what its status resource answers.

    Raises:
        ManagementError: The status resource could not be read now.
    """
    status, payload, pause = response.status_code, _json(response), _pause(response)
    failed = status >= HTTPStatus.BAD_REQUEST
    later = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
    if failed and (later or asked.way is Way.OPERATION):
        wait = seconds_of(response.headers)
        raise error_of(status, payload, what="such operation", retry_after=wait)
    if failed:
        error = error_of(status, payload, what="such operation")
        return progress(asked, State.FAILED, detail=error.detail)
    if asked.way is Way.LOCATION:
        under_way = status == HTTPStatus.ACCEPTED
        state = State.UNDER_WAY if under_way else State.SUCCEEDED
        return progress(asked, state, retry_after=pause)
    state = state_of(payload.get("status"))
    detail = failure_of(payload) if state is State.FAILED else ""
    return progress(asked, state, detail=detail, retry_after=pause)


def progress(
    asked: Operation, state: State, *, detail: str = "", retry_after: float = 0.0
) -> Progress:
    """Return how an operation stands."""
    return Progress(
        kind=asked.kind,
        account=asked.account,
        name=asked.name,
        state=state,
        operation=asked.token,
        detail=detail,
        retry_after=0.0 if state.ended else retry_after,
    )


def state_of(said: object) -> State:
    """Return Azure's word for a state as ours; a word that is not known means: not at its end."""
    return _ENDED.get(str(said).lower(), State.UNDER_WAY)


def _json(response: AsyncHttpResponse) -> dict[str, Any]:
    try:
        value = json.loads(response.text())
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _pause(response: AsyncHttpResponse) -> float:
    seconds = seconds_of(response.headers)
    return POLL_SECONDS if seconds is None else seconds
