"""Read no more of a body than is allowed, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from secure_openai.edge.middleware.refusal import header_values, refuse
from secure_openai.errors import RequestTimeout, TooLarge, UnsupportedMediaType

BODY_SECONDS = 30.0
"""How long a whole body may take to arrive."""


class LimitsMiddleware:
    """Reads the whole body, bounded in size and time, before the application runs.

    A declared length over the limit is refused without reading. Compressed bodies are refused:
    nothing here needs them and they hide their size. A body that ends before its end is none: the
    application is told that its client has left.

    Args:
        app: What runs with the body.
        body_bytes: How large a body may be.
        larger: Where it may have another size.
        body_seconds: How long it may take.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_bytes: int,
        larger: Mapping[str, int] | None = None,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self.app = app
        self._bytes = body_bytes
        self._larger = larger or {}
        self._seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body, if that is within the limits."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self.app(scope, receive, send)
            return
        if header_values(scope, b"content-encoding"):
            await refuse(
                UnsupportedMediaType("Send the body without Content-Encoding."),
                scope,
                receive,
                send,
            )
            return
        length = header_values(scope, b"content-length")
        largest = self._larger.get(scope["path"], self._bytes)
        if length and not _within(length[0], largest):
            await refuse(_too_large(largest), scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                messages = await _read(receive, largest)
        except TimeoutError:
            await refuse(RequestTimeout("The body took too long to arrive."), scope, receive, send)
            return
        if messages is None:
            await refuse(_too_large(largest), scope, receive, send)
            return
        await self.app(scope, _replay(messages, receive), send)


async def _read(receive: Receive, largest: int) -> list[Message] | None:
    """Return what tells the application of a whole body, or of the part before its client left."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            # There was to be more: a part must not pass for the whole.
            part = b"".join(chunks)
            return [{"type": "http.request", "body": part, "more_body": True}, message]
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > largest:
            return None
        chunks.append(chunk)
        if not message.get("more_body", False):
            body = b"".join(chunks)
            return [{"type": "http.request", "body": body, "more_body": False}]


def _within(length: str, largest: int) -> bool:
    # isascii: "²" is a digit to Python and no number; ten digits are over any limit.
    digits = length.isascii() and length.isdigit() and len(length) <= 10  # noqa: PLR2004
    return digits and int(length) <= largest


def _too_large(largest: int) -> TooLarge:
    return TooLarge(f"The body is over the limit of {largest} bytes.")


def _replay(messages: list[Message], receive: Receive) -> Receive:
    async def replay() -> Message:
        return messages.pop(0) if messages else await receive()

    return replay
