"""Real servers in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from secure_openai.local.protocol import BoundedHttpProtocol
from tests.tls import Tls


def listening(port: int = 0) -> socket.socket:
    """Return a socket that listens on a port of loopback, a free one unless named."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def port_of(bound: socket.socket) -> int:
    """Return the port of a listening socket."""
    return int(bound.getsockname()[1])


@asynccontextmanager
async def served(
    app: ASGIApp,
    bound: socket.socket,
    *,
    tls: Tls | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[None]:
    """Serve `app` until the block is left; `context` speaks TLS as it was made to."""
    config = uvicorn.Config(
        app,
        http=BoundedHttpProtocol,
        server_header=False,
        date_header=False,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
        ws="none",
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
    )
    if context is not None:
        config.load()
        config.ssl = context
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        if running.done():
            await running
            raise AssertionError("the server ended before it started")
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        await running
