"""The gateway's API as a client sees it: what may be asked for, and answers as they come."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from secure_openai.errors import GatewayError, ModelError, Unauthenticated
from secure_openai.model.events import EventReader
from secure_openai.model.interface import ServerSentEvent, usage_of
from secure_openai.outbound import body_of
from secure_openai.terminal.plain import plain, sentence
from secure_openai.terminal.sign_in import SignIn
from secure_openai.types import JsonObject, Operation, Usage

TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=15, sock_read=600)
"""A model may think for minutes before it says a word; how long it may is the gateway's to say."""

LARGEST_BODY_BYTES: Final = 1_048_576

Turn = dict[str, str]
"""A message: its role and its content."""


class Gateway:
    """A gateway, and who asks it.

    Args:
        url: Its origin; redirects are not followed, so nobody else is ever sent a token.
        sign_in: Gives tokens.
        http: What it is asked with.
    """

    def __init__(self, url: str, sign_in: SignIn, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._sign_in = sign_in
        self._http = http

    async def sign_in(self) -> None:
        """Sign in, if need be.

        Raises:
            IdentityError: The person was refused, or the authority cannot be reached.
        """
        await self._sign_in.token()

    async def names(self) -> list[str]:
        """Return every name that may be asked for.

        Raises:
            GatewayError: It refuses, fails, or cannot be reached.
            IdentityError: The person is not signed in.
        """
        listed = (await self._read("/openai/v1/models")).get("data")
        return [plain(str(one["id"])) for one in _objects(listed) if "id" in one]

    async def first_name(self) -> str:
        """Return the first deployment that chats, of those that one may use.

        Raises:
            GatewayError: There is none; or as `names` does.
            IdentityError: As `names` does.
        """
        for one in _objects((await self._read("/api/me")).get("deployments")):
            if Operation.CHAT_COMPLETIONS in one.get("operations", ()):
                return plain(str(one.get("name")))
        # To whoever has no role the gateway says so.
        await self.names()
        raise GatewayError("There is no deployment here that you may chat with.")

    def ask(self, deployment: str, turns: Sequence[Turn]) -> Answer:
        """Return an answer, to be read by its pieces."""
        return Answer(self, deployment, turns)

    async def _read(self, path: str) -> JsonObject:
        async with self.request("GET", path) as response:
            try:
                value = json.loads(await body_of(response, largest_bytes=LARGEST_BODY_BYTES))
            except (ValueError, RecursionError):
                value = None
        if not isinstance(value, dict):
            raise GatewayError("What answers there is not a gateway of this program.")
        return value

    @asynccontextmanager
    async def request(
        self, method: str, path: str, body: JsonObject | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the response to a request; a token that is not accepted is renewed once.

        Raises:
            GatewayError: It refuses, fails, or cannot be reached.
            IdentityError: The person is not signed in.
        """
        token = await self._sign_in.token()
        try:
            async with self._send(method, path, body, token) as response:
                if response.status != HTTPStatus.UNAUTHORIZED:
                    await _require_ok(response)
                    yield response
                    return
            token = await self._sign_in.token(rejected=token)
            async with self._send(method, path, body, token) as response:
                await _require_ok(response)
                yield response
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise GatewayError(_absence(error, self.url)) from None

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, body: JsonObject | None, token: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        response = await self._http.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            allow_redirects=False,
            timeout=TIMEOUT,
        )
        try:
            yield response
        finally:
            # Closed and not released: who stops reading an answer stops the model's work.
            response.close()


class Answer:
    """An answer on its way.

    Attributes:
        deployment: Who was asked.
        text: What has come, exactly as it came.
        usage: The tokens it took, once that is known.
        finish_reason: Why it ended, once it has.
        request_id: The number to ask about.
    """

    def __init__(self, gateway: Gateway, deployment: str, turns: Sequence[Turn]) -> None:
        self.deployment = deployment
        self.text = ""
        self.usage: Usage | None = None
        self.finish_reason = ""
        self.request_id = ""
        self._gateway = gateway
        self._turns = list(turns)

    async def pieces(self) -> AsyncGenerator[str, None]:
        """Yield the answer as it comes, as a terminal may show it.

        Raises:
            GatewayError: The gateway or the model refuses, fails, or breaks off.
            IdentityError: The person is not signed in.
        """
        body: JsonObject = {
            "model": self.deployment,
            "messages": self._turns,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        async with self._gateway.request("POST", "/openai/v1/chat/completions", body) as response:
            self.request_id = sentence(response.headers.get("X-Request-Id", ""))
            reader = EventReader()
            try:
                async for chunk in response.content.iter_any():
                    for event in reader.feed(chunk):
                        if event.is_done:
                            return
                        if piece := plain(self._piece(event)):
                            yield piece
            except ModelError:
                raise GatewayError("The gateway sent an event that is too large.") from None
        raise GatewayError("The answer broke off.")

    def _piece(self, event: ServerSentEvent) -> str:
        try:
            payload = event.parsed
        except ValueError:
            raise GatewayError("The gateway sent something that is not an answer.") from None
        if "error" in payload:
            raise GatewayError(_said(payload))
        self.usage = usage_of(payload) or self.usage
        text = ""
        for choice in _objects(payload.get("choices")):
            self.finish_reason = sentence(str(choice.get("finish_reason") or self.finish_reason))
            delta = choice.get("delta")
            if isinstance(delta, dict):
                # A model that declines says so in a member of its own.
                text += str(delta.get("content") or "") + str(delta.get("refusal") or "")
        self.text += text
        return text


def _objects(value: Any) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


async def _require_ok(response: aiohttp.ClientResponse) -> None:
    """Return if a request was taken.

    Raises:
        GatewayError: It was not; with the gateway's own sentence.
        Unauthenticated: The person is not signed in, as far as the gateway is concerned.
    """
    if response.status == HTTPStatus.OK:
        return
    if response.status == HTTPStatus.UNAUTHORIZED:
        raise Unauthenticated("The gateway does not accept this sign-in: try again with --again.")
    try:
        told = json.loads(await body_of(response, largest_bytes=LARGEST_BODY_BYTES))
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        said = _said(told)
    elif response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        # What stands before a gateway speaks for it when it is away, and not otherwise.
        host = f"{response.url.scheme}://{response.url.authority}"
        said = f"{host} is no gateway of this program (status {response.status}): is that right?"
    else:
        said = f"The gateway answers with status {response.status}."
    wait = response.headers.get("Retry-After", "")
    if wait.isascii() and wait.isdigit() and not _speaks_of_waiting(said):
        said += f" Try again in {int(wait)} s."
    raise GatewayError(said)


def _speaks_of_waiting(said: str) -> bool:
    return "again" in said.lower()


def _said(payload: JsonObject) -> str:
    """Return the sentence of an error in OpenAI's shape, or of problem details (RFC 9457)."""
    error = payload.get("error")
    told = error.get("message") if isinstance(error, dict) else payload.get("detail")
    return sentence(told) if isinstance(told, str) and told else "The gateway failed."


def _absence(error: Exception, url: str) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{url} has a certificate that is not trusted here: name its CA, or check the name."
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"Nothing answers at {url}."
    if isinstance(error, TimeoutError):
        return f"{url} did not answer in time."
    return "The connection to the gateway broke off."
