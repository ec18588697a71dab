"""The model's OpenAI-compatible address."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from secure_openai.edge.event_stream import EventStreamResponse, while_present
from secure_openai.edge.middleware.hosts import HostsMiddleware
from secure_openai.edge.middleware.limits import LimitsMiddleware
from secure_openai.errors import RequestError
from secure_openai.local.model_server.credential import CredentialMiddleware
from secure_openai.local.model_server.engine import Busy, Engine, Piece
from secure_openai.policy.json_text import parse_json
from secure_openai.types import JsonObject

BODY_BYTES = 4 * 1_048_576
RETRY_SECONDS = "2"


class NoAnswer(Exception):
    """The engine gave nothing."""


def model_app(engine: Engine, name: str, *, port: int, key: str) -> Starlette:
    """Return the server as an ASGI application.

    Args:
        engine: Answers.
        name: Of the model.
        port: Where it is served, for the Host.
        key: The bearer credential without which nobody is answered.
    """

    async def models(request: Request) -> Response:  # noqa: ARG001 - every endpoint takes it
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "local"}]
        return JSONResponse({"object": "list", "data": data})

    async def chat_completions(request: Request) -> Response:
        try:
            body = checked(parse_json(await request.body()))
        except RequestError as error:
            return _refuse(400, "invalid_request_error", error.detail)
        pieces = engine.generate(body)
        try:
            first = await while_present(request.receive, _first(pieces))
        except Busy:
            return _refuse(429, "busy", "Too many generations wait already.")
        except NoAnswer:
            return _refuse(500, "no_answer", "The model gave no answer.")
        if first.error is not None:
            await pieces.aclose()
            return _refused_by_model(first.error)
        if body.get("stream"):
            return EventStreamResponse(
                _events(first, pieces, body, name), on_end=pieces.aclose, heartbeat_seconds=None
            )
        async with aclosing(pieces):
            return JSONResponse(await while_present(request.receive, _whole(first, pieces, name)))

    async def left(request: Request, error: Exception) -> Response:  # noqa: ARG001 - given
        return Response(status_code=499)

    hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
    return Starlette(
        routes=[
            Route("/v1/models", models),
            Route("/v1/chat/completions", chat_completions, methods=["POST"]),
        ],
        exception_handlers={ClientDisconnect: left},
        middleware=[
            Middleware(HostsMiddleware, hosts=hosts),
            Middleware(CredentialMiddleware, key=key),
            Middleware(LimitsMiddleware, body_bytes=BODY_BYTES),
        ],
    )


def checked(body: object) -> JsonObject:
    """Return a body that the engine can read.

    Raises:
        RequestError: It has no messages.
    """
    messages = body.get("messages") if isinstance(body, dict) else None
    if (
        not isinstance(body, dict)
        or not isinstance(messages, list)
        or not messages
        or not all(isinstance(message, dict) for message in messages)
    ):
        raise RequestError("Send messages.")
    return body


async def _first(pieces: AsyncGenerator[Piece, None]) -> Piece:
    try:
        return await anext(pieces)
    except StopAsyncIteration:
        # A coroutine cannot let it pass (PEP 479).
        raise NoAnswer from None
    except BaseException:
        await pieces.aclose()
        raise


async def _whole(first: Piece, rest: AsyncGenerator[Piece, None], name: str) -> JsonObject:
    text, finish_reason, usage = first.text, first.finish_reason, first.usage
    async for piece in rest:
        text += piece.text
        finish_reason = piece.finish_reason or finish_reason
        usage = piece.usage or usage
    message = {"role": "assistant", "content": text.strip()}
    return {
        **_frame("chat.completion", name),
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason or "stop"}],
        "usage": usage,
    }


async def _events(
    first: Piece, rest: AsyncGenerator[Piece, None], body: JsonObject, name: str
) -> AsyncGenerator[bytes, None]:
    frame = _frame("chat.completion.chunk", name)
    usage, began, finish_reason = None, False, "stop"
    piece: Piece | None = first
    yield _chunk(frame, {"role": "assistant", "content": ""}, None)
    while piece is not None:
        # The transcript's space after "Assistant:" is not part of the answer.
        text = piece.text if began else piece.text.lstrip()
        if text:
            began = True
            yield _chunk(frame, {"content": text}, None)
        finish_reason = piece.finish_reason or finish_reason
        usage = piece.usage or usage
        piece = await anext(rest, None)
    yield _chunk(frame, {}, finish_reason)
    options = body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        yield _data({**frame, "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _frame(kind: str, name: str) -> JsonObject:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": name,
    }


def _chunk(frame: JsonObject, delta: JsonObject, finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _data({**frame, "choices": [choice]})


def _data(payload: JsonObject) -> bytes:
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def _refused_by_model(error: JsonObject) -> Response:
    if error.get("type") == "exceed_context_size_error":
        return _refuse(400, "context_length_exceeded", "The prompt is longer than the window.")
    return _refuse(500, "model_error", "The model failed.")


def _refuse(status: int, code: str, message: str) -> Response:
    kind = "invalid_request_error" if status == HTTPStatus.BAD_REQUEST else "server_error"
    return JSONResponse(
        {"error": {"message": message, "type": kind, "param": None, "code": code}},
        status_code=status,
        headers={"Retry-After": RETRY_SECONDS} if status == HTTPStatus.TOO_MANY_REQUESTS else None,
    )
