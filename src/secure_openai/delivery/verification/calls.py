"""One call: find the name, reach it, trust its certificate, and hear what it says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

from secure_openai.errors import CredentialUnavailable
from secure_openai.outbound import Outbound
from secure_openai.probes.probe import FAILURES, Bearer, Outcome, Watched, failed, is_private

SECONDS: Final = 20.0
_HTTP, _HTTPS = 80, 443
AT_ONCE: Final = 8
MOST_BYTES: Final = 65_536
"""As much of an answer is read as tells who refuses."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call.

    Attributes:
        status: HTTP status; 0 where nobody answered.
        says: Why nobody did; `""` where somebody did.
        outcome: How it ended, in the words of probes; `GOOD` for any answer.
        tls: The version of TLS, or `""`.
        ends: When the certificate ends, or `""`.
        code: Azure's own error code in the headers, or `""`.
        location: Where it redirects to, or `""`.
        text: The beginning of its body.
    """

    status: int
    says: str = ""
    outcome: Outcome = Outcome.GOOD
    tls: str = ""
    ends: str = ""
    code: str = ""
    location: str = ""
    text: str = ""


async def bearer_for(scope: str, bearer: Bearer | None) -> str:
    """Return the value of an `Authorization` header; `""` where there is no token to be had."""
    if bearer is None or not scope:
        return ""
    try:
        return await bearer(scope)
    except CredentialUnavailable:
        return ""


class Unreached(Exception):
    """A proxy does not lead where it should."""


class Caller:
    """Calls, each time over a connection of its own, following nothing.

    Args:
        outbound: The way out.
        resolver: Who resolves names; the system's resolver unless given.
    """

    def __init__(self, outbound: Outbound, resolver: AbstractResolver | None = None) -> None:
        self.outbound = outbound
        self.resolver = resolver or aiohttp.ThreadedResolver()
        self._turns = asyncio.Semaphore(AT_ONCE)

    def by_proxy(self, url: str) -> bool:
        """Return whether a proxy resolves the name, so that nothing of it is seen here."""
        return self.outbound.proxy_for(url) is not None

    async def addresses(self, url: str) -> tuple[str, ...]:
        """Return what a name resolves to; empty where it is not known."""
        host = urlsplit(url).hostname or ""
        try:
            async with asyncio.timeout(SECONDS):
                found = await self.resolver.resolve(host, family=socket.AF_UNSPEC)
        except (OSError, TimeoutError):
            return ()
        return tuple(sorted({one["host"] for one in found}))

    @asynccontextmanager
    async def connection(
        self, url: str
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Open a connection to a name's port of TLS, by the proxy where there is one.

        Raises:
            OSError: Nobody is there.
            TimeoutError: Nobody answers.
            Unreached: The proxy does not lead there.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _HTTPS
        proxy = self.outbound.proxy_for(url)
        async with self._turns:
            async with asyncio.timeout(SECONDS):
                if proxy is None:
                    found = await self.resolver.resolve(host, port, socket.AF_UNSPEC)
                    at = found[0]["host"], found[0]["port"]
                else:
                    way = urlsplit(proxy)
                    if way.scheme != "http":
                        raise Unreached
                    at = way.hostname or "", way.port or _HTTP
                reader, writer = await asyncio.open_connection(*at)
            try:
                if proxy is not None:
                    async with asyncio.timeout(SECONDS):
                        await _led(reader, writer, f"{host}:{port}", proxy)
                yield reader, writer
            finally:
                writer.transport.abort()

    async def call(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Call once; who does not answer is told of, too."""
        connector = Watched(ssl=self.outbound.ssl_context, resolver=self.resolver)
        try:
            async with (
                self._turns,
                asyncio.timeout(SECONDS),
                aiohttp.ClientSession(
                    connector=connector,
                    proxy=self.outbound.proxy_for(url),
                    cookie_jar=aiohttp.DummyCookieJar(),
                ) as session,
                session.request(
                    method, url, headers=headers, data=body, allow_redirects=False
                ) as response,
            ):
                text = await _beginning(response)
                return Reply(
                    response.status,
                    tls=connector.tls,
                    ends=connector.ends,
                    code=response.headers.get("x-ms-error-code", ""),
                    location=response.headers.get("Location", ""),
                    text=text.decode(errors="replace"),
                )
        except FAILURES as error:
            outcome, says = failed(error)
            return Reply(0, says, outcome)


async def _led(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: str, proxy: str
) -> None:
    """Have a proxy lead on (RFC 9110, 9.3.6)."""
    parts = urlsplit(proxy)
    lines = [f"CONNECT {to} HTTP/1.1", f"Host: {to}"]
    if parts.username is not None:
        who = aiohttp.BasicAuth(unquote(parts.username), unquote(parts.password or ""))
        lines.append(f"Proxy-Authorization: {who.encode()}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise Unreached from None
    if head.split(b" ", 2)[1:2] != [b"200"]:
        raise Unreached


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    text = bytearray()
    async for chunk in response.content.iter_any():
        text += chunk
        if len(text) >= MOST_BYTES:
            break
    return bytes(text[:MOST_BYTES])


def all_private(addresses: tuple[str, ...]) -> bool:
    """Return whether there are addresses, and each is of a private network or this machine."""
    return bool(addresses) and all(map(is_private, addresses))
