"""An HTTP proxy that leads Azure's names to servers of loopback, and fails when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

FAREWELL = 64
"""Bytes of a TLS record that says no more than that the connection ends."""


@dataclass
class Tunnel:
    """A running proxy.

    Attributes:
        routes: Ports of loopback by the names that clients ask for.
        url: Its address.
        away: Whether it answers that nothing can be reached, to what is new and what is open.
        lose: How many answers to drop, the connection with them, after the question went through.
        asked: The names that were asked for.
    """

    routes: dict[str, int]
    url: str = ""
    away: bool = False
    lose: int = 0
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client (RFC 9110, 9.3.6: CONNECT)."""
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            name = request.split()[1].partition(":")[0]
            self.asked.append(name)
            if self.away or name not in self.routes:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
                await writer.drain()
                return
            inner_reader, inner_writer = await asyncio.open_connection(
                "127.0.0.1", self.routes[name]
            )
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                await self._joined(reader, writer, inner_reader, inner_writer)
            finally:
                inner_writer.close()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _joined(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        inner_reader: asyncio.StreamReader,
        inner_writer: asyncio.StreamWriter,
    ) -> None:
        questions: list[bytes] = []
        outward = asyncio.create_task(self._asked(reader, inner_writer, questions))
        inward = asyncio.create_task(self._answered(inner_reader, writer, questions))
        await asyncio.wait({outward, inward}, return_when=asyncio.FIRST_COMPLETED)
        for task in (outward, inward):
            task.cancel()
        await asyncio.gather(outward, inward, return_exceptions=True)

    async def _asked(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, questions: list[bytes]
    ) -> None:
        while (data := await reader.read(65536)) and not self.away:
            questions.append(data)
            writer.write(data)
            await writer.drain()

    async def _answered(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, questions: list[bytes]
    ) -> None:
        while (data := await reader.read(65536)) and not self.away:
            # What answers the first flight is TLS's own, and so is a short farewell.
            if self.lose and len(questions) > 1 and len(data) > FAREWELL:
                self.lose -= 1
                return
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def tunnel(routes: dict[str, int]) -> AsyncIterator[Tunnel]:
    """Serve a proxy until the block is left."""
    running = Tunnel(routes)
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        running.away = True
        server.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await server.wait_closed()
