"""Requests to Azure Resource Manager and to Blob Storage, each with our own token."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp

from secure_openai.clouds import CLOUDS
from secure_openai.environment import is_loopback
from secure_openai.errors import DeliveryError, SecureOpenAIError
from secure_openai.outbound import Outbound
from secure_openai.types import JsonObject

API_VERSION: Final = "2024-11-01"
"""Of Microsoft.Web (App Service REST API)."""

POLL_SECONDS: Final = 5.0
"""How soon to ask again where Azure does not say."""

PATIENCE_SECONDS: Final = 900.0
ATTEMPTS: Final = 4
_LATER: Final = frozenset({408, 429, 500, 502, 503, 504})
_CHUNK: Final = 2**20
_ONE_REQUEST: Final = aiohttp.ClientTimeout(total=600, sock_connect=20)


def may_have_storage_token(url: str) -> bool:
    """Return whether an address is of Azure's own blob storage over TLS, or of this machine."""
    parts = urlsplit(url)
    try:
        plain = parts.port in {None, 443} and not (parts.username or parts.password)
    except ValueError:
        return False
    host = parts.hostname or ""
    azures = any(host.endswith(f".{cloud.blob_domain}") for cloud in CLOUDS.values())
    return is_loopback(url) or (parts.scheme == "https" and plain and azures)


