"""One exchange with a model over HTTP: send, wait for the answer to begin, read it as it comes."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import NoReturn

import aiohttp

from secure_openai.errors import (
    CredentialMissing,
    CredentialUnavailable,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
)
from secure_openai.model.events import EventReader
from secure_openai.model.interface import ModelRequest, ServerSentEvent, WholeAnswer, read_object
from secure_openai.model.refusals import ErrorAnswer, error_event, error_of
from secure_openai.streams import EachWithin, Within
from secure_openai.types import Attempt, JsonObject

USER_AGENT = "azure-secure-openai"
"""What we are; which version of what we run on is nobody's business."""

LARGEST_ANSWER_BYTES = 16 * 1_048_576
LARGEST_ERROR_BYTES = 65_536
END_SECONDS = 0.05
"""How long what ends a stream's message may come after its last event."""

ERROR_PREFIXES = (b'{"error"', b'{ "error"')
ERROR_NAMES = frozenset({b"error", b"response.failed"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    Attributes:
        connect: For a connection.
        first_byte: For a stream's first event.
        whole: For all of an answer that is not streamed: it begins when it is done.
        idle: Between two pieces of either: a reasoning model thinks in silence.
    """

    connect: float = 5.0
    first_byte: float = 60.0
    whole: float = 110.0
    idle: float = 110.0


class Exchange:
    """Asks over HTTP, with our credential and within our patience.

    Args:
        session: Whose connections to use; not closed here.
        patience: How long to wait.
        authorization: Gives the value of the `Authorization` header for each request, if any.
        proxy: The proxy to leave by, if any.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        patience: Patience | None = None,
        authorization: Callable[[], Awaitable[str]] | None = None,
        proxy: str | None = None,
    ) -> None:
        self._session = session
        self._patience = patience or Patience()
        self._timeout = aiohttp.ClientTimeout(total=None, connect=self._patience.connect)
        self._authorization = authorization
        self._proxy = proxy

    async def open(
        self,
        url: str,
        request: ModelRequest,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        successor: str = "",
    ) -> Answer:
        """Post a body; return when the answer has begun.

        Raises:
            ModelError: As `Model.open` does.
        """
        patience = self._patience
        sent = {
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            **(headers or {}),
            **await self._credential(),
        }
        until = None if request.stream else asyncio.get_running_loop().time() + patience.whole
        response: aiohttp.ClientResponse | None = None
        try:
            with Within(patience.first_byte if request.stream else patience.whole):
                response = await self._session.post(
                    url,
                    data=body,
                    headers=sent,
                    allow_redirects=False,
                    proxy=self._proxy,
                    timeout=self._timeout,
                )
                return await self._begun(response, request, successor, until)
        except BaseException as error:
            if response is not None:
                response.close()
            translated = _translated(error)
            if translated is None:
                raise
            raise translated from None

    async def _begun(
        self,
        response: aiohttp.ClientResponse,
        request: ModelRequest,
        successor: str,
        until: float | None,
    ) -> Answer:
        if response.status != HTTPStatus.OK:
            payload = await _error_payload(response)
            answer = ErrorAnswer(response.status, response.headers, payload)
            raise error_of(answer, request, successor=successor)
        begun = Answer(response, idle=self._patience.idle, until=until)
        if request.stream:
            await begun.begin()
        return begun

    async def reaches(self, url: str) -> bool:
        """Return whether an address answers and takes our credential."""
        with suppress(aiohttp.ClientError, OSError, TimeoutError, ModelUnavailable):
            async with self._session.get(
                url,
                headers=await self._credential(),
                allow_redirects=False,
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(total=2),
            ) as response:
                return response.status < HTTPStatus.INTERNAL_SERVER_ERROR and (
                    response.status not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
                )
        return False

    async def _credential(self) -> dict[str, str]:
        if self._authorization is None:
            return {}
        try:
            return {"Authorization": await self._authorization()}
        except CredentialUnavailable as error:
            raise CredentialMissing(error.detail) from None


class Answer:
    """An answer that has begun; see `ModelResponse`.

    Args:
        response: It.
        idle: How long it may pause, in seconds.
        until: When all of it must have come, by the loop's clock; a stream may take its time.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, *, idle: float, until: float | None = None
    ) -> None:
        self.member = ""
        self.attempts: tuple[Attempt, ...] = ()
        self.failure: ModelError | None = None
        self._response = response
        self._idle = idle
        self._until = until
        self._reader = EventReader()
        self._head: list[ServerSentEvent] = []
        self._done = False

    async def begin(self) -> None:
        """Wait for the first event that says something; whoever calls this bounds it.

        Raises:
            ModelError: The stream ends, or fails, before it has begun.
        """
        while not any(event.data for event in self._head):
            chunk = await self._response.content.readany()
            if not chunk:
                _broken("The model broke off before it answered.")
            self._head.extend(self._reader.feed(chunk))
        for event in self._head:
            _raise_error_event(event)

    async def read(self) -> WholeAnswer:
        """Return all of it."""
        try:
            body = bytearray()
            while chunk := await self._chunk():
                body += chunk
                if len(body) > LARGEST_ANSWER_BYTES:
                    _broken("The model's answer is too large.")
            return _whole(bytes(body))
        except ModelError as error:
            self.failure = error
            raise

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """Yield events, the one that ends the stream included."""
        pauses = EachWithin(self._idle)
        try:
            for event in self._head:
                self._done = event.is_done
                yield event
                if event.is_done:
                    return
            while chunk := await self._chunk(pauses):
                for event in self._reader.feed(chunk):
                    _raise_error_event(event)
                    self._done = event.is_done
                    yield event
                    if event.is_done:
                        return
            _broken("The model broke off in the middle of its answer.")
        except ModelError as error:
            self.failure = error
            raise
        finally:
            pauses.close()

    async def _chunk(self, pauses: EachWithin | None = None) -> bytes:
        """Return the next piece, empty at the end; a stream bounds all its pauses."""
        content = self._response.content
        left = math.inf
        if self._until is not None:
            left = self._until - asyncio.get_running_loop().time()
        try:
            if content.is_eof():
                # All of it has come: there is nothing to wait for.
                return content.read_nowait()
            with pauses or Within(max(0.0, min(self._idle, left))):
                return await content.readany()
        except TimeoutError:
            raise ModelTimeout(
                "The model stopped in the middle of its answer."
                if self._idle < left
                else "The model did not end its answer in time.",
                billable=True,
            ) from None
        except (aiohttp.ClientError, OSError):
            raise ModelError(
                "The model broke off in the middle of its answer.", billable=True
            ) from None

    async def aclose(self) -> None:
        """Close the connection, unless the answer came to its end and it may serve another one."""
        try:
            if self._done and not self._response.closed:
                # What ends the message may come after its last event. Whatever it is, or does to
                # the connection, the answer is whole.
                with suppress(Exception), Within(END_SECONDS):
                    await self._response.content.readany()
        finally:
            # close, not release: an answer half read must stop the model's work, not drain it.
            if not self._response.closed:
                self._response.close()


def _broken(detail: str) -> NoReturn:
    """Raise for an answer that had begun: Azure bills what it has worked for."""
    raise ModelError(detail, billable=True)


def _whole(body: bytes) -> WholeAnswer:
    try:
        return WholeAnswer(body, read_object(body))
    except ValueError:
        _broken("The model's answer is not a JSON object.")


def _raise_error_event(event: ServerSentEvent) -> None:
    """Raise if an event is an error that came after the stream had begun."""
    if not event.data.startswith(ERROR_PREFIXES) and event.name not in ERROR_NAMES:
        return
    try:
        error = error_event(event.parsed)
    except ValueError:
        error = None
    if error is not None:
        raise error


def _translated(error: BaseException) -> ModelError | None:
    """Return what went wrong on the way, or `None` where it is not ours to translate."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ModelTimeout("The model cannot be reached in time. Try again soon.")
    if isinstance(error, TimeoutError):
        return ModelTimeout("The model did not begin to answer in time.", billable=True)
    if isinstance(error, aiohttp.ClientConnectorError):
        return ModelUnavailable("The model cannot be reached. Try again soon.")
    if isinstance(error, (aiohttp.ClientError, OSError)):
        # The request was on its way: whether it was taken up cannot be known.
        return ModelError("The connection to the model broke.", billable=True)
    return None


async def _error_payload(response: aiohttp.ClientResponse) -> JsonObject:
    body = bytearray()
    with suppress(aiohttp.ClientError, OSError, ValueError, RecursionError):
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > LARGEST_ERROR_BYTES:
                return {}
        value = json.loads(body)
        if isinstance(value, dict):
            return value
    return {}
