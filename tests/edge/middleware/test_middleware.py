"""The onion's outer rings, each before the smallest real application."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from secure_openai.edge.middleware import limits
from secure_openai.edge.middleware.capacity import CapacityMiddleware
from secure_openai.edge.middleware.headers import SecurityHeadersMiddleware
from secure_openai.edge.middleware.hosts import HostsMiddleware
from secure_openai.edge.middleware.limits import LimitsMiddleware
from secure_openai.edge.middleware.origin import OriginMiddleware
from secure_openai.edge.middleware.request_id import RequestIdMiddleware
from secure_openai.errors import TooLarge

ORIGIN = "http://localhost:8400"


async def echo(request: Request) -> Response:
    """Say what came."""
    return JSONResponse(
        {
            "id": request.scope.get("secure_openai.request_id"),
            "size": len(await request.body()),
        }
    )


def client(*middleware: Middleware) -> httpx2.AsyncClient:
    """Return a client of an application behind `middleware`."""
    app = Starlette(
        routes=[
            Route("/", echo, methods=["GET", "POST"]),
            Route("/healthz", echo),
        ],
        middleware=middleware,
    )
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN)


def problem(response: httpx2.Response, status: int) -> str:
    """Return the detail of a problem, after checking its shape (RFC 9457)."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert set(body) >= {"type", "title", "status", "detail", "request_id"}
    return str(body["detail"])


HOSTS = Middleware(HostsMiddleware, hosts=frozenset({"localhost:8400"}))


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost", "localhost:80", "localhost:8400.evil.example", ""]
)
async def test_a_foreign_host_is_refused(host: str) -> None:
    """DNS rebinding and probes by other names meet a 400."""
    async with client(HOSTS) as http:
        said = problem(await http.get("/", headers={"host": host}), 400)

    assert "Host" in said


async def test_two_hosts_are_refused() -> None:
    """A request with two Host headers is refused, whatever they say."""
    async with client(HOSTS) as http:
        headers = [("host", "localhost:8400"), ("host", "localhost:8400")]
        problem(await http.get("/", headers=headers), 400)


async def test_forwarded_headers_do_not_help() -> None:
    """X-Forwarded-Host changes nothing."""
    async with client(HOSTS) as http:
        headers = {"host": "evil.example", "x-forwarded-host": "localhost:8400"}
        problem(await http.get("/", headers=headers), 400)


async def test_our_host_and_health_probes_are_answered() -> None:
    """Our own name is answered in any case; probes by any name."""
    async with client(HOSTS) as http:
        assert (await http.get("/", headers={"host": "LOCALHOST:8400"})).status_code == 200
        assert (await http.get("/healthz", headers={"host": "10.0.0.4"})).status_code == 200


