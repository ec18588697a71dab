"""Streams: how much later their first byte comes, and how many are carried at once.

The client reads raw sockets, so that what is measured is the server; it says how late it was too.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

import psutil

from bench.gateway.sides import Side

Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_END = b"data: [DONE]\n\n\r\n0\r\n\r\n"
"""How a stream ends: with its last event, and the last chunk (RFC 9112, section 7.1)."""

_SENT = re.compile(rb'"content":"\s?(\d{12,})"')
LAG_EVERY = 0.01


@dataclass
class Told:
    """What a run showed, in milliseconds.

    Attributes:
        first: From the last byte of a request to the first byte of its answer's body.
        late: From an event's departure upstream to its arrival here.
        lag: How late the client itself woke.
        ended: Streams that came to their end.
        broken: Streams that did not.
        memory: The server's resident megabytes at most.
        reasons: Why they broke.
    """

    first: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)
    ended: int = 0
    broken: int = 0
    memory: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)


def percentile(values: list[float], part: float) -> float:
    """Return the value below which `part` of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _request(side: Side, body: bytes, token: str) -> bytes:
    parts = urlsplit(side.url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {side.host or parts.netloc}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@contextlib.asynccontextmanager
async def _connection(side: Side, kept: list[Connection] | None) -> AsyncIterator[Connection]:
    """Yield a connection that was kept and is open still, or a fresh one.

    Args:
        side: To whom.
        kept: Those to use again, and where this one goes unless it fails; without, it is closed.
    """
    while kept:
        reader, writer = kept.pop()
        if not reader.at_eof():
            break
        writer.close()
    else:
        parts = urlsplit(side.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
    try:
        yield reader, writer
    except BaseException:
        await _closed(writer)
        raise
    if kept is None:
        await _closed(writer)
    else:
        kept.append((reader, writer))


async def _stream(
    side: Side, request: bytes, told: Told, kept: list[Connection] | None = None
) -> None:
    """Read one stream to its end; see `_connection`."""
    try:
        async with _connection(side, kept) as (reader, writer):
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                said = await reader.read(65_536)
                raise ConnectionError(head.partition(b"\r\n")[0], said[:150])
            first, tail = True, b""
            while not tail.endswith(_END):
                piece = await reader.read(65536)
                if not piece:
                    raise ConnectionError("the stream broke off")
                now = time.monotonic_ns()
                if first:
                    told.first.append((time.perf_counter() - began) * 1e3)
                    first = False
                told.late += [(now - int(sent)) / 1e6 for sent in _SENT.findall(piece)]
                tail = (tail + piece)[-len(_END) :]
            told.ended += 1
    except (OSError, EOFError, ValueError) as error:
        told.broken += 1
        told.reasons[repr(error)[:200]] += 1


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _watched(work: Callable[[Told], Awaitable[None]], pid: int | None) -> Told:
    told = Told()

    async def watch() -> None:
        while True:
            due = time.perf_counter() + LAG_EVERY
            await asyncio.sleep(LAG_EVERY)
            told.lag.append((time.perf_counter() - due) * 1e3)
            if pid is not None and len(told.lag) % 100 == 0:
                memory = psutil.Process(pid).memory_info().rss / 1e6
                told.memory = max(told.memory, memory)

    watching = asyncio.ensure_future(watch())
    # A look for garbage among all that this process has imported holds the client up for 20 ms.
    gc.collect()
    gc.disable()
    try:
        await work(told)
    finally:
        gc.enable()
        watching.cancel()
    return told


def first_bytes(side: Side, body: bytes, *, rate: float, seconds: float, keeps: bool) -> Told:
    """Ask in an open loop, at random moments that no answer moves.

    Args:
        side: Who is asked.
        body: What.
        rate: How often in a second.
        seconds: For how long.
        keeps: Whether connections are used again, as clients do, or each request has its own.
    """
    token = side.tokens.read_text().split("\n", 1)[0]
    request = _request(side, body, token)
    moments = random.Random(1)

    async def ask(told: Told) -> None:
        loop = asyncio.get_running_loop()
        kept: list[Connection] | None = [] if keeps else None
        begun, due, end = [], loop.time(), loop.time() + seconds
        while due < end:
            await asyncio.sleep(max(0.0, due - loop.time()))
            begun.append(asyncio.ensure_future(_stream(side, request, told, kept)))
            due += moments.expovariate(rate)
        await asyncio.gather(*begun)
        for _, writer in kept or ():
            await _closed(writer)

    return asyncio.run(_watched(ask, side.pid))


def at_once(side: Side, body: bytes, *, count: int, begin_seconds: float) -> Told:
    """Hold `count` streams at the same time, begun one after the other within `begin_seconds`."""
    token = side.tokens.read_text().split("\n", 1)[0]
    request = _request(side, body, token)

    async def hold(told: Told) -> None:
        async def one(number: int) -> None:
            await asyncio.sleep(begin_seconds * number / count)
            await _stream(side, request, told)

        await asyncio.gather(*(one(number) for number in range(count)))

    return asyncio.run(_watched(hold, side.pid))
