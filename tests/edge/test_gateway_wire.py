"""What the wire brings, on a real server: bodies without end or sense, and shapes of smuggling."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

import psutil
import pytest

from secure_openai.edge.middleware.limits import LimitsMiddleware
from tests.edge.test_refusals import openai_error
from tests.identity.test_tokens import ATTACKS, claims, signed
from tests.world import World

CHAT = "/openai/v1/chat/completions"
ASK = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}
BODY = json.dumps(ASK).encode()
LENGTH = str(len(BODY)).encode()
CHUNKED = b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n"
MEBIBYTE = 1_048_576


def head(world: World, *more: bytes, signed_in: bool = True) -> bytes:
    """Return the head of a request, with more headers."""
    host = world.url.removeprefix("http://").encode()
    lines = (
        b"POST " + CHAT.encode() + b" HTTP/1.1",
        b"Host: " + host,
        b"Content-Type: application/json",
        *([b"Authorization: Bearer " + world.token("Uma").encode()] if signed_in else []),
        *more,
    )
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def answers(
    world: World, sent: bytes | AsyncIterator[bytes], *, patience: float = 60.0
) -> list[tuple[int, bytes]]:
    """Return status and body of everything that comes back until the server hangs up or is silent.

    So many seconds of patience are for the first of it; a server that then waits for more is left
    after half a second.
    """
    _, port = world.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    came, begun = bytearray(), asyncio.Event()

    async def read() -> None:
        while piece := await reader.read(65_536):
            came.extend(piece)
            begun.set()

    reading = asyncio.create_task(read())
    try:
        if isinstance(sent, bytes):
            writer.write(sent)
            await writer.drain()
        else:
            async for piece in sent:
                if reading.done() or came:
                    break
                writer.write(piece)
                await writer.drain()
    except ConnectionError:
        pass
    beginning, seen = asyncio.create_task(begun.wait()), -1
    await asyncio.wait({reading, beginning}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    while seen < len(came) and not reading.done():
        seen = len(came)
        await asyncio.wait({reading}, timeout=0.5)
    for task in (reading, beginning):
        task.cancel()
    await asyncio.gather(reading, beginning, return_exceptions=True)
    writer.close()
    found = []
    rest = bytes(came)
    while rest:
        first, _, rest = rest.partition(b"\r\n\r\n")
        status, *lines = first.split(b"\r\n")
        lengths = [line.split(b":")[1] for line in lines if line.lower().startswith(b"content-len")]
        size = int(lengths[0]) if lengths else len(rest)
        found.append((int(status.split()[1]), rest[:size]))
        rest = rest[size:]
    return found


def refused(found: list[tuple[int, bytes]], *statuses: int) -> dict[str, Any]:
    """Return the only answer's error, after checking that it is one in OpenAI's shape."""
    ((status, body),) = found
    assert status in statuses, body
    error = json.loads(body)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return dict(error)


SMUGGLED = b"GET /openai/v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
SHAPES: dict[str, tuple[tuple[bytes, ...], bytes]] = {
    "both lengths": (
        (b"Content-Length: 6", b"Transfer-Encoding: chunked"),
        b"0\r\n\r\n" + SMUGGLED,
    ),
    "both, the other way": (
        (b"Transfer-Encoding: chunked", b"Content-Length: 4"),
        CHUNKED + b"\r\n",
    ),
    "two lengths that differ": ((b"Content-Length: " + LENGTH, b"Content-Length: 5"), BODY),
    "one length twice": ((b"Content-Length: " + LENGTH, b"Content-Length: " + LENGTH), BODY),
    "lengths in a list": ((b"Content-Length: " + LENGTH + b", " + LENGTH,), BODY),
    "a length with a sign": ((b"Content-Length: +" + LENGTH,), BODY),
    "a negative length": ((b"Content-Length: -1",), BODY),
    "a length beyond numbers": ((b"Content-Length: 99999999999999999999999",), BODY),
    "a coding that only looks so": ((b"Transfer-Encoding: xchunked",), CHUNKED + b"\r\n"),
    "a space before the colon": ((b"Transfer-Encoding : chunked",), CHUNKED + b"\r\n"),
    "two codings": ((b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), CHUNKED),
    "a vertical tab": ((b"Transfer-Encoding:\x0bchunked",), CHUNKED + b"\r\n"),
    "a folded line": ((b"X: a\r\n Transfer-Encoding: chunked", b"Content-Length: " + LENGTH), BODY),
    "a chunk beyond numbers": ((b"Transfer-Encoding: chunked",), b"FFFFFFFFFFFFFFFFF\r\n"),
    "a chunk with a prefix": ((b"Transfer-Encoding: chunked",), b"0x5\r\nabcde\r\n0\r\n\r\n"),
    "a NUL in a header": ((b"X: a\x00b", b"Content-Length: " + LENGTH), BODY),
    "a bare CR in a header": ((b"X: a\rb", b"Content-Length: " + LENGTH), BODY),
    "a coding that nobody undoes": ((b"Transfer-Encoding: gzip, chunked",), CHUNKED + b"\r\n"),
    "a coding twice": ((b"Transfer-Encoding: chunked, chunked",), CHUNKED + b"\r\n"),
    "a space after a chunk's size": (
        (b"Transfer-Encoding: chunked",),
        CHUNKED.replace(b"\r\n", b" \r\n", 1) + b"\r\n",
    ),
    "a chunk longer than it says": (
        (b"Transfer-Encoding: chunked",),
        b"3\r\nabcdef\r\n0\r\n\r\n",
    ),
    "chunks ended by LF": (
        (b"Transfer-Encoding: chunked",),
        CHUNKED.replace(b"\r\n", b"\n") + b"\n",
    ),
    "a name of nothing": ((b": x", b"Content-Length: " + LENGTH), BODY),
    "a line ended by LF": ((b"X: a\nY: b", b"Content-Length: " + LENGTH), BODY),
    "a second Host": ((b"Host: evil", b"Content-Length: " + LENGTH), BODY),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_two_readers_would_read_differently_is_refused(world: World, shape: str) -> None:
    """One clear 400 in OpenAI's shape; nothing hides behind it, and no model is asked."""
    headers, body = SHAPES[shape]
    found = await answers(world, head(world, *headers) + body)

    assert refused(found, 400)["type"] == "invalid_request_error"
    assert "completion.admitted" not in {event.action for event in await world.events()}


