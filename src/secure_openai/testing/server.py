"""A real server in the event loop of the test."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from secure_openai.local.protocol import BoundedHttpProtocol

POLL_SECONDS = 0.002
GRACE_SECONDS = 1


def listening(port: int = 0) -> socket.socket:
    """Return a socket for a port of loopback, a free one unless named."""
    # The protocol is said because asyncio sends at once only on sockets that say it: an answer's
    # body would wait 40 ms for the client to acknowledge its head.
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def port_of(bound: socket.socket) -> int:
    """Return the port of a socket."""
    return int(bound.getsockname()[1])


class _Server(uvicorn.Server):
    """Ends when it is told to, where uvicorn looks ten times a second whether it was.

    A test that serves two applications would wait longer for their ends than for its answers.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    def end(self) -> None:
        """Close the server in order."""
        self._told.set()

    async def main_loop(self) -> None:
        """Serve until told to end."""
        await self.on_tick(0)
        await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, give what is under way its time, and close the application."""
        for listener in self.servers:
            listener.close()
        for bound in sockets or ():
            bound.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                # uvicorn keeps sets of them, and no event.
                while state.connections or state.tasks:
                    await asyncio.sleep(POLL_SECONDS)
        for task in list(state.tasks):
            task.cancel()
        await self.lifespan.shutdown()


@asynccontextmanager
async def served(
    app: ASGIApp, bound: socket.socket, *, context: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    """Serve an application until the block is left; `context` has it speak TLS."""
    config = uvicorn.Config(
        app,
        http=BoundedHttpProtocol,
        server_header=False,
        date_header=False,
        log_level="critical",
        access_log=False,
        ws="none",
    )
    if context is not None:
        config.load()
        config.ssl = context
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        if running.done():
            await running
            raise AssertionError("the application ended before it started")
        await asyncio.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        server.end()
        await running
