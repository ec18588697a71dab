"""A door before a server: closed, it is as if nobody were there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Door:
    """A port of loopback that leads to another.

    Attributes:
        to: Where it leads.
        port: Where it is.
        closed: Whether connections break as soon as they are made.
    """

    to: int
    port: int = 0
    closed: bool = False
    _inside: set[asyncio.StreamWriter] = field(default_factory=set)

    def close(self) -> None:
        """Let nobody in, and whoever is in out."""
        self.closed = True
        for writer in self._inside:
            writer.transport.abort()

    def open(self) -> None:
        """Let everybody in again."""
        self.closed = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Lead one connection on."""
        if self.closed:
            writer.transport.abort()
            return
        onward, back = await asyncio.open_connection("127.0.0.1", self.to)
        pair = {writer, back}
        self._inside |= pair
        try:
            await asyncio.gather(_pipe(reader, back), _pipe(onward, writer))
        finally:
            self._inside -= pair


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def standing_before(port: int) -> AsyncIterator[Door]:
    """Serve a door until the block is left."""
    door = Door(port)
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    door.port = int(server.sockets[0].getsockname()[1])
    try:
        yield door
    finally:
        door.close()
        server.close()
