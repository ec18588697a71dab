"""Ask one service: find its name, reach it, trust its certificate, be let in."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection

from secure_openai.errors import CredentialUnavailable
from secure_openai.outbound import Outbound, body_of
from secure_openai.probes.asks import Ask, Scheme
from secure_openai.probes.refusals import by_network

LARGEST_ANSWER_BYTES = 4_000_000
SECONDS = 20.0
"""How long one question may take."""

Bearer = Callable[[str], Awaitable[str]]
"""Gives the value of an `Authorization` header for a scope."""


class Outcome(StrEnum):
    """How it ended."""

    GOOD = "good"
    NO_NAME = "no name"
    PUBLIC = "public"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    NO_TOKEN = "no token"  # noqa: S105 - an outcome
    REFUSED = "refused"
    MISSING = "missing"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question ended with.

    Attributes:
        ask: The question.
        outcome: How it ended.
        says: What is wrong and what to do; `""` if it is good.
        addresses: What the name resolves to here; empty where a proxy resolves it.
        tls: The version of TLS, or `""`.
        regions: Addresses that the service says it has by region, where it was asked for them.
    """

    ask: Ask
    outcome: Outcome
    says: str = ""
    addresses: tuple[str, ...] = ()
    tls: str = ""
    regions: tuple[str, ...] = ()

    @property
    def way(self) -> str:
        """Return how the name is reached: private, public, or by the proxy."""
        if not self.addresses:
            return "-" if self.outcome is Outcome.NO_NAME else "by the proxy"
        return "private" if all(map(is_private, self.addresses)) else "public"


def is_private(address: str) -> bool:
    """Return whether an address is one of a private network, or of this machine."""
    return ipaddress.ip_address(address.partition("%")[0]).is_private


class Prober:
    """Asks services, each at its own name and with a token for it alone.

    Nothing is sent to a name that resolves to a public address where a private one is expected.

    Args:
        outbound: The way out.
        bearer: Our credential.
        resolver: Who resolves names; the system's resolver unless given.
        public: Whether services may have public addresses.
    """

    def __init__(
        self,
        outbound: Outbound,
        bearer: Bearer,
        *,
        resolver: AbstractResolver | None = None,
        public: bool = False,
    ) -> None:
        self._outbound = outbound
        self._bearer = bearer
        self._resolver = resolver or aiohttp.ThreadedResolver()
        self._public = public

    async def answer(self, ask: Ask) -> Answer:
        """Return what comes of a question."""
        addresses: tuple[str, ...] = ()
        if self._outbound.proxy_for(ask.url) is None:
            try:
                found = await self._resolver.resolve(ask.host, family=socket.AF_UNSPEC)
            except OSError:
                return Answer(ask, Outcome.NO_NAME, _no_name(ask))
            addresses = tuple(sorted({one["host"] for one in found}))
            if ask.zone and not self._public and not all(map(is_private, addresses)):
                return Answer(ask, Outcome.PUBLIC, _public(ask), addresses)
        try:
            async with asyncio.timeout(SECONDS):
                return await self._asked(ask, addresses)
        except CredentialUnavailable as error:
            return Answer(ask, Outcome.NO_TOKEN, str(error.detail), addresses)
        except FAILURES as error:
            return Answer(ask, *failed(error), addresses)

    async def _asked(self, ask: Ask, addresses: tuple[str, ...]) -> Answer:
        headers = dict(ask.headers)
        if ask.scheme is not Scheme.NONE:
            bearer = await self._bearer(ask.scope)
            headers["Authorization"] = _authorization(ask.scheme, bearer)
        connector = Watched(ssl=self._outbound.ssl_context, resolver=self._resolver)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                proxy=self._outbound.proxy_for(ask.url),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            session.request(
                ask.method, ask.url, headers=headers, data=ask.body, allow_redirects=False
            ) as response,
        ):
            body = await body_of(response, largest_bytes=LARGEST_ANSWER_BYTES)
            outcome, says = _judged(ask, response, body.decode(errors="replace"))
            named = ask.tells_regions and outcome is Outcome.GOOD
            return Answer(
                ask, outcome, says, addresses, connector.tls, _regions(body) if named else ()
            )


class Watched(aiohttp.TCPConnector):
    """Remembers TLS's facts: a short answer has given its connection back when it is read.

    Attributes:
        tls: The version, or `""`.
        ends: When the certificate ends, as OpenSSL writes it, or `""`.
    """

    tls = ""
    ends = ""

    async def connect(self, *arguments: Any, **options: Any) -> Connection:
        """Return a connection."""
        connection = await super().connect(*arguments, **options)
        transport = connection.transport
        over = transport.get_extra_info("ssl_object") if transport else None
        self.tls = str(over.version()) if over else ""
        self.ends = str(over.getpeercert().get("notAfter", "")) if over else ""
        return connection


FAILURES = (aiohttp.ClientError, OSError, TimeoutError, ValueError)


def failed(error: Exception) -> tuple[Outcome, str]:
    """Return how a question ended that nobody answered."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "it does not hold")
        return Outcome.UNTRUSTED, (
            f"its certificate is not trusted ({reason}): whoever answers at this name is not "
            "Azure, or the certificate of a proxy between is missing in SECURE_OPENAI_CA_BUNDLE"
        )
    if isinstance(error, aiohttp.ClientSSLError):
        return Outcome.UNTRUSTED, "what answers there does not speak TLS as Azure does"
    return Outcome.UNREACHABLE, (
        f"it cannot be reached ({type(error).__name__}): is there a way to it from here?"
    )


def _authorization(scheme: Scheme, bearer: str) -> str:
    if scheme is Scheme.COSMOS:
        token = bearer.removeprefix("Bearer ")
        return quote(f"type=aad&ver=1.0&sig={token}", safe="")
    return bearer


def _judged(ask: Ask, response: aiohttp.ClientResponse, text: str) -> tuple[Outcome, str]:
    status = response.status
    if status in ask.good:
        return Outcome.GOOD, ""
    if ask.need and status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        if by_network(response.headers.get("x-ms-error-code", ""), text):
            return Outcome.REFUSED, (
                "its network refuses us, whatever our roles are: reach it by its private endpoint"
            )
        return Outcome.REFUSED, (
            f"our identity lacks the role {ask.role}: it is needed to {ask.why}. A role that was "
            "assigned a moment ago may take minutes to count"
        )
    if status == HTTPStatus.NOT_FOUND:
        return Outcome.MISSING, ask.missing
    return Outcome.UNEXPECTED, f"it answers {status}"


def _regions(body: bytes) -> tuple[str, ...]:
    """Return the endpoints in an account's document, each once.

    Raises:
        ValueError: It is not one.
    """
    document = json.loads(body)
    try:
        found = [*document["writableLocations"], *document["readableLocations"]]
        urls = [str(one["databaseAccountEndpoint"]).rstrip("/") for one in found]
    except (KeyError, TypeError):
        raise ValueError("not an account's document") from None
    return tuple(dict.fromkeys(urls))


def _no_name(ask: Ask) -> str:
    if not ask.zone:
        return "its name is not known here: is there a DNS server that resolves public names?"
    return (
        f"its name is not known here: this network needs a link to the private DNS zone {ask.zone}"
    )


def _public(ask: Ask) -> str:
    return (
        f"its name resolves to a public address, so nothing was sent there: this network needs a "
        f"link to the private DNS zone {ask.zone} (an estate that is public on purpose is checked "
        "with --public)"
    )
