"""A client that goes away: the model's server sees it at once, and it is charged as said."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from secure_openai.testing.person import named
from secure_openai.types import PrincipalId
from tests.servers import listening, port_of
from tests.world import World, running_world

ANSWER_TOKENS = 100
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
CHAT = "/openai/v1/chat/completions"


def word(text: str) -> bytes:
    """Return an event of a chat completion."""
    chunk = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


@dataclass
class Upstream:
    """A model's server: it says something, then nothing, and notices who leaves.

    Attributes:
        says: What it says to a request.
        asked: Set when a request has come.
        left: Set when whoever asked has hung up.
    """

    says: bytes = b""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.write(self.says)
        self.asked.set()
        try:
            while await reader.read(65_536):
                pass
        except ConnectionError:
            pass
        self.left.set()
        writer.close()


@pytest.fixture
async def behind(tmp_path: Path, identity_folder: Path) -> AsyncIterator[tuple[World, Upstream]]:
    """A gateway, and the server behind it."""
    upstream, bound = Upstream(), listening()
    server = await asyncio.start_server(upstream.serve, sock=bound)
    settings = {
        "model_source": "url",
        "model_url": f"http://127.0.0.1:{port_of(bound)}/v1",
        "model_deployments": "scripted",
    }
    async with server, running_world(tmp_path, identity_folder, **settings) as world:
        yield world, upstream


async def leave(world: World, upstream: Upstream, body: Any, *, reset: bool) -> bytes:
    """Ask, wait until what the server says has come, and hang up; return what had come."""
    text = json.dumps(body).encode()
    host = world.url.partition("//")[2]
    reader, writer = await asyncio.open_connection(*host.split(":"))
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {world.token('Uma')}\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    writer.write(head.encode() + text)
    await asyncio.wait_for(upstream.asked.wait(), 60)
    said = upstream.says.partition(b"\r\n\r\n")[2]
    seen = b""
    if body.get("stream") and said:
        while seen.count(b"data: ") < said.count(b"data: "):
            seen += await asyncio.wait_for(reader.read(65_536), 60)
    connection = writer.get_extra_info("socket")
    if reset:
        # As a process that was killed, or a network that was cut, does: RST and no FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort() if reset else writer.close()
    return seen


def chat(**more: Any) -> dict[str, Any]:
    """Return a chat completion's request."""
    messages = [{"role": "user", "content": "Tell me of private endpoints."}]
    return {"model": "scripted", "messages": messages, "max_tokens": ANSWER_TOKENS, **more}


CASES: dict[str, tuple[Any, bytes, int]] = {
    "a stream": (chat(stream=True), HEAD + word("a") + word(" b") + word(" c"), 3),
    "a stream before its first event": (chat(stream=True), HEAD, 0),
    "a stream before its headers": (chat(stream=True), b"", 0),
    "a whole answer before its headers": (chat(), b"", ANSWER_TOKENS),
    "a whole answer in its middle": (chat(), WHOLE + b'{"choices": [', ANSWER_TOKENS),
}


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(("body", "says", "answer"), CASES.values(), ids=CASES.keys())
async def test_the_models_server_sees_a_client_leave_and_the_client_is_charged(
    behind: tuple[World, Upstream], body: Any, says: bytes, answer: int, reset: bool
) -> None:
    """It is hung up on; prompt and output seen are charged, or the reservation."""
    world, upstream = behind
    upstream.says = says
    await leave(world, upstream, body, reset=reset)
    async with asyncio.timeout(60):
        await upstream.left.wait()
    (settled,) = await world.settled()
    (admitted,) = [one for one in await world.events() if one.action == "completion.admitted"]
    facts, reserved = settled.facts or {}, (admitted.facts or {})["tokens_reserved"]
    owner = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    totals = await world.assembly.usage.totals(
        owner, "scripted", now=world.assembly.pipeline._clock()
    )

    assert (settled.reason, facts["ended"], facts["estimated"]) == ("interrupted", False, True)
    assert facts["prompt_tokens"] == reserved - ANSWER_TOKENS > 0
    assert facts["completion_tokens"] == answer
    assert totals.tokens_today == facts["prompt_tokens"] + answer
    assert totals.concurrent == 0
