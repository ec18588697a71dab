"""Azure Resource Manager and Microsoft Graph, asked and never changed.

Source: Azure Resource Manager REST API, "Common error response", "Throttling Resource Manager
requests"; Microsoft REST API Guidelines, paging by `nextLink`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from yarl import URL

from secure_openai.errors import (
    ManagementError,
    ManagementThrottled,
    ManagementUnavailable,
    NotFound,
    RoleMissing,
    SecureOpenAIError,
)
from secure_openai.outbound import Outbound, body_of
from secure_openai.types import JsonObject

AT_ONCE: Final = 6
"""Questions under way at the same time."""

SECONDS: Final = 30.0
"""How long one answer may take."""

LONGEST_WAIT_SECONDS: Final = 20.0
"""How long a throttled question waits, once; whoever is told to wait longer is told so."""

LARGEST_ANSWER_BYTES: Final = 32_000_000
MOST_PAGES: Final = 200

_ACTION: Final = re.compile(r"perform action '([A-Za-z0-9.]{3,60}(?:/[A-Za-z0-9*]{1,80}){1,12})'")

Bearer = Callable[[str], Awaitable[str]]
"""Gives the value of an `Authorization` header for a scope."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status.

    Attributes:
        status: HTTP status.
        body: The JSON object, or an empty one.
        code: `error.code`, or `""`.
        message: `error.message`, or `""`; it is read for an action's name and never shown.
        wait: Seconds that `Retry-After` says; 0 where it says none.
    """

    status: int
    body: JsonObject
    code: str = ""
    message: str = ""
    wait: float = 0.0

    def refusal(self) -> SecureOpenAIError:
        """Return the error that a status of 400 and above means."""
        if self.status == HTTPStatus.UNAUTHORIZED:
            return ManagementError("Azure does not accept this sign-in: sign in with az login.")
        if self.status == HTTPStatus.FORBIDDEN:
            found = _ACTION.search(self.message)
            action = found.group(1) if found else ""
            needs = f"it needs {action}" if action else "our roles do not allow it"
            return RoleMissing(f"Azure does not let us ask: {needs}.", action=action)
        named = f" ({self.code})" if self.code else ""
        if self.status == HTTPStatus.NOT_FOUND:
            return NotFound(f"Azure knows nothing there{named}.")
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            return ManagementThrottled("Azure was asked too often: try again in a few minutes.")
        return ManagementError(f"Azure answers {self.status}{named}.")


@dataclass(frozen=True, slots=True)
class _Request:
    """One question: to whom, with a token for what, and where."""

    origin: str
    scope: str
    path: str
    method: str = "GET"
    query: Mapping[str, str] | None = None
    body: JsonObject | None = None


class ResourceManager:
    """Asks, a few questions at a time, each of them once.

    Args:
        outbound: The way out.
        bearer: Whose roles decide.
        origin: Of the cloud's Resource Manager.
        scope: Of its tokens.
        graph: Origin of Microsoft Graph.
    """

    def __init__(
        self,
        outbound: Outbound,
        bearer: Bearer,
        *,
        origin: str,
        scope: str,
        graph: str = "",
    ) -> None:
        self._outbound = outbound
        self._bearer = bearer
        self._origin = origin.rstrip("/")
        self._scope = scope
        self._graph = graph.rstrip("/")
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._kept: dict[str, asyncio.Task[list[JsonObject]]] = {}
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        for origin in {self._origin, self._graph} - {""}:
            self._sessions[origin] = self._outbound.session(origin)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._kept.values():
            task.cancel()
        await asyncio.gather(*self._kept.values(), return_exceptions=True)
        for session in self._sessions.values():
            await session.close()

    async def bearer(self) -> str:
        """Return the value of an `Authorization` header for Resource Manager.

        Raises:
            CredentialUnavailable: There is no token.
        """
        return await self._bearer(self._scope)

    async def graph_bearer(self) -> str:
        """Return the value of an `Authorization` header for Microsoft Graph.

        Raises:
            CredentialUnavailable: There is no token.
        """
        return await self._bearer(f"{self._graph}/.default")

    async def graph(self, path: str) -> JsonObject:
        """Return what Microsoft Graph answers.

        Raises:
            SecureOpenAIError: It does not.
        """
        reply = await self._reply(_Request(self._graph, f"{self._graph}/.default", path))
        if reply.status >= HTTPStatus.BAD_REQUEST:
            raise reply.refusal()
        return reply.body

    async def reply(
        self,
        path: str,
        version: str,
        *,
        method: str = "GET",
        body: JsonObject | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """Return an answer, whatever its status.

        Args:
            path: From the origin on.
            version: `api-version`.
            method: HTTP method.
            body: What goes along.
            query: Further parameters.

        Raises:
            CredentialUnavailable: There is no token.
            ManagementUnavailable: Nobody answers.
        """
        asked = {"api-version": version, **(query or {})}
        return await self._reply(_Request(self._origin, self._scope, path, method, asked, body))

    async def one(
        self,
        path: str,
        version: str,
        *,
        body: JsonObject | None = None,
        query: Mapping[str, str] | None = None,
    ) -> JsonObject:
        """Return what there is at a path, or what comes of a question with a body.

        Raises:
            SecureOpenAIError: It is refused, not there, or nobody answers.
        """
        method = "GET" if body is None else "POST"
        reply = await self.reply(path, version, method=method, body=body, query=query)
        if reply.status >= HTTPStatus.BAD_REQUEST:
            raise reply.refusal()
        return reply.body

    async def every(
        self, path: str, version: str, query: Mapping[str, str] | None = None
    ) -> list[JsonObject]:
        """Return a whole list; who asks for the same later gets the same.

        Raises:
            SecureOpenAIError: It is refused, not there, or nobody answers.
        """
        key = f"{path}?{sorted((query or {}).items())}"
        if key not in self._kept:
            self._kept[key] = asyncio.ensure_future(self._pages(path, version, query))
        return await asyncio.shield(self._kept[key])

    async def _pages(
        self, path: str, version: str, query: Mapping[str, str] | None
    ) -> list[JsonObject]:
        found: list[JsonObject] = []
        answer = await self.one(path, version, query=query)
        for _ in range(MOST_PAGES):
            found += [one for one in answer["value"] if isinstance(one, dict)]
            following = answer.get("nextLink")
            if not following:
                return found
            if not str(following).startswith(f"{self._origin}/"):
                # Our token goes nowhere else, whatever an answer says.
                raise ManagementError("Azure's answer leads elsewhere for its rest.")
            rest = str(following)[len(self._origin) :]
            reply = await self._reply(_Request(self._origin, self._scope, rest))
            if reply.status >= HTTPStatus.BAD_REQUEST:
                raise reply.refusal()
            answer = reply.body
        raise ManagementError("Azure's answer has no end.")

    async def _reply(self, request: _Request) -> Reply:
        async with self._turns:
            reply = await self._asked(request)
            if reply.status == HTTPStatus.TOO_MANY_REQUESTS and reply.wait <= LONGEST_WAIT_SECONDS:
                await asyncio.sleep(reply.wait)
                reply = await self._asked(request)
        return reply

    async def _asked(self, request: _Request) -> Reply:
        bearer = await self._bearer(request.scope)
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._sessions[request.origin].request(
                    request.method,
                    # What a page leads on to is sent as it was written.
                    URL(f"{request.origin}{request.path}", encoded=True),
                    params=dict(request.query) if request.query else None,
                    json=request.body,
                    headers={"Authorization": bearer, "Accept": "application/json"},
                    allow_redirects=False,
                ) as response,
            ):
                text = await body_of(response, largest_bytes=LARGEST_ANSWER_BYTES)
                return _read(response, text)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise ManagementUnavailable(
                f"{request.origin} cannot be asked ({type(error).__name__}): is there a way to it "
                "from here?"
            ) from None


def _read(response: aiohttp.ClientResponse, text: bytes) -> Reply:
    try:
        body: Any = json.loads(text)
    except (ValueError, RecursionError):
        body = {}
    body = body if isinstance(body, dict) else {}
    error = body.get("error")
    error = error if isinstance(error, dict) else {}
    code = str(error.get("code", ""))
    wait = response.headers.get("Retry-After", "")
    return Reply(
        response.status,
        body,
        code if re.fullmatch(r"[A-Za-z0-9_.]{1,80}", code) else "",
        str(error.get("message", "")),
        float(wait) if wait.isascii() and wait.isdigit() else 0.0,
    )