class Bearer(Protocol):
    """Whose roles decide: our `Credential`."""

    async def bearer(self, scope: str) -> str:
        """Return the value of an `Authorization` header."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: Any
    text: str


class Rest:
    """Sends requests with a token, and follows what Azure does in its own time.

    Args:
        credential: Whose roles decide.
        outbound: The way out.
        base_url: Origin of Resource Manager.
        scope: Scope of its tokens.
        poll_seconds: How soon to ask again where Azure does not say.
    """

    def __init__(
        self,
        credential: Bearer,
        outbound: Outbound,
        *,
        base_url: str,
        scope: str,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._credential = credential
        self._outbound = outbound
        self._base_url = base_url.rstrip("/")
        self._scope = scope
        self._http = outbound.session()
        self.poll_seconds = poll_seconds

    async def manage(
        self, method: str, path: str, body: JsonObject | None = None, *, follow: bool = True
    ) -> Told:
        """Ask Resource Manager; wait for what it has begun, unless somebody else does.

        Raises:
            NotBegun: It refused.
            DeliveryError: It did not do it.
        """
        url = f"{self._base_url}{path}?api-version={API_VERSION}"
        told = await self.send(method, url, scope=self._scope, body=body)
        if not follow:
            return told
        return await self._followed(told, what=f"{method} {path.rpartition('/sites/')[2]}")

    async def _followed(self, told: Told, *, what: str) -> Told:
        """Source: Microsoft Learn, "Track asynchronous Azure operations"."""
        end = time.monotonic() + PATIENCE_SECONDS
        while told.status == HTTPStatus.ACCEPTED:
            address = told.headers.get("Location", "")
            if urlsplit(address)[:2] != urlsplit(self._base_url)[:2]:
                # Our token goes nowhere else.
                raise DeliveryError(f"Azure does not say how {what} goes on.")
            if time.monotonic() > end:
                raise DeliveryError(f"Azure has not ended {what} in time.")
            await asyncio.sleep(self._pause(told))
            try:
                told = await self.send("GET", address, scope=self._scope)
            except NotBegun as error:
                # What cannot be followed has begun all the same.
                raise DeliveryError(error.detail) from None
        return told

    def _pause(self, told: Told) -> float:
        said = told.headers.get("Retry-After", "")
        return min(float(said), 60.0) if said.isascii() and said.isdigit() else self.poll_seconds

    async def send(
        self,
        method: str,
        url: str,
        *,
        scope: str,
        body: JsonObject | None = None,
        data: IO[bytes] | str | None = None,
        headers: Mapping[str, str] | None = None,
        expected: frozenset[int] = frozenset(),
    ) -> Told:
        """Send one request, again where waiting helps and it may be sent twice.

        Raises:
            NotBegun: It was refused.
            DeliveryError: Nobody answers, or not as they should.
        """
        # What was sent twice may have happened twice: a second swap undoes the first.
        again = method in {"GET", "PUT"} and not hasattr(data, "read")
        for attempt in range(ATTEMPTS):
            try:
                told = await self._once(
                    method, url, scope=scope, headers=dict(headers or {}), json=body, data=data
                )
            except (aiohttp.ClientError, TimeoutError) as error:
                if again and attempt + 1 < ATTEMPTS:
                    await asyncio.sleep(self.poll_seconds)
                    continue
                host = urlsplit(url).hostname
                raise DeliveryError(f"{host} cannot be reached ({type(error).__name__}).") from None
            # A redirect is none of Azure's answers here, and is not followed.
            if told.status < HTTPStatus.MULTIPLE_CHOICES or told.status in expected:
                return told
            throttled = told.status == HTTPStatus.TOO_MANY_REQUESTS
            later = throttled or (again and told.status in _LATER)
            if not later or hasattr(data, "read") or attempt + 1 == ATTEMPTS:
                raise refused(told, url)
            await asyncio.sleep(self._pause(told))
        raise AssertionError  # the last attempt returns or raises

    async def sha256_of(self, url: str, *, scope: str, headers: Mapping[str, str]) -> str:
        """Return the SHA-256 of what lies somewhere, hexadecimal.

        Raises:
            DeliveryError: It cannot be read, whole.
        """
        digest = hashlib.sha256()
        try:
            async with self._request("GET", url, await self._signed(scope, headers)) as answer:
                if answer.status != HTTPStatus.OK:
                    text = await answer.text(errors="replace")
                    told = Told(answer.status, answer.headers.copy(), _json(text), text)
                    raise refused(told, url)
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    digest.update(chunk)
        except (aiohttp.ClientError, TimeoutError) as error:
            host = urlsplit(url).hostname
            raise DeliveryError(f"{host} cannot be reached ({type(error).__name__}).") from None
        return digest.hexdigest()

    async def _once(
        self, method: str, url: str, *, scope: str, headers: dict[str, str], **body: Any
    ) -> Told:
        async with self._request(method, url, await self._signed(scope, headers), **body) as answer:
            text = await answer.text(errors="replace")
            return Told(answer.status, answer.headers.copy(), _json(text), text)

    async def _signed(self, scope: str, headers: Mapping[str, str]) -> dict[str, str]:
        try:
            return {**headers, "Authorization": await self._credential.bearer(scope)}
        except SecureOpenAIError as error:
            raise DeliveryError(error.detail or error.title) from None

    def _request(
        self, method: str, url: str, headers: dict[str, str], **body: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._http.request(
            method,
            url,
            headers=headers,
            **body,
            proxy=self._outbound.proxy_for(url),
            timeout=_ONE_REQUEST,
            # A redirect would carry the token along.
            allow_redirects=False,
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.close()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class NotBegun(DeliveryError):
    """What was asked for was refused, so nothing of it has happened."""


def refused(told: Told, url: str) -> DeliveryError:
    """Return the sentence for a refusal: what was refused, and what is missing."""
    host, code = urlsplit(url).hostname, ""
    if isinstance(told.body, dict):
        error = told.body.get("error", told.body)
        said = error.get("code") or error.get("Code") if isinstance(error, dict) else None
        code = f" {said}" if isinstance(said, str) and said.isalnum() else ""
    if told.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        needed = (
            "Contributor on the applications"
            if "/providers/Microsoft.Web/" in url
            else "Storage Blob Data Contributor on the container (Reader, to read), and an address "
            "that its firewall lets in"
        )
        return NotBegun(f"{host} refuses it ({told.status}{code}): this needs {needed}.")
    if told.status == HTTPStatus.NOT_FOUND:
        return NotBegun(
            f"{host} does not know it (404{code}): is that estate there, with its slot staging?"
        )
    kind = NotBegun if told.status < HTTPStatus.INTERNAL_SERVER_ERROR else DeliveryError
    return kind(f"{host} did not do it ({told.status}{code}).")
