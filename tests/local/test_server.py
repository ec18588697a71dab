"""The laptop's listeners: nobody else can stand where `localhost` leads, and heads are bounded."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def serving(
    app: Any, connections: set[Any] | None = None, *, buffer: int | None = None
) -> AsyncIterator[tuple[str, int]]:
    """Yield the address of a bounded server, which keeps its connections in a set.

    With `buffer`, the system takes about so many bytes of an answer.
    """
    config = uvicorn.Config(
        app,
        http=BoundedHttpProtocol,
        lifespan="off",
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    if buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    if connections is not None:
        server.server_state.connections = connections
    running = asyncio.ensure_future(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        await running


async def answered(parts: list[bytes], pause: float = 0.0, *, to_the_end: bool = False) -> bytes:
    """Send parts of a request to a bounded server; return what comes back.

    With `to_the_end`, until the server hangs up, which it must.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    received = b""
    async with serving(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            reading = reader.read() if to_the_end else reader.read(65_536)
            received = await asyncio.wait_for(reading, 60)
        except ConnectionError:
            pass
        except TimeoutError:
            assert not to_the_end, "the connection stays open"
        finally:
            writer.close()
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


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n"],
        [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n", b"x", b"x"],
        [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", b"x"],
    ],
    ids=["an empty line", "the rest of a body, slowly", "the rest of a body"],
)
async def test_what_follows_an_answer_keeps_no_connection_open(
    monkeypatch: pytest.MonkeyPatch, parts: list[bytes]
) -> None:
    """What is no request is not waited behind, whatever it is, for longer than for a head."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)

    assert (await answered(parts, 0.05, to_the_end=True)).startswith(b"HTTP/1.1 204")


async def test_the_rest_of_a_body_after_its_answer_harms_no_request_behind_it() -> None:
    """Who is refused early may finish sending, and ask again on the same connection."""
    begin = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    came = await answered([begin, b"x", b"x", last], 0.02, to_the_end=True)

    assert came.count(b"HTTP/1.1 204") == 2


@pytest.mark.parametrize("pieces", [1, 1_000], ids=["at once", "as it may"])
async def test_what_nobody_reads_is_not_kept_for_ever(
    monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    """A client that stays and reads nothing is hung up on, and the application told."""
    monkeypatch.setattr(protocol, "STALLED_SECONDS", 0.1)
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(pieces):
            body = b"x" * (64_000_000 // pieces)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()

    async with serving(app) as address:
        _, writer = await asyncio.open_connection(*address, limit=1)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(ended.wait(), 60)
        writer.close()


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"], ids=["open", "closing"])
async def test_no_rest_of_an_answer_is_kept_for_ever(
    monkeypatch: pytest.MonkeyPatch, header: bytes
) -> None:
    """However little it is that nobody reads, and whoever closes."""
    monkeypatch.setattr(protocol, "STALLED_SECONDS", 0.1)
    connections: set[Any] = set()
    sent = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"40000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * 40_000})
        sent.set()

    async with serving(app, connections, buffer=4_096) as address:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, address)
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + header + b"\r\n")
        await asyncio.wait_for(sent.wait(), 60)
        async with asyncio.timeout(60):
            while connections:
                await asyncio.sleep(0.01)
        client.close()


async def test_who_reads_slowly_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is for what is not read at all, not for how long a whole answer takes."""
    monkeypatch.setattr(protocol, "STALLED_SECONDS", 1.0)
    size = 32_000_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * size})

    async with serving(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        left = size
        while left:
            await asyncio.sleep(0.02)
            left -= len(await reader.readexactly(min(left, 250_000)))
        writer.close()


async def test_one_connection_too_many_takes_the_place_of_one_that_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever opens many and sends nothing keeps nobody out; where all are at work, one is closed.

    The longest wait ends first, whether for a first request or for a next one.
    """
    # Nobody is hung up on because of his head.
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 3_600.0)
    ask = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    stay, released = b"GET /stay HTTP/1.1\r\nHost: a\r\n\r\n", asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/stay":
            await released.wait()
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
    address = listener.getsockname()
    try:
        idle = [await asyncio.open_connection(*address) for _ in range(5)]
        for _ in range(20):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(ask)
            assert (await asyncio.wait_for(reader.readline(), 60)).startswith(b"HTTP/1.1 204")
            idle.append((reader, writer))
        assert await asyncio.wait_for(idle[0][0].read(), 60) == b""
        assert len(server.server_state.connections) <= 6

        busy = [await asyncio.open_connection(*address) for _ in range(5)]
        for _, writer in busy:
            writer.write(stay)
        while len(server.server_state.tasks) < 5:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*address)
        assert await asyncio.wait_for(reader.read(), 60) == b""
        writer.close()
        released.set()
        for reader, _ in busy:
            assert (await asyncio.wait_for(reader.readline(), 60)).startswith(b"HTTP/1.1 204")
    finally:
        for _, writer in (*idle, *busy):
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
