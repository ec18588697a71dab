"""The laptop's listeners: nobody else can stand where `localhost` leads, and heads are bounded."""

from __future__ import annotations

import asyncio
import resource
import socket
from typing import Any, cast

import httpx2
import pytest
import uvicorn

from secure_openai.errors import StartError
from secure_openai.local import protocol
from secure_openai.local.model_server.app import model_app
from secure_openai.local.protocol import BoundedHttpProtocol
from secure_openai.local.server import connections_at_most, loopback_sockets
from tests.system import free_ports


def has_ipv6() -> bool:
    """Return whether ::1 can be listened on."""
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_both_loopbacks_are_taken() -> None:
    """Every address that `localhost` may mean is listened on by us."""
    port = free_ports(1)
    sockets = loopback_sockets(port)
    addresses = {one.getsockname()[0] for one in sockets}
    for one in sockets:
        one.close()

    expected = {"127.0.0.1", "::1"} if has_ipv6() else {"127.0.0.1"}
    assert addresses == expected


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_someone_else_on_the_other_loopback_stops_the_start() -> None:
    """A process that waits on ::1 to be taken for the issuer is noticed."""
    port = free_ports(1)
    with socket.socket(socket.AF_INET6) as stranger:
        stranger.bind(("::1", port))
        stranger.listen()
        with pytest.raises(StartError, match="is taken"):
            loopback_sockets(port)


async def answered(parts: list[bytes], pause: float = 0.0) -> bytes:
    """Send parts of a request to a bounded server; return what comes back."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(app, http=BoundedHttpProtocol, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    running = asyncio.ensure_future(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    received = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        received = await asyncio.wait_for(reader.read(65_536), 5)
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
        server.should_exit = True
        await running
    return received


async def test_an_ordinary_request_is_answered() -> None:
    """The bound does not stop what is within it, headers in pieces included."""
    parts = [b"GET / HTTP/1.1\r\nHost: a\r\n", b"Connection: close\r\n\r\n"]

    assert (await answered(parts, 0.05)).startswith(b"HTTP/1.1 204")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 2_000_000,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 300_000,
        b"GET /" + b"x" * 2_000_000,
    ],
    ids=["one header", "many headers", "the address"],
)
async def test_an_endless_head_is_cut_off(head: bytes) -> None:
    """Nobody fills the memory with headers."""
    assert not (await answered([head])).startswith(b"HTTP/1.1 204")


async def test_a_slow_head_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a request is not waited for."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)

    assert await answered([b"GET / HTTP/1.1\r\n"]) == b""


async def test_one_connection_too_many_is_closed() -> None:
    """Who waits idly takes nobody's answer: the newest connection is closed, the others go on."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(
        app, http=BoundedHttpProtocol, lifespan="off", log_level="critical", limit_concurrency=5
    )
    server = uvicorn.Server(config)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    running = asyncio.ensure_future(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        opened = [await asyncio.open_connection(*listener.getsockname()) for _ in range(5)]
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        for reader, writer in opened:
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 204")
        opened.pop()[1].close()
        while len(server.server_state.connections) > 4:
            await asyncio.sleep(0.01)
        opened.append(await asyncio.open_connection(*listener.getsockname()))
        reader, writer = opened[-1]
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 204")
    finally:
        for _, writer in opened:
            writer.close()
        server.should_exit = True
        await running


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "left"),
    [
        (1_024, 1_048_576, 10_000, 20_256),
        (1_024, resource.RLIM_INFINITY, 10_000, 20_256),
        (1_048_576, 1_048_576, 10_000, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 10_000, None),
        (1_024, 4_096, 1_920, 4_096),
        (200, 200, 1, None),
    ],
)
def test_connections_leave_files_for_models(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, connections: int, left: int | None
) -> None:
    """As many as there may be files for, two each; the soft limit is raised where it may be."""
    raised: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda *values: raised.append(values))

    assert connections_at_most() == connections
    expected = [] if left is None else [(resource.RLIMIT_NOFILE, (left, hard))]
    assert raised == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer other"},
        {"authorization": "Bearer key", "origin": "https://evil.example"},
    ],
    ids=["no key", "another key", "a website"],
)
async def test_the_model_answers_the_application_only(headers: dict[str, str]) -> None:
    """Whoever goes around the application, a website above all, gets nothing."""
    app = model_app(cast("Any", None), "tiny", port=8402, key="key")
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8402") as http:
        for path in ("/v1/models", "/v1/chat/completions"):
            answer = await http.request(
                "POST" if "chat" in path else "GET", path, headers=headers, content=b"{}"
            )
            assert answer.status_code == 401
