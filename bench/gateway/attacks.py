"""What others wait while hostile bodies come: each kind twice at once, again and again."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from bench.gateway.rates import Figure, measure
from bench.gateway.sides import MODEL, Side

AT_ONCE = 2
"""Attackers of each kind."""

SECONDS = 5
CONNECTIONS = 4
"""Of those who ask rightly."""

WAIT_SECONDS = 2.0
"""How long an attacker waits for an answer once all is sent."""

MEBIBYTE = 1_048_576
PIECE = b"x" * 65_536


@dataclass(frozen=True)
class Kind:
    """An attack.

    Attributes:
        headers: What it says of its body.
        piece: What its body is made of.
        count: How often that is sent.
        pause: Seconds between.
    """

    headers: bytes
    piece: bytes
    count: int = 1
    pause: float = 0.0


@dataclass
class Told:
    """What attacks did.

    Attributes:
        figures: What others were answered, alone and beside attacks.
        statuses: What each kind of attack was answered, and how often.
        memory: The gateway's resident megabytes at most.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    memory: float = 0.0


def beside_attacks(folder: Path, side: Side) -> Told:
    """Load a gateway rightly, alone and then beside attacks from a thread of this process."""
    told = Told()
    told.figures["nobody attacks"] = measure(folder, side, "small", CONNECTIONS, SECONDS)
    over = threading.Event()
    token = side.tokens.read_text().split("\n", 1)[0]
    attacking = threading.Thread(target=lambda: asyncio.run(_attack(side, token, told, over)))
    attacking.start()
    told.figures["beside attacks"] = measure(folder, side, "small", CONNECTIONS, SECONDS)
    over.set()
    attacking.join()
    return told


def _kinds() -> dict[str, Kind]:
    """Return each attack by its name."""
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
    text = json.dumps(asked).encode()
    many = json.dumps(asked | {"messages": [asked["messages"]] * 10_000}).encode()
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    image = base64.b64encode(bytes(20 * MEBIBYTE))
    part = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}' % image
    picture = b'{"model":"none","messages":[{"role":"user","content":[%s]}]}' % part
    whole = {
        "ten thousand messages": many,
        "ten thousand deep": text[:-1] + b',"response_format":' + deep + b"}",
        "a member twice": text[:-1] + b',"model":"x"}',
        "20 MB of image, for no model": picture,
    }
    bomb = gzip.compress(bytes(50 * MEBIBYTE))
    length = b"Content-Length: %d\r\n"
    chunk = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
    return {
        "100 MB": Kind(length % (100 * MEBIBYTE), PIECE, 1_600),
        "never ending": Kind(b"Transfer-Encoding: chunked\r\n", chunk, 10**9),
        "a byte at a time": Kind(length % 1_000, b"x", 10**9, 0.05),
        "a bomb": Kind(b"Content-Encoding: gzip\r\n" + length % len(bomb), bomb),
        "two lengths": Kind(length % len(text) + length % 5, text),
        **{name: Kind(length % len(body), body) for name, body in whole.items()},
    }


async def _attack(side: Side, token: str, told: Told, over: threading.Event) -> None:
    watching = asyncio.ensure_future(_watch(side, told))
    await asyncio.gather(*_attackers(side, token, told, over))
    watching.cancel()


def _attackers(
    side: Side, token: str, told: Told, over: threading.Event
) -> Iterator[asyncio.Future[None]]:
    parts = urlsplit(side.url)
    begin = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {side.host or parts.netloc}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    ).encode()

    async def repeat(name: str, kind: Kind) -> None:
        while not over.is_set():
            status = await _once(side, begin, kind, over)
            told.statuses.setdefault(name, Counter())[status] += 1

    for name, kind in _kinds().items():
        for _ in range(AT_ONCE):
            yield asyncio.ensure_future(repeat(name, kind))


async def _once(side: Side, begin: bytes, kind: Kind, over: threading.Event) -> str:
    """Send one request until it is answered; return the status."""
    parts = urlsplit(side.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    answer = asyncio.ensure_future(reader.readline())
    try:
        with suppress(OSError):
            writer.write(begin + kind.headers + b"\r\n")
            for _ in range(kind.count):
                if answer.done() or over.is_set():
                    break
                writer.write(kind.piece)
                await writer.drain()
                await asyncio.sleep(kind.pause)
        with suppress(OSError, TimeoutError):
            line = await asyncio.wait_for(answer, WAIT_SECONDS)
            return line.split(b" ")[1].decode() if line else "closed"
        return "none yet"
    finally:
        answer.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await answer
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _watch(side: Side, told: Told) -> None:
    assert side.pid is not None
    process = psutil.Process(side.pid)
    while True:
        told.memory = max(told.memory, process.memory_info().rss / 1e6)
        await asyncio.sleep(0.02)
