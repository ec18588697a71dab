"""What stands around our own middlewares is ours, and answers for what nobody expected."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from secure_openai.edge.middleware.request_id import RequestIdMiddleware
from secure_openai.edge.outermost import OutermostApplication


async def unexpected(request: Request, error: Exception) -> Response:
    """Say where it was, and no more."""
    return PlainTextResponse(request.url.path, status_code=500)


@pytest.fixture
def app() -> OutermostApplication:
    """Return an application of faulty routes."""
    app = OutermostApplication(
        unexpected=unexpected, openapi_url=None, middleware=[Middleware(RequestIdMiddleware)]
    )

    @app.get("/before")
    async def before() -> Response:
        raise LookupError("an inner secret")

    @app.get("/amid")
    async def amid() -> Response:
        async def pieces() -> Any:
            yield b"half"
            raise LookupError("an inner secret")

        return StreamingResponse(pieces())

    return app


def client(app: FastAPI, *, raised: bool) -> httpx2.AsyncClient:
    """Return a client that sees what the application sends, or what it raises."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=raised)
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost")


async def answered_and_raised(app: FastAPI, path: str) -> httpx2.Response:
    """Return what an address answers, once the server has been seen to get its fault."""
    async with client(app, raised=False) as http:
        answer = await http.get(path)
    async with client(app, raised=True) as http:
        with pytest.raises(LookupError, match="secret"):
            await http.get(path)
    return answer


async def test_what_nobody_expected_is_answered_and_raised_on(app: OutermostApplication) -> None:
    """Whoever asks is told that there was a fault, and the server what it was."""
    answer = await answered_and_raised(app, "/before")

    assert (answer.status_code, answer.text) == (500, "/before")


async def test_an_answer_that_has_begun_gets_no_second_one(app: OutermostApplication) -> None:
    """What came of it came, and the fault goes to the server."""
    answer = await answered_and_raised(app, "/amid")

    assert (answer.status_code, answer.text) == (200, "half")


def test_what_is_left_out_is_known(app: OutermostApplication) -> None:
    """FastAPI puts around an application's middlewares what ours do, and nothing besides."""
    layer: Any = FastAPI.build_middleware_stack(app)
    around = []
    while not isinstance(layer, RequestIdMiddleware):
        around.append(type(layer).__name__)
        layer = layer.app

    assert around == [
        "ServerErrorMiddleware",
        "ExceptionTelemetryMiddleware",
        "AppBodyLimitMiddleware",
    ]
    assert isinstance(app.build_middleware_stack(), RequestIdMiddleware)