async def test_a_websocket_is_closed() -> None:
    """Nothing here speaks WebSocket."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    await HostsMiddleware(never, hosts=frozenset())({"type": "websocket"}, receive, send)

    assert sent == [{"type": "websocket.close", "code": 1008}]


ATTACKS_ON_ORIGIN: Iterable[tuple[str, dict[str, str]]] = [
    ("no Origin", {"sec-fetch-site": "same-origin"}),
    ("no Sec-Fetch-Site", {"origin": ORIGIN}),
    ("foreign Origin", {"origin": "https://evil.example", "sec-fetch-site": "same-origin"}),
    ("another port", {"origin": "http://localhost:8401", "sec-fetch-site": "same-site"}),
    ("null Origin", {"origin": "null", "sec-fetch-site": "same-origin"}),
    ("prefix", {"origin": ORIGIN + ".evil.example", "sec-fetch-site": "same-origin"}),
    ("https for http", {"origin": "https://localhost:8400", "sec-fetch-site": "same-origin"}),
    ("same site only", {"origin": ORIGIN, "sec-fetch-site": "same-site"}),
    ("cross site", {"origin": ORIGIN, "sec-fetch-site": "cross-site"}),
    ("no navigation", {"origin": ORIGIN, "sec-fetch-site": "none"}),
]


@pytest.mark.parametrize(("name", "headers"), ATTACKS_ON_ORIGIN, ids=lambda value: str(value)[:24])
async def test_a_cookie_without_our_origin_is_refused(name: str, headers: dict[str, str]) -> None:
    """An unsafe method with a cookie needs our exact origin and a same-origin fetch."""
    async with client(Middleware(OriginMiddleware, public_url=ORIGIN)) as http:
        said = problem(await http.post("/", headers={"cookie": "a=b", **headers}), 403)

    assert "page of this application" in said


@pytest.mark.parametrize(
    ("name", "headers"),
    [one for one in ATTACKS_ON_ORIGIN if not one[0].startswith("no ") or one[0] == "no navigation"],
    ids=lambda value: str(value)[:24],
)
async def test_a_browser_that_keeps_its_cookies_back_is_refused(
    name: str, headers: dict[str, str]
) -> None:
    """The same without a cookie: what is answered to a foreign form could set and delete them."""
    async with client(Middleware(OriginMiddleware, public_url=ORIGIN)) as http:
        problem(await http.post("/", headers=headers), 403)


async def test_our_pages_and_requests_without_cookie_pass() -> None:
    """Our own page may; a client without a cookie cannot be forged; reading is safe."""
    ours = {"origin": ORIGIN, "sec-fetch-site": "same-origin", "cookie": "a=b"}
    program = {"origin": "app://elsewhere", "authorization": "Bearer x"}
    async with client(Middleware(OriginMiddleware, public_url=ORIGIN)) as http:
        assert (await http.post("/", headers=ours)).status_code == 200
        assert (await http.post("/", headers=ours | {"cookie": ""})).status_code == 200
        assert (await http.post("/", headers=program)).status_code == 200
        assert (await http.post("/")).status_code == 200
        for name in ("origin", "sec-fetch-site"):
            assert (await http.post("/", headers={name: ours[name]})).status_code == 200
        assert (await http.get("/", headers={"cookie": "a=b"})).status_code == 200


LIMITS = Middleware(LimitsMiddleware, body_bytes=1024, body_seconds=0.05)


async def test_a_declared_length_over_the_limit_is_refused_unread() -> None:
    """A large Content-Length is refused before a byte is read."""

    async def unread() -> AsyncGenerator[bytes, None]:
        for chunk in (b"",):
            yield chunk
            raise AssertionError

    async with client(LIMITS) as http:
        headers = {"content-length": "1025"}
        said = problem(await http.post("/", content=unread(), headers=headers), 413)

    assert "1024 bytes" in said


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"0x10", b"abc", b"\xb2", b"9" * 5000])
async def test_a_length_that_is_no_number_is_refused(length: bytes) -> None:
    """Content-Length is digits (RFC 9110, 8.6)."""
    async with client(LIMITS) as http:
        headers = [(b"content-length", length)]
        problem(await http.post("/", content=_stream(b"x"), headers=headers), 413)


async def test_an_undeclared_body_over_the_limit_is_refused() -> None:
    """A chunked body is counted as it comes."""
    async with client(LIMITS) as http:
        problem(await http.post("/", content=_stream(b"x" * 600, b"x" * 600)), 413)


async def test_a_body_that_never_ends_is_refused() -> None:
    """A body must arrive in time."""
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    await LimitsMiddleware(never, body_bytes=10, body_seconds=0.01)(scope, receive, send)

    assert sent[0]["status"] == 408


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity"])
async def test_compressed_bodies_are_refused(encoding: str) -> None:
    """A body that hides its size is not read."""
    async with client(LIMITS) as http:
        headers = {"content-encoding": encoding}
        problem(await http.post("/", content=b"x", headers=headers), 415)


async def test_a_body_within_the_limit_arrives_whole() -> None:
    """The application reads exactly what was sent."""
    async with client(LIMITS) as http:
        response = await http.post("/", content=_stream(b"x" * 500, b"y" * 524))

    assert response.json()["size"] == 1024


async def test_a_client_that_leaves_while_sending_is_told_to_the_application() -> None:
    """After a disconnect the application sees what had come, then the disconnect."""
    messages: list[Message] = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
    ]
    seen: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(await receive())
        seen.append(await receive())

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    await LimitsMiddleware(app, body_bytes=10)(scope, receive, send)

    assert [message["type"] for message in seen] == ["http.request", "http.disconnect"]
    assert seen[0]["more_body"]


async def test_half_of_a_large_body_is_none() -> None:
    """Who leaves while sending what is read late is told to the application at once."""
    size = 100_000
    messages: list[Message] = [
        {"type": "http.request", "body": b"x" * (size - 1), "more_body": True},
        {"type": "http.disconnect"},
    ]
    seen: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert len(messages) == 2
        seen.append(await receive())
        seen.append(await receive())

    headers = [(b"content-length", str(size).encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    await LimitsMiddleware(app, body_bytes=size)(scope, receive, send)

    assert [message["type"] for message in seen] == ["http.request", "http.disconnect"]
    assert seen[0]["more_body"]


async def test_nothing_large_is_read_of_whoever_is_not_known() -> None:
    """A public address reads what is small; what is large, of those the application knows."""
    known: list[str] = []
    size = limits.SMALL_BYTES + 1
    bounded = Middleware(
        LimitsMiddleware, body_bytes=2 * size, whose_of=lambda _: "Uma" if known else None
    )
    async with client(bounded) as http:
        small = await http.post("/", content=b"x" * (size - 1))
        with pytest.raises(TooLarge, match=str(limits.SMALL_BYTES)):
            await http.post("/", content=b"x" * size)
        with pytest.raises(TooLarge):
            await http.post("/", content=_stream(b"x" * size, b"x"))
        known.append("Uma")
        large = await http.post("/", content=_stream(b"x" * size, b"x"))

    assert small.json()["size"] == size - 1
    assert large.json()["size"] == size + 1


async def test_the_pace_of_a_large_body_counts_from_when_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever waits for 100 Continue while it is found out who asks is not late by that."""
    monkeypatch.setattr(limits, "STALLED_SECONDS", 1.0)
    size = limits.SMALL_BYTES + 1

    async def receive() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x" * size, "more_body": False}

    async def send(message: Message) -> None:
        raise AssertionError

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(1.5)
        assert len((await receive())["body"]) == size

    headers = [(b"content-length", str(size).encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    await LimitsMiddleware(app, body_bytes=size)(scope, receive, send)


async def test_ids_are_ours_and_differ() -> None:
    """Each request has an id of our making, in scope and header; a client's is not taken over."""
    async with client(Middleware(RequestIdMiddleware)) as http:
        first = await http.get("/", headers={"x-request-id": "mine"})
        second = await http.get("/")

    assert first.headers["x-request-id"] == first.json()["id"] != "mine"
    assert first.json()["id"] != second.json()["id"]


async def test_pages_are_fenced() -> None:
    """The policy runs and loads nothing but our own, and nothing may frame us."""
    fence = Middleware(
        SecurityHeadersMiddleware, authority="https://login.example/t/v2.0", https=True
    )
    async with client(fence) as http:
        headers = (await http.get("/")).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "form-action 'self' https://login.example;" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "max-age" in headers["strict-transport-security"]


@pytest.mark.parametrize(
    "ring",
    [
        RequestIdMiddleware,
        lambda app: SecurityHeadersMiddleware(app, authority="https://x", https=False),
        lambda app: HostsMiddleware(app, hosts=frozenset()),
        lambda app: LimitsMiddleware(app, body_bytes=1),
        lambda app: OriginMiddleware(app, public_url=ORIGIN),
        lambda app: CapacityMiddleware(app, most=0),
    ],
)
async def test_the_lifespan_passes_through(ring: Callable[..., object]) -> None:
    """What is not a request is handed on untouched."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    await ring(app)({"type": "lifespan"}, receive, send)  # type: ignore[operator]

    assert seen == ["lifespan"]


async def _stream(*chunks: bytes) -> AsyncGenerator[bytes, None]:
    for chunk in chunks:
        yield chunk
