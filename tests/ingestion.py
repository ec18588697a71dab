"""A server in the shape of Azure Monitor's ingestion, which keeps what it is sent."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers import listening, port_of, served
from tests.tls import Tls

KEY = "11111111-2222-3333-4444-555555555555"


@dataclass
class Ingestion:
    """What was sent, and by whom.

    Attributes:
        url: Where it listens.
        items: Every item, as sent.
        tokens: The `Authorization` of each request.
        paths: What was asked for.
    """

    url: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def connection_string(self) -> str:
        """Return what names this server to an exporter."""
        return f"InstrumentationKey={KEY};IngestionEndpoint={self.url}/;LiveEndpoint={self.url}/"

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of every item of a kind, such as `RequestData` or `MetricData`."""
        return [item["data"]["baseData"] for item in self.items if item["data"]["baseType"] == kind]

    def app(self) -> Starlette:
        """Return the server."""
        return Starlette(routes=[Route("/{path:path}", self._take, methods=["GET", "POST"])])

    async def _take(self, request: Request) -> Response:
        self.paths.append(request.url.path)
        self.tokens.append(request.headers.get("authorization", ""))
        if not request.url.path.endswith("/track"):
            return Response(status_code=404)
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        items = json.loads(body)
        self.items.extend(items)
        count = len(items)
        return JSONResponse({"itemsReceived": count, "itemsAccepted": count, "errors": []})


@contextmanager
def ingesting(tls: Tls) -> Iterator[Ingestion]:
    """Serve in a thread of its own until the block is left."""
    bound = listening()
    made = Ingestion(url=f"https://localhost:{port_of(bound)}")
    loop = asyncio.new_event_loop()
    over, begun = asyncio.Event(), threading.Event()

    async def run() -> None:
        async with served(made.app(), bound, tls=tls):
            begun.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert begun.wait(60), "it does not begin to serve"
        yield made
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
