"""A model behind an OpenAI-compatible address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import aiohttp

from secure_openai.errors import (
    ContentFiltered,
    ModelError,
    ModelRejected,
    ModelThrottled,
    ModelTimeout,
    ModelUnavailable,
)
from secure_openai.model.events import EventReader
from secure_openai.model.interface import ModelRequest, ModelResponse, ServerSentEvent
from secure_openai.types import Deployment, JsonObject

LARGEST_ANSWER_BYTES = 16 * 1_048_576
LARGEST_ERROR_BYTES = 65_536
REJECTED = frozenset({400, 404, 410, 413, 415, 422})
"""Statuses that are the request's own fault."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    Attributes:
        connect: For a connection.
        first_byte: For the answer to begin.
        idle: Between two pieces of it.
    """

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 30.0


class OpenAICompatibleModel:
    """Implements `Model` over `POST {base_url}/chat/completions`.

    Args:
        base_url: Without the trailing slash, such as `http://127.0.0.1:8402/v1`.
        deployments: What it serves.
        session: Whose connections to use; not closed here.
        patience: How long to wait.
        authorization: Gives the value of the `Authorization` header for each request, if any.
    """

    def __init__(
        self,
        base_url: str,
        deployments: Sequence[Deployment],
        *,
        session: aiohttp.ClientSession,
        patience: Patience | None = None,
        authorization: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._base_url = base_url
        self._deployments = tuple(deployments)
        self._session = session
        self._patience = patience or Patience()
        self._authorization = authorization

    @property
    def deployments(self) -> Sequence[Deployment]:
        """Return what is served."""
        return self._deployments

    async def open(self, request: ModelRequest) -> ModelResponse:
        """Send a request and return when the answer has begun."""
        headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
        if self._authorization is not None:
            headers["Authorization"] = await self._authorization()
        try:
            async with asyncio.timeout(self._patience.first_byte):
                response = await self._session.post(
                    f"{self._base_url}/chat/completions",
                    data=json.dumps(
                        wire_body(request), ensure_ascii=False, allow_nan=False
                    ).encode(),
                    headers=headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        total=None, connect=self._patience.connect, sock_read=self._patience.idle
                    ),
                )
        except (TimeoutError, aiohttp.ServerTimeoutError):
            raise ModelTimeout("The model did not begin to answer in time.") from None
        except aiohttp.ClientConnectorError:
            raise ModelUnavailable("The model cannot be reached. Try again soon.") from None
        except (aiohttp.ClientError, OSError):
            raise ModelError("The connection to the model broke.") from None
        if response.status == HTTPStatus.OK:
            return _Answer(response)
        try:
            raise await _refusal(response)
        finally:
            response.close()

    async def ready(self) -> bool:
        """Return whether the address accepts connections and lists models."""
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=2)
            headers = {}
            if self._authorization is not None:
                headers["Authorization"] = await self._authorization()
            async with self._session.get(
                f"{self._base_url}/models", allow_redirects=False, timeout=timeout, headers=headers
            ) as response:
                return response.status < HTTPStatus.INTERNAL_SERVER_ERROR
        return False

    async def aclose(self) -> None:
        """Do nothing: the session belongs to whoever made it."""


def wire_body(request: ModelRequest) -> JsonObject:
    """Return what is sent: the checked value, the deployment, and usage asked for in streams."""
    body = {**request.body, "model": request.deployment, "stream": request.stream}
    if request.stream:
        body["stream_options"] = {"include_usage": True}
    else:
        body.pop("stream_options", None)
    return body


class _Answer:
    """An answer that has begun; see `ModelResponse`."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def read(self) -> bytes:
        body = b""
        async for chunk in self._chunks():
            body += chunk
            if len(body) > LARGEST_ANSWER_BYTES:
                raise ModelError("The model's answer is too large.")
        with suppress(ValueError, RecursionError):
            if isinstance(json.loads(body), dict):
                return body
        raise ModelError("The model's answer is not a JSON object.")

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        reader = EventReader()
        async for chunk in self._chunks():
            for event in reader.feed(chunk):
                _raise_error_event(event)
                yield event
                if event.is_done:
                    return
        raise ModelError("The model broke off in the middle of its answer.")

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (TimeoutError, aiohttp.ServerTimeoutError):
            raise ModelTimeout("The model stopped in the middle of its answer.") from None
        except (aiohttp.ClientError, OSError):
            raise ModelError("The model broke off in the middle of its answer.") from None

    async def aclose(self) -> None:
        # close, not release: an answer half read must stop the model's work, not drain it.
        self._response.close()


def _raise_error_event(event: ServerSentEvent) -> None:
    """Raise if an event is an error that came after the stream had begun."""
    if not event.data.startswith(b'{"error"') and not event.data.startswith(b'{ "error"'):
        return
    try:
        payload = event.parsed
    except ValueError:
        return
    raise _filtered(payload) or ModelError("The model failed in the middle of its answer.")


async def _refusal(response: aiohttp.ClientResponse) -> ModelError:
    """Return the error that a response other than 200 means; its own text is not passed on."""
    payload = await _payload(response)
    status = response.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ModelThrottled(
            "The model is over its own quota. Try again soon.", retry_after=_retry_after(response)
        )
    if (filtered := _filtered(payload)) is not None:
        return filtered
    if status in REJECTED:
        error = payload.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        parameter = error.get("param") if isinstance(error, dict) else None
        said = ", ".join(str(part) for part in (code, parameter) if _plain(part))
        return ModelRejected(
            "The model does not accept this request" + (f" ({said})." if said else ".")
        )
    if status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT}:
        return ModelTimeout("The model did not answer in time.")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return ModelUnavailable(
            "The model is not available now. Try again soon.", retry_after=_retry_after(response)
        )
    # 401 and 403 are here on purpose: it is our credential that was refused, not the caller's.
    return ModelError("The model failed. Try again, and tell your administrator if it goes on.")


async def _payload(response: aiohttp.ClientResponse) -> JsonObject:
    with suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError, RecursionError):
        value = json.loads(await response.content.read(LARGEST_ERROR_BYTES))
        if isinstance(value, dict):
            return value
    return {}


def _filtered(payload: JsonObject) -> ContentFiltered | None:
    """Read Azure OpenAI's shape of a blocked prompt ("Content filtering", error response)."""
    error = payload.get("error")
    if not isinstance(error, dict) or error.get("code") != "content_filter":
        return None
    inner = error.get("innererror")
    results = inner.get("content_filter_result") if isinstance(inner, dict) else None
    categories = tuple(sorted(name for name, result in _items(results) if _blocked(result)))
    named = f" ({', '.join(categories)})" if categories else ""
    return ContentFiltered(
        f"The content filter blocked this prompt{named}. Change it and try again.",
        categories=categories,
    )


def _items(value: object) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return []
    return [(name, item) for name, item in value.items() if _plain(name)]


def _blocked(result: object) -> bool:
    return isinstance(result, dict) and result.get("filtered") is True


def _plain(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier() and len(value) <= 64  # noqa: PLR2004


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Return the seconds that `Retry-After` says, as seconds or a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "")
    if value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004
        return float(value)
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return None
