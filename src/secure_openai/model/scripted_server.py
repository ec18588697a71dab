"""The scripted model as a server in Azure OpenAI's wire shapes, for the tests of adapters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from secure_openai.model.script import (
    Ending,
    Refusal,
    Script,
    chunks,
    completion,
    script_for,
)
from secure_openai.types import JsonObject


@dataclass
class Served:
    """What the server has seen.

    Attributes:
        bodies: Every request's body.
        under_way: Streams that have begun and not ended.
    """

    bodies: list[JsonObject]
    under_way: int = 0


class BrokenOffError(Exception):
    """Ends a response in its middle: the server closes the connection without its last chunk."""


def scripted_model_app() -> Starlette:
    """Return the server as an ASGI application; `app.state.served` tells what it has seen."""
    served = Served([])

    async def models(request: Request) -> Response:  # noqa: ARG001 - every endpoint takes it
        data = [{"id": "scripted", "object": "model", "created": 0, "owned_by": "script"}]
        return JSONResponse({"object": "list", "data": data})

    async def answer(request: Request) -> Response:
        body: JsonObject = await request.json()
        served.bodies.append(body)
        script = script_for(body)
        if isinstance(script, Refusal):
            return _refuse(script)
        if script.ending is Ending.STALLED and not script.words:
            await asyncio.Event().wait()
        if body.get("stream"):
            return StreamingResponse(_stream(script, body, served), media_type="text/event-stream")
        if script.ending is Ending.GARBAGE:
            return Response(b"garbage", media_type="application/json")
        await asyncio.sleep(script.seconds * len(script.words))
        return JSONResponse(completion(script, body))

    app = Starlette(
        routes=[
            Route("/v1/models", models),
            Route("/v1/chat/completions", answer, methods=["POST"]),
        ]
    )
    app.state.served = served
    return app


def _refuse(refusal: Refusal) -> Response:
    headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    return JSONResponse(refusal.body, status_code=refusal.status, headers=headers)


async def _stream(script: Script, body: JsonObject, served: Served) -> AsyncIterator[bytes]:
    served.under_way += 1
    try:
        for seconds, payload in chunks(script, body):
            if seconds:
                await asyncio.sleep(seconds)
            yield b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"
        match script.ending:
            case Ending.STALLED:
                await asyncio.Event().wait()
            case Ending.CUT:
                raise BrokenOffError
            case Ending.GARBAGE:
                yield b"data: garbage\n\n"
            case _:
                pass
        yield b"data: [DONE]\n\n"
    finally:
        served.under_way -= 1
