"""Read no more of a body than is allowed, not for ever, and not too many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from secure_openai.edge.middleware.refusal import header_values, refuse
from secure_openai.edge.openai_errors import speaks_openai
from secure_openai.errors import (
    Overloaded,
    RequestTimeout,
    SecureOpenAIError,
    TooLarge,
    UnsupportedMediaType,
)
from secure_openai.streams import Within
from secure_openai.tables import table

BODY_SECONDS = 30.0
"""How long a whole body may take to arrive."""

SMALL_BYTES = 65_536
"""So much of a body is read before it is known who asks; a larger one waits for that."""

IMAGE_BYTES = 28 * 1_048_576
"""One image of 20 MB, the largest that Azure OpenAI takes ("Vision-enabled chat model concepts":
input limitations), as the Base64 text that it is sent as, and room for what is asked about it."""

AT_ONCE_BYTES = 128 * 1_048_576
"""Of all bodies together that are not small, until each is answered."""

AGAIN_SECONDS = 1.0


class LimitsMiddleware:
    """Hands on bodies that are bounded in size and time, and in memory all together.

    A declared length over the limit is refused without reading. A small body is read before the
    application runs; a larger one when the application asks for it, so that nobody who is not
    signed in gets anything kept in memory. Compressed bodies are refused: nothing here needs them
    and they hide their size.

    Args:
        app: What asks for the bodies.
        body_bytes: The largest body.
        image_bytes: The largest one that says its length, where images are read.
        larger: The largest one at addresses that take another size.
        at_once_bytes: What bodies over `SMALL_BYTES` take together; one of the largest always fits.
        body_seconds: How long a whole body may take to arrive.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_bytes: int,
        image_bytes: int = IMAGE_BYTES,
        larger: Mapping[str, int] | None = None,
        at_once_bytes: int = AT_ONCE_BYTES,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self.app = app
        self._bytes = body_bytes
        self._image_bytes = max(image_bytes, body_bytes)
        self._room = _Room(max(at_once_bytes, self._image_bytes))
        self._larger = larger or {}
        self._seconds = body_seconds
        self._reading_images = tuple(f"/{name}" for name in table("gateway")["reading_images"])

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
        declared, most = _number(length[0]) if length else 0, self._bytes
        most = self._larger.get(scope["path"], most)
        if declared > most and self._reads_images(scope["path"]):
            most = self._image_bytes
        if declared > most:
            await refuse(_too_large(most), scope, receive, send)
            return
        body = _Body(receive, self._room, declared=declared, most=most, seconds=self._seconds)
        try:
            await body.begin()
        except SecureOpenAIError as error:
            await refuse(error, scope, receive, send)
            return
        try:
            await self.app(scope, body.receive, send)
        finally:
            body.end()

    def _reads_images(self, path: str) -> bool:
        return speaks_openai(path) and path.endswith(self._reading_images)


class _Room:
    """What is left for bodies that are not small."""

    def __init__(self, size: int) -> None:
        self.left = size


class _Body:
    """One body as it comes."""

    def __init__(
        self, receive: Receive, room: _Room, *, declared: int, most: int, seconds: float
    ) -> None:
        self._receive = receive
        self._room = room
        self._declared = declared
        self._most = most
        self._seconds = seconds
        self._until = asyncio.get_running_loop().time() + seconds
        self._chunks: list[bytes] = []
        self._size = self._taken = 0
        self._open = True
        self._left = False

    async def begin(self) -> None:
        """Read a body that is small.

        Raises:
            RequestTimeout: It did not arrive in time.
        """
        if self._declared > SMALL_BYTES:
            return
        try:
            with Within(self._seconds):
                while self._open and self._size <= SMALL_BYTES:
                    self._chunks.append((await self._next()).get("body", b""))
        except TimeoutError:
            raise _too_late() from None

    async def receive(self) -> Message:
        """Return what was read, then what comes, then what is told of the client.

        Raises:
            TooLarge: More came than is allowed.
            RequestTimeout: It did not arrive in time.
            Overloaded: Too many bodies that are not small are there at once.
        """
        if self._chunks:
            body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks.clear()
            # There was to be more, where the client left: a part must not pass for the whole.
            more = self._open or self._left
            return {"type": "http.request", "body": body, "more_body": more}
        if self._left:
            return {"type": "http.disconnect"}
        if not self._open:
            return await self._receive()
        self._take(self._declared)
        try:
            async with asyncio.timeout_at(self._until):
                return await self._next()
        except TimeoutError:
            self._open = False
            raise _too_late() from None

    async def _next(self) -> Message:
        message = await self._receive()
        # A client that leaves ends its body, and the application is told what came and then that.
        self._open = message.get("more_body", False)
        self._left = message["type"] == "http.disconnect"
        self._size += len(message.get("body", b""))
        if self._size > self._most:
            self._open = False
            raise _too_large(self._most)
        if self._size > SMALL_BYTES:
            self._take(self._size)
        return message

    def _take(self, size: int) -> None:
        """Take as much room as `size` needs."""
        more = size - self._taken
        if more <= 0:
            return
        if more > self._room.left:
            self._open = False
            raise Overloaded(
                "Too many large requests are being answered: ask again.", retry_after=AGAIN_SECONDS
            )
        self._room.left -= more
        self._taken = size

    def end(self) -> None:
        """Give the room back."""
        self._room.left += self._taken
        self._taken = 0


def _number(length: str) -> int:
    # isascii: "²" is a digit to Python and no number; ten digits are over any limit.
    digits = length.isascii() and length.isdigit() and len(length) <= 10  # noqa: PLR2004
    return int(length) if digits else 10**10


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body is over the limit of {most} bytes.")


def _too_late() -> RequestTimeout:
    return RequestTimeout("The body took too long to arrive.")
