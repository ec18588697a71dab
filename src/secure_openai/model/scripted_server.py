"""The scripted model as a server in Azure OpenAI's wire shapes, with faults on demand.

It answers at the addresses of an OpenAI-compatible server (`/v1`) and at both styles of Azure
OpenAI's (`/openai/v1`, `/openai/deployments/{name}`), and does what `model.script` says. What one
server does whatever it is asked is `Served.instead`: a script's first words for the nth request.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from secure_openai.model import playback
from secure_openai.model.script import Ending, Refusal, Script, script_for
from secure_openai.model.shapes import error_body
from secure_openai.types import JsonObject, Operation

DATED = "2025-04-01-preview"
"""The one dated version that the server takes: the first that has responses and is widely used."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came: path with query, headers with names in lower case, and body."""

    path: str
    headers: dict[str, str]
    body: JsonObject


@dataclass
class Served:
    """What the server has seen, and what it does instead of answering.

    Attributes:
        requests: Every request to a model.
        under_way: Streams that have begun and not ended.
        instead: Given the number of a request, from 1: the text to take for what the user said, or
            `None` to answer what was said.
        bearer: The `Authorization` that must come along, where one must.
    """

    requests: list[Seen] = field(default_factory=list)
    under_way: int = 0
    instead: Callable[[int], str | None] = lambda _: None
    bearer: str | None = None

    @property
    def bodies(self) -> list[JsonObject]:
        """Return every request's body."""
        return [seen.body for seen in self.requests]


class BrokenOffError(Exception):
    """Ends a response in its middle: the server closes the connection without its last chunk."""


def scripted_model_app() -> Starlette:
    """Return the server as an ASGI application; `app.state.served` tells what it has seen."""
    served = Served()

    async def models(request: Request) -> Response:
        if not _authorised(request, served):
            return _unauthorised()
        data = [{"id": "scripted", "object": "model", "created": 0, "owned_by": "script"}]
        return JSONResponse({"object": "list", "data": data})

    def answering(operation: Operation) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            return await _answer(request, operation, served)

        return answer

    routes = [
        Route(path, models)
        for path in (
            "/v1/models",
            "/openai/v1/models",
            "/openai/v1/models/{name}",
            "/openai/models/{name}",
        )
    ]
    for operation in Operation:
        paths = [f"/v1/{operation}", f"/openai/v1/{operation}"]
        paths.append(
            "/openai/responses"
            if operation is Operation.RESPONSES
            else f"/openai/deployments/{{deployment}}/{operation}"
        )
        routes += [Route(path, answering(operation), methods=["POST"]) for path in paths]
    app = Starlette(routes=routes)
    app.state.served = served
    return app


async def _answer(request: Request, operation: Operation, served: Served) -> Response:
    body: JsonObject = await request.json()
    query = f"?{request.url.query}" if request.url.query else ""
    served.requests.append(Seen(request.url.path + query, dict(request.headers), body))
    if not _authorised(request, served):
        return _unauthorised()
    dated = request.url.path.startswith("/openai/") and "/v1/" not in request.url.path
    if dated and request.query_params.get("api-version") != DATED:
        return JSONResponse(error_body("404", "Resource not found"), status_code=404)
    said = served.instead(len(served.requests))
    told = body if said is None else {"messages": [{"role": "user", "content": said}]}
    script = script_for(told, operation)
    if isinstance(script, Refusal):
        return JSONResponse(script.body, status_code=script.status, headers=script.headers)
    body = {"model": request.path_params.get("deployment"), **body}
    return await _play(script, body, operation, served)


async def _play(script: Script, body: JsonObject, operation: Operation, served: Served) -> Response:
    await asyncio.sleep(script.late)
    if script.silent:
        await asyncio.Event().wait()
    if body.get("stream"):
        stream = _stream(script, body, operation, served)
        return StreamingResponse(stream, media_type="text/event-stream")
    if script.ending in {Ending.GARBAGE, Ending.BROKEN}:
        return Response(b"garbage", media_type="application/json")
    await asyncio.sleep(script.seconds * len(script.words))
    text = json.dumps(playback.whole(script, body, operation)).encode()
    return StreamingResponse(
        _whole(text, script),
        media_type="application/json",
        headers={"Content-Length": str(len(text))},
    )


async def _whole(text: bytes, script: Script) -> AsyncIterator[bytes]:
    if script.ending in {Ending.CUT, Ending.STALLED}:
        yield text[: len(text) // 2] if script.words else b""
        await _break_off(script)
    yield text


async def _stream(
    script: Script, body: JsonObject, operation: Operation, served: Served
) -> AsyncIterator[bytes]:
    served.under_way += 1
    try:
        for seconds, event in playback.events(script, body, operation):
            if seconds:
                await asyncio.sleep(seconds)
            yield event.raw
        await _break_off(script)
    finally:
        served.under_way -= 1


async def _break_off(script: Script) -> None:
    """Stall or break where the script says so."""
    if script.ending is Ending.STALLED:
        await asyncio.Event().wait()
    if script.ending is Ending.CUT:
        raise BrokenOffError


def _authorised(request: Request, served: Served) -> bool:
    return served.bearer is None or request.headers.get("authorization") == served.bearer


def _unauthorised() -> Response:
    return JSONResponse(error_body("401", "secret"), status_code=401)