def request(
    world: World, target: bytes, *, method: bytes = b"POST", version: bytes = b"HTTP/1.1"
) -> bytes:
    """Return a request that would be answered, at an address of any form."""
    first, rest = head(world, b"Content-Length: " + LENGTH).split(b"\r\n", 1)
    assert first.startswith(b"POST ")
    return b" ".join((method, target, version)) + b"\r\n" + rest + BODY


HERE = b"{host}"
TARGETS: dict[str, tuple[bytes, bytes, bytes]] = {
    "another host's": (b"POST", b"http://evil" + CHAT.encode(), b"HTTP/1.1"),
    "ours and a user": (b"POST", b"http://a@" + HERE + CHAT.encode(), b"HTTP/1.1"),
    "ours by another scheme": (b"POST", b"ftp://" + HERE + CHAT.encode(), b"HTTP/1.1"),
    "another port": (b"POST", b"http://localhost:1" + CHAT.encode(), b"HTTP/1.1"),
    "with a fragment": (b"POST", CHAT.encode() + b"#x", b"HTTP/1.1"),
    "with a slash that is none": (b"POST", CHAT.encode().replace(b"t/c", b"t%2Fc"), b"HTTP/1.1"),
    "with a backslash": (b"POST", CHAT.encode().replace(b"t/c", b"t%5Cc"), b"HTTP/1.1"),
    "with a space": (b"POST", CHAT.encode() + b" x", b"HTTP/1.1"),
    "a version to come": (b"POST", CHAT.encode(), b"HTTP/2.0"),
    "a version between": (b"POST", CHAT.encode(), b"HTTP/1.2"),
    "no version": (b"GET", CHAT.encode(), b"HTTP/0.9"),
}
NO_ADDRESS: dict[str, bytes] = {
    "everything": b"OPTIONS * HTTP/1.1",
    "a tunnel": b"CONNECT evil:443 HTTP/1.1",
    "no slash": b"POST openai/v1/chat/completions HTTP/1.1",
    "a host alone": b"POST http://localhost HTTP/1.1",
    "letters beyond ASCII": "POST /openai/ü HTTP/1.1".encode(),
    "another protocol": b"PRI * HTTP/2.0",
    "no method": b"post /openai/v1/chat/completions HTTP/1.1",
}


