"""Read no more of a body than is allowed, and not for ever."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from secure_openai.edge.middleware.refusal import header_values, refuse
from secure_openai.errors import RequestTimeout, TooLarge, UnsupportedMediaType

BODY_SECONDS = 30.0
"""How long a whole body may take to arrive."""


class LimitsMiddleware:
    """Reads the whole body, bounded in size and time, before the application runs.

    A declared length over the limit is refused without reading. Compressed bodies are refused:
    nothing here needs them and they hide their size.
    """

    def __init__(
        self, app: ASGIApp, *, body_bytes: int, body_seconds: float = BODY_SECONDS
    ) -> None:
        self.app = app
        self._bytes = body_bytes
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
        if length and not self._within(length[0]):
            await refuse(self._too_large(), scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(receive)
        except TimeoutError:
            await refuse(RequestTimeout("The body took too long to arrive."), scope, receive, send)
            return
        if body is None:
            await refuse(self._too_large(), scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"".join(chunks)
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._bytes:
                return None
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _within(self, length: str) -> bool:
        # isascii: "²" is a digit to Python and no number; ten digits are over any limit.
        digits = length.isascii() and length.isdigit() and len(length) <= 10  # noqa: PLR2004
        return digits and int(length) <= self._bytes

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body is over the limit of {self._bytes} bytes.")


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
