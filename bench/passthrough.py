"""Our stack's limit: bare Starlette on the same server and client, doing nothing but pass on.

UPSTREAM=http://127.0.0.1:8000 python -m uvicorn bench.passthrough:app
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

UPSTREAM = os.environ.get("UPSTREAM", "")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keep one client for all requests."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        app.state.http = http
        yield


async def passed(request: Request) -> Response:
    """Send the body on and the answer back, streamed if it is a stream."""
    answer = await request.app.state.http.post(
        UPSTREAM + request.url.path,
        data=await request.body(),
        headers={"Content-Type": "application/json"},
    )
    kind = answer.headers.get("Content-Type", "")
    if kind.startswith("text/event-stream"):

        async def chunks() -> AsyncIterator[bytes]:
            try:
                async for chunk in answer.content.iter_any():
                    yield chunk
            finally:
                answer.close()

        return StreamingResponse(chunks(), media_type=kind)
    body = await answer.read()
    return Response(body, media_type=kind)


app = Starlette(
    routes=[Route("/{path:path}", passed, methods=["POST"])],
    lifespan=lifespan,
)