@pytest.mark.parametrize("target", TARGETS)
async def test_an_address_that_two_readers_would_read_differently_is_refused(
    world: World, target: str
) -> None:
    """Whoever looks at the address and whoever looks at Host must see one place."""
    method, address, version = TARGETS[target]
    host = world.url.removeprefix("http://").encode()
    sent = request(world, address.replace(HERE, host), method=method, version=version)

    assert refused(await answers(world, sent), 400)["type"] == "invalid_request_error"
    assert "completion.admitted" not in {event.action for event in await world.events()}


@pytest.mark.parametrize("line", NO_ADDRESS)
async def test_what_is_no_address_is_refused(world: World, line: str) -> None:
    """Nothing of the application is asked; the connection is closed."""
    _, rest = request(world, b"/").split(b"\r\n", 1)
    ((status, body),) = await answers(world, NO_ADDRESS[line] + b"\r\n" + rest)

    assert status == 400
    assert b"not well-formed HTTP" in body


@pytest.mark.parametrize("scheme", [b"http", b"https", b"HTTP"])
async def test_a_whole_address_of_ours_is_answered(world: World, scheme: bytes) -> None:
    """As RFC 9112, 3.2.2 asks: proxies' clients write it so."""
    host = world.url.removeprefix("http://").encode()
    ((status, _),) = await answers(world, request(world, scheme + b"://" + host + CHAT.encode()))

    assert status == 200


