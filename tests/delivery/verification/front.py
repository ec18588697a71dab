"""What stands before a server and answers some of it itself: a guard, or a fault."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from yarl import URL

from tests.servers import listening, port_of, served
from tests.tls import Tls

Instead = Callable[[Request], Response | None]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass
class Front:
    """A running one.

    Attributes:
        to: The origin of what it stands before.
        instead: Returns what to answer instead; None hands the request on.
        url: Its own origin.
        name: By which name it hands on, over TLS; `""` for the origin's, as it is.
        tls: Whose authority that TLS is of.
    """

    to: str
    instead: Instead
    url: str = ""
    name: str = ""
    tls: Tls | None = None

    async def handle(self, request: Request) -> Response:
        """Answer, or hand on and hand back."""
        answer = self.instead(request)
        if answer is not None:
            return answer
        headers = dict(request.headers)
        if not self.name:
            headers["host"] = self.to.partition("//")[2]
        if "origin" in headers:
            headers["origin"] = self.to
        address = f"{self.to}{request.url.path}"
        trusted = ssl.create_default_context(cafile=self.tls.ca) if self.tls else True
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.request(
                request.method,
                URL(f"{address}?{request.url.query}" if request.url.query else address),
                headers=headers,
                data=await request.body(),
                allow_redirects=False,
                ssl=trusted,
                server_hostname=self.name or None,
            ) as response,
        ):
            kept = {"Location"} & response.headers.keys()
            body = await response.read()
            return Response(body, response.status, {name: response.headers[name] for name in kept})

    def app(self) -> Starlette:
        """Return it as an application."""
        return Starlette(routes=[Route("/{path:path}", self.handle, methods=METHODS)])


@asynccontextmanager
async def standing_in_front(to: str, instead: Instead) -> AsyncIterator[Front]:
    """Serve before an application until the block is left."""
    bound = listening()
    front = Front(to, instead, f"http://localhost:{port_of(bound)}")
    async with served(front.app(), bound):
        yield front
