"""The adapter passes the contract against a real server, and survives servers that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from secure_openai.errors import (
    DeploymentMissing,
    DeploymentRetired,
    ModelError,
    ModelForbidden,
    ModelRejected,
    ModelThrottled,
    ModelTimeout,
    ModelUnavailable,
)
from secure_openai.model import exchange
from secure_openai.model.exchange import Patience
from secure_openai.model.interface import Model
from secure_openai.model.openai_compatible import OpenAICompatibleModel
from secure_openai.model.scripted_server import Served, scripted_model_app
from secure_openai.testing.model_contract import ModelContract, all_events, request
from secure_openai.types import Deployment
from tests.servers import listening, port_of, served

DEPLOYMENTS = [Deployment("scripted", "scripted")]
QUICK = Patience(connect=5, first_byte=0.3, whole=0.3, idle=0.3)
"""For servers that never answer: one that does may take its time."""


class TestOpenAICompatibleModel(ModelContract):
    """Over HTTP."""

    @pytest.fixture
    async def scripted(self) -> AsyncIterator[tuple[str, Served]]:
        """The scripted server."""
        bound = listening()
        app = scripted_model_app()
        async with served(app, bound):
            yield f"http://127.0.0.1:{port_of(bound)}/v1", app.state.served

    @pytest.fixture
    async def model(self, scripted: tuple[str, Served]) -> AsyncIterator[Model]:
        """Return the adapter."""
        async with aiohttp.ClientSession() as session:
            yield OpenAICompatibleModel(scripted[0], DEPLOYMENTS, session=session)

    async def test_what_is_sent(self, model: Model, scripted: tuple[str, Served]) -> None:
        """The deployment, the stream and its usage are ours to write; the rest is the body."""
        await all_events(model, "hello")
        response = await model.open(
            request("hello", stream=False, stream_options={"include_usage": True}, seed=7)
        )
        await response.read()
        streamed, whole = scripted[1].bodies

        assert streamed["model"] == whole["model"] == "scripted"
        assert streamed["stream_options"] == {"include_usage": True}
        assert (whole["stream"], whole["seed"]) == (False, 7)
        assert "stream_options" not in whole

    async def test_closing_stops_the_server(
        self, model: Model, scripted: tuple[str, Served]
    ) -> None:
        """Closing an answer half read closes the connection at once, and the server notices."""
        response = await model.open(request("stall 2"))
        async for event in response.events():
            if event.data:
                break
        assert scripted[1].under_way == 1
        await response.aclose()
        async with asyncio.timeout(60):
            while scripted[1].under_way:
                await asyncio.sleep(0.01)

    async def test_patience(self, scripted: tuple[str, Served]) -> None:
        """An answer that does not begin, and one that stops, end by their limits."""
        async with aiohttp.ClientSession() as session:
            model = OpenAICompatibleModel(scripted[0], DEPLOYMENTS, session=session, patience=QUICK)
            with pytest.raises(ModelTimeout, match="did not begin"):
                await model.open(request("stall"))
            model = OpenAICompatibleModel(
                scripted[0], DEPLOYMENTS, session=session, patience=Patience(idle=0.3)
            )
            response = await model.open(request("stall 2"))
            with pytest.raises(ModelTimeout, match="stopped in the middle"):
                async for _ in response.events():
                    pass
            await response.aclose()
            await model.aclose()


async def test_an_answer_that_drips_has_an_end() -> None:
    """All of an answer that is not streamed comes in time, however little it pauses; or it fails.

    What was worked for may be billed.
    """
    dripped = 0

    async def drip() -> AsyncIterator[bytes]:
        nonlocal dripped
        while True:
            dripped += 1
            yield b" "
            await asyncio.sleep(0.02)

    async def handler(request: Request) -> Response:
        return StreamingResponse(drip(), media_type="application/json")

    with pytest.raises(ModelTimeout, match="did not end") as caught:
        async with asyncio.timeout(60):
            await answered(handler, patience=Patience(whole=0.3, idle=15))

    assert caught.value.billable
    assert dripped > 2


@pytest.mark.parametrize(
    ("behind", "connections"),
    [(b"0\r\n\r\n", 1), (b"", 2), (b"6\r\n: more\r\n", 2), (b"no chunk\r\n", 2)],
    ids=["the end", "nothing", "more", "no HTTP"],
)
async def test_a_connection_serves_the_next_stream(behind: bytes, connections: int) -> None:
    """What ends a message may come after its last event; what never ends is not waited for."""
    made = 0
    events = b'data: {"choices": []}\n\ndata: [DONE]\n\n'

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal made
        made += 1
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            while head := (await reader.readuntil(b"\r\n\r\n")).lower():
                length = head.partition(b"content-length:")[2].partition(b"\r")[0]
                await reader.readexactly(int(length))
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(events), events)
                )
                await asyncio.sleep(0.01)
                writer.write(behind)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as session, asyncio.timeout(60):
        model = OpenAICompatibleModel(f"http://127.0.0.1:{port}/v1", DEPLOYMENTS, session=session)
        for _ in range(2):
            assert (await all_events(model, "hello"))[-1].is_done

    assert made == connections


async def answered(handler: Any, **more: Any) -> Any:
    """Open a request against a server that answers with `handler`; return the whole body."""
    bound = listening()
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", handler, methods=["POST"]),
            Route("/v1/models", handler),
        ]
    )
    async with served(app, bound), aiohttp.ClientSession() as session:
        address = f"http://127.0.0.1:{port_of(bound)}/v1"
        model = OpenAICompatibleModel(address, DEPLOYMENTS, session=session, **more)
        response = await model.open(request("x", stream=False))
        try:
            return (await response.read()).raw
        finally:
            await response.aclose()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, ModelError),
        (400, ModelRejected),
        (401, ModelForbidden),
        (403, ModelForbidden),
        (404, DeploymentMissing),
        (408, ModelTimeout),
        (410, DeploymentRetired),
        (418, ModelError),
        (422, ModelRejected),
        (429, ModelThrottled),
        (500, ModelError),
        (502, ModelError),
        (503, ModelUnavailable),
        (504, ModelTimeout),
    ],
)
@pytest.mark.parametrize("body", ["not json", "[1]", '{"error": "text"}', '{"error": {}}'])
async def test_every_status_has_its_error(
    status: int, expected: type[ModelError], body: str
) -> None:
    """Whatever the body, the status decides, and nothing of the body is passed on."""

    async def handler(asked: Request) -> Response:
        return Response(body, status_code=status)

    with pytest.raises(ModelError) as caught:
        await answered(handler)

    assert type(caught.value) is expected
    assert "text" not in caught.value.detail


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("12", 12, 12),
        (format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), 1800, 3601),
        (format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True), 0, 0),
    ],
)
async def test_retry_after_is_seconds_or_a_date(value: str, least: float, most: float) -> None:
    """Both forms of RFC 9110 are read."""

    async def handler(asked: Request) -> Response:
        return Response(status_code=429, headers={"Retry-After": value})

    with pytest.raises(ModelThrottled) as caught:
        await answered(handler)

    assert caught.value.retry_after is not None
    assert least <= caught.value.retry_after <= most


@pytest.mark.parametrize("value", ["soon", "-1", "²", "9" * 400])
async def test_a_retry_after_that_is_none_is_ignored(value: str) -> None:
    """Nonsense is no time to wait."""

    async def handler(asked: Request) -> Response:
        response = Response(status_code=429)
        response.raw_headers.append((b"retry-after", value.encode()))
        return response

    with pytest.raises(ModelThrottled) as caught:
        await answered(handler)

    assert caught.value.retry_after is None


async def test_redirects_are_not_followed() -> None:
    """A model that sends us elsewhere is not believed."""

    async def handler(asked: Request) -> Response:
        return RedirectResponse("http://127.0.0.1:9/evil", status_code=307)

    with pytest.raises(ModelError, match="failed"):
        await answered(handler)


async def test_nobody_there_is_told() -> None:
    """A refused connection is an unavailable model, and not ready."""
    bound = listening()
    address = f"http://127.0.0.1:{port_of(bound)}/v1"
    bound.close()
    async with aiohttp.ClientSession() as session:
        model = OpenAICompatibleModel(address, DEPLOYMENTS, session=session)
        with pytest.raises(ModelUnavailable):
            await model.open(request("x"))
        assert not await model.ready()


async def test_an_error_event_in_a_stream_is_raised() -> None:
    """An error after the first byte, a blocked one too, ends the stream by its error."""

    async def handler(asked: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b'data: {"choices": []}\n\n'
            yield b'data: {"error": {"message": "secret"}}\n\n'

        return StreamingResponse(body(), media_type="text/event-stream")

    bound = listening()
    app = Starlette(routes=[Route("/v1/chat/completions", handler, methods=["POST"])])
    async with served(app, bound), aiohttp.ClientSession() as session:
        model = OpenAICompatibleModel(
            f"http://127.0.0.1:{port_of(bound)}/v1", DEPLOYMENTS, session=session
        )
        with pytest.raises(ModelError, match="failed in the middle"):
            await all_events(model, "x")


async def test_an_error_beside_the_first_event_is_raised_before_anything_goes_out() -> None:
    """What comes in one piece with the first event still comes before the first byte we send."""

    async def handler(asked: Request) -> Response:
        return Response(
            b': comment\n\ndata: {"choices": []}\n\ndata: {"error": {"message": "secret"}}\n\n',
            media_type="text/event-stream",
        )

    bound = listening()
    app = Starlette(routes=[Route("/v1/chat/completions", handler, methods=["POST"])])
    async with served(app, bound), aiohttp.ClientSession() as session:
        address = f"http://127.0.0.1:{port_of(bound)}/v1"
        model = OpenAICompatibleModel(address, DEPLOYMENTS, session=session)
        with pytest.raises(ModelError, match="failed in the middle"):
            await model.open(request("x"))


async def test_an_endless_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer over the limit is not read to its end."""
    monkeypatch.setattr(exchange, "LARGEST_ANSWER_BYTES", 1000)

    async def handler(asked: Request) -> Response:
        return Response(b"x" * 100_000)

    with pytest.raises(ModelError, match="too large"):
        await answered(handler)


async def test_a_body_cut_short_is_told() -> None:
    """A connection that closes in the middle of a whole answer is an error of the model."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as session:
        model = OpenAICompatibleModel(f"http://127.0.0.1:{port}/v1", DEPLOYMENTS, session=session)
        response = await model.open(request("x", stream=False))
        with pytest.raises(ModelError, match="broke off"):
            await response.read()
        await response.aclose()


async def test_something_that_is_not_http_is_told() -> None:
    """A server that talks something else is an error of the model."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as session:
        model = OpenAICompatibleModel(f"http://127.0.0.1:{port}/v1", DEPLOYMENTS, session=session)
        with pytest.raises(ModelError, match="connection to the model broke"):
            await model.open(request("x"))


async def test_our_credential_is_sent() -> None:
    """Where there is one, each request carries a fresh value."""

    async def handler(asked: Request) -> Response:
        return JSONResponse({"seen": asked.headers.get("authorization")})

    async def authorization() -> str:
        return "Bearer ours"

    assert await answered(handler, authorization=authorization) == b'{"seen":"Bearer ours"}'