async def test_a_body_is_never_the_next_request(world: World) -> None:
    """What says that it goes on in another protocol has no body, and its connection ends."""
    models = head(world).replace(b"POST " + CHAT.encode(), b"GET /openai/v1/models")
    upgrade = (b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: %d" % len(models))

    async def in_two_parts(begin: bytes) -> AsyncIterator[bytes]:
        yield begin
        await asyncio.sleep(0.1)
        yield models

    smuggled = await answers(world, in_two_parts(head(world, *upgrade)))
    plain = models.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    ignored = await answers(world, plain + models)

    refused(smuggled, 400)
    assert [status for status, _ in ignored] == [200]


async def test_what_follows_a_stream_is_no_part_of_it(world: World) -> None:
    """Nonsense behind a request that is being answered ends the connection and says nothing."""
    asked = {"messages": [{"role": "user", "content": "slow 20"}], "max_tokens": 50, "stream": True}
    body = json.dumps(ASK | asked).encode()
    begin = head(world, b"Content-Length: %d" % len(body)) + body

    async def with_nonsense() -> AsyncIterator[bytes]:
        yield begin
        yield b"nonsense\r\n\r\n"

    found = await answers(world, with_nonsense())

    assert b"well-formed" not in b"".join(body for _, body in found)
    assert {status for status, _ in found} <= {200}


async def test_a_trailer_is_no_header(world: World) -> None:
    """What comes after the body names nobody: a proxy in front has not seen it."""
    token = b"Authorization: Bearer " + world.token("Uma").encode()
    begin = head(world, b"Transfer-Encoding: chunked", signed_in=False)
    found = await answers(world, begin + CHUNKED + token + b"\r\n\r\n")

    assert refused(found, 401)["code"] == "invalid_api_key"


async def endless(piece: bytes, *, pause: float = 0.0, begin: bytes = b"") -> AsyncIterator[bytes]:
    """Yield a body in chunks that would not end before a gibibyte."""
    yield begin
    for _ in range(16_384):
        yield b"%x\r\n" % len(piece) + piece + b"\r\n"
        await asyncio.sleep(pause)


async def test_large_and_endless_bodies_cost_nothing_and_harm_nobody(world: World) -> None:
    """A hundred megabytes, said or not, are a 413; others are answered meanwhile."""
    process = psutil.Process()
    before = process.memory_info().rss
    said = head(world, b"Content-Length: 104857600")
    unsaid = head(world, b"Transfer-Encoding: chunked")
    async with world.client(**world.bearer("Uma")) as http:
        found, neverending, meanwhile = await asyncio.gather(
            answers(world, said + b"x" * 65_536),
            answers(world, endless(b"x" * 65_536, begin=unsaid)),
            http.post(CHAT, json=ASK),
        )

    assert refused(found, 413)["code"] == "too_large"
    assert refused(neverending, 413)["code"] == "too_large"
    assert meanwhile.status_code == 200
    assert process.memory_info().rss - before < 64 * MEBIBYTE


async def hundred_megabytes(begin: bytes) -> AsyncIterator[bytes]:
    """Yield a body that says its length and is sent whole."""
    yield begin
    for _ in range(1_600):
        yield b"x" * 65_536
        await asyncio.sleep(0)


async def until(stop: asyncio.Event, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces until there is to be an end."""
    async for piece in pieces:
        if stop.is_set():
            return
        yield piece


async def test_a_whole_table_at_once_harms_nobody(world: World) -> None:
    """While every attack on bodies runs several times over, whoever asks rightly is answered."""
    said = head(world, b"Content-Length: 104857600")
    unsaid = head(world, b"Transfer-Encoding: chunked")
    slow = head(world, b"Content-Length: 1000")
    process = psutil.Process()
    before = process.memory_info().rss

    def attacks() -> Iterator[Coroutine[Any, Any, list[tuple[int, bytes]]]]:
        for body in (
            hundred_megabytes(said),
            endless(b"x" * 65_536, begin=unsaid),
            endless(b"x", pause=0.05, begin=slow),
        ):
            yield answers(world, until(stop, body), patience=0)
        for text, headers, _, _ in BODIES.values():
            fields = {"Content-Length": str(len(text))} | headers
            lines = [f"{name}: {value}".encode() for name, value in fields.items()]
            yield answers(world, head(world, *lines) + text)
        for name in ("both lengths", "a chunk beyond numbers", "a folded line"):
            shape, text = SHAPES[name]
            yield answers(world, head(world, *shape) + text)

    stop = asyncio.Event()
    under_way = [asyncio.create_task(attack) for _ in range(3) for attack in attacks()]
    statuses = []
    async with world.client(**world.bearer("Ada")) as http:
        for _ in range(20):
            statuses.append((await http.post(CHAT, json=ASK)).status_code)
            await asyncio.sleep(0.02)
    stop.set()
    found = await asyncio.gather(*under_way)

    assert statuses == [200] * 20
    assert {status for answer in found for status, _ in answer} <= {400, 408, 413, 415}
    assert process.memory_info().rss - before < 192 * MEBIBYTE


async def test_names_are_no_paths_and_no_headers(world: World) -> None:
    """What asks for a deployment by a path, or with a line end, finds none and is not repeated."""
    names = ("../x", "..%2fx", "scripted\r\nX-Evil: 1", "scripted/../x", "\u2028", "a" * 64)
    async with world.client(**world.bearer("Uma")) as http:
        for name in names:
            answer = await http.post(CHAT, json=ASK | {"model": name})
            assert openai_error(answer, answer.status_code)["message"]
            assert answer.status_code in {400, 404}, name
            assert "x-evil" not in answer.headers
            assert "evil" not in answer.text.lower()
        for path in ("../x", "..%2Fx", "%2e%2e/x", "scripted%0d%0aX-Evil:%201", "%00"):
            raw = f"/openai/deployments/{path}/chat/completions?api-version=2024-10-21"
            ((status, body),) = await answers(world, request(world, raw.encode()))
            assert status in {400, 404}, path
            assert json.loads(body)["error"]["type"] in {"invalid_request_error", "not_found_error"}
            assert b"evil" not in body.lower()
    assert "completion.admitted" not in {event.action for event in await world.events()}


async def test_a_slow_body_is_told_that_it_was_late(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte at a time is a 408, which clients retry; others are answered meanwhile."""
    limits = LimitsMiddleware.__init__
    defaults = limits.__kwdefaults__ or {}
    monkeypatch.setattr(limits, "__kwdefaults__", defaults | {"body_seconds": 0.3})
    # The stack of middlewares is made anew with what was just set.
    world.app.middleware_stack = world.app.build_middleware_stack()
    begin = head(world, b"Transfer-Encoding: chunked")
    async with world.client(**world.bearer("Uma")) as http:
        found, meanwhile = await asyncio.gather(
            answers(world, endless(b"x", pause=0.05, begin=begin)),
            http.post(CHAT, json=ASK),
        )

    assert refused(found, 408)["type"] == "timeout_error"
    assert meanwhile.status_code == 200


def deep(levels: int) -> bytes:
    """Return a request whose schema is nested."""
    schema = b'{"a":' * levels + b"1" + b"}" * levels
    return BODY[:-1] + b',"response_format":' + schema + b"}"


MANY = json.dumps(ASK | {"messages": ASK["messages"] * 10_000}).encode()  # type: ignore[operator]
BODIES: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "ten thousand messages": (MANY, {}, 400, "1 to 2000"),
    "nested ten thousand deep": (deep(10_000), {}, 400, "deeper than 64"),
    "a member twice": (BODY[:-1] + b',"model":"gpt-9"}', {}, 400, "repeats a member"),
    "a member twice, deep": (
        b'{"model":"scripted","messages":[{"role":"user","role":"system","content":"x"}]}',
        {},
        400,
        "repeats a member",
    ),
    "no JSON": (b"model=scripted", {}, 400, "not JSON"),
    "another type": (BODY, {"Content-Type": "text/plain"}, 415, "application/json"),
    "a form": (BODY, {"Content-Type": "multipart/form-data; boundary=x"}, 415, "application/json"),
    "no type": (BODY, {"Content-Type": ""}, 415, "application/json"),
    "another charset": (BODY.decode().encode("utf-16"), {}, 400, "UTF-8"),
    "a bomb": (gzip.compress(b" " * 50 * MEBIBYTE), {"Content-Encoding": "gzip"}, 415, "without"),
    "a bomb of another name": (BODY, {"Content-Encoding": "zstd"}, 415, "without"),
    "nothing": (b"", {}, 400, "not JSON"),
    "a list": (b"[]", {}, 400, "an object"),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    "path", [CHAT, "/openai/deployments/scripted/chat/completions?api-version=2024-10-21"]
)
async def test_bodies_without_sense_are_refused(world: World, name: str, path: str) -> None:
    """Each is a clear 4xx in OpenAI's shape, and no model is asked."""
    body, headers, status, said = BODIES[name]
    async with world.client(**world.bearer("Uma")) as http:
        answer = await http.post(
            path, content=body, headers={"Content-Type": "application/json"} | headers
        )

    assert said in openai_error(answer, status)["message"]
    assert "completion.admitted" not in {event.action for event in await world.events()}


async def test_tokens_that_do_not_hold_are_refused_in_either_header(world: World) -> None:
    """The whole table of attacks on tokens: each a 401 in OpenAI's shape that repeats nothing."""
    async with world.client() as http:
        for change, said in ATTACKS.values():
            content = claims(world.provider)
            content.update(change)
            present = {name: value for name, value in content.items() if value is not None}
            token = signed(world.provider, present)
            for headers in ({"Authorization": f"Bearer {token}"}, {"api-key": token}):
                answer = await http.post(CHAT, json=ASK, headers=headers)
                error = openai_error(answer, 401)
                assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
                assert said in error["message"]
                assert token not in answer.text


async def test_credentials_are_one_or_none(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A static key never; the same token twice is one; two that differ are a 401."""
    uma, ada = world.token("Uma"), world.token("Ada")
    cases: list[tuple[dict[str, str], int]] = [
        ({"api-key": uma}, 200),
        ({"api-key": uma, "Authorization": f"Bearer {uma}"}, 200),
        ({"api-key": ada, "Authorization": f"Bearer {uma}"}, 401),
        ({"api-key": "0123456789abcdef0123456789abcdef"}, 401),
        ({"Authorization": "Bearer sk-0123456789abcdef"}, 401),
        ({"Authorization": f"Basic {uma}"}, 401),
        ({"Ocp-Apim-Subscription-Key": uma}, 401),
        ({"X-API-Key": uma}, 401),
        ({}, 401),
    ]
    async with world.client() as http:
        for headers, status in cases:
            answer = await http.post(CHAT, json=ASK, headers=headers)
            assert answer.status_code == status, headers
            if status != 200:
                openai_error(answer, status)
        in_query = await http.post(f"{CHAT}?api-key={uma}", json=ASK)

    openai_error(in_query, 401)
    assert uma not in caplog.text
    for path in world.settings.data.rglob("*"):
        assert path.is_dir() or uma.encode() not in path.read_bytes()
