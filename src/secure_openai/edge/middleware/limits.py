"""Read no more of a body than is allowed, not for ever, and not too many at once.

A request counts as under way (`CapacityMiddleware`) once a small body of it is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from secure_openai.edge.middleware.refusal import header_values, refuse
from secure_openai.edge.middleware.room import AGAIN_SECONDS, Arrivals, Room
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

ARRIVING = 2_000
"""So many bodies may be on their way, beside the requests that are being answered."""

STALLED_SECONDS = 5.0
LEAST_BYTES = 4_096
"""How much of a body must come in that time, or all that is left of it."""


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
        arriving: How many small ones may be on their way: one more takes the place of the first.
        whose_of: Says whose a body is, or `None` as long as that is not known: larger ones are read
            of nobody unknown then, and everybody has a share of the room. Nobody is asked unless
            given.
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
        arriving: int = ARRIVING,
        whose_of: Callable[[Scope], Hashable] | None = None,
    ) -> None:
        self.app = app
        self._bytes = body_bytes
        self._image_bytes = max(image_bytes, body_bytes)
        self._room = Room(at_once_bytes, largest=self._image_bytes)
        self._arrivals = Arrivals(arriving)
        self._whose_of = whose_of
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
        body = _Body(
            scope,
            receive,
            self._room,
            whose_of=self._whose_of,
            declared=declared,
            most=most,
            seconds=self._seconds,
        )
        try:
            refusal = None if declared > SMALL_BYTES else await self._refusal_of(body)
            if refusal is None:
                await self.app(scope, body.receive, send)
            else:
                await refuse(refusal, scope, receive, send)
        finally:
            body.end()

    async def _refusal_of(self, body: _Body) -> SecureOpenAIError | None:
        """Read a small body, in a place of its own until it is whole."""
        self._arrivals.enter(body)
        try:
            await body.begin()
        except SecureOpenAIError as error:
            return error
        finally:
            self._arrivals.leave(body)
        return None

    def _reads_images(self, path: str) -> bool:
        return speaks_openai(path) and path.endswith(self._reading_images)


class _Body:
    """One body as it comes."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        room: Room,
        *,
        whose_of: Callable[[Scope], Hashable] | None,
        declared: int,
        most: int,
        seconds: float,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._room = room
        self._declared = declared
        self._most = most
        now = asyncio.get_running_loop().time()
        self._until = now + seconds
        self._chunks: list[bytes] = []
        self._size = self._taken = 0
        self._look_from(now)
        self._whose_of = whose_of
        self._whose: Hashable = None
        self._open = True
        self._left = self._gave_way = self._asked = False
        self._wait: Within | None = None

    async def begin(self) -> None:
        """Read a body that is small.

        Raises:
            RequestTimeout: It did not arrive in time.
            Overloaded: Too many others came before it was whole.
        """
        while self._open and self._size <= SMALL_BYTES:
            self._chunks.append((await self._piece()).get("body", b""))

    def give_way(self) -> None:
        """End the wait for what is to come of a small body."""
        self._gave_way = True
        if self._wait is not None:
            self._wait.expire()

    async def receive(self) -> Message:
        """Return what was read, then what comes, then what is told of the client.

        Raises:
            TooLarge: More came than is allowed, or more than nobody may send who is not known.
            RequestTimeout: It did not arrive in time.
            TooManyRequests: Whoever asks has too many bodies there that are not small.
            Overloaded: All together have.
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
        self._own()
        self._take(self._declared)
        if not self._asked:
            # Its pace counts from here: some clients wait until they are asked (RFC 9110, 10.1.1).
            self._asked = True
            self._look_from(asyncio.get_running_loop().time())
        return await self._piece()

    async def _piece(self) -> Message:
        """Return what comes next, if it comes soon enough."""
        loop = asyncio.get_running_loop()
        while True:
            self._wait = Within(self._look_at - loop.time())
            try:
                with self._wait:
                    return await self._next()
            except TimeoutError:
                self._look_again(loop.time())
            finally:
                self._wait = None

    def _look_again(self, now: float) -> None:
        """Wait on, unless another has the place, or what came meanwhile was too little."""
        if self._gave_way:
            self._open = False
            raise Overloaded(
                "Too many requests wait for the rest of their body: ask again.",
                retry_after=AGAIN_SECONDS,
            )
        if now >= self._until or self._size - self._looked < LEAST_BYTES:
            self._open = False
            raise RequestTimeout("The body took too long to arrive.")
        self._look_from(now)

    def _look_from(self, now: float) -> None:
        self._look_at, self._looked = min(now + STALLED_SECONDS, self._until), self._size

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

    def _own(self) -> None:
        """See whose body it is, before more is read than is read of anybody's."""
        if self._whose_of is None or self._whose is not None:
            return
        whose = self._whose_of(self._scope)
        if whose is None:
            self._open = False
            raise _too_large(SMALL_BYTES)
        taken = self._taken
        self.end()
        self._whose = whose
        self._take(taken)

    def _take(self, size: int) -> None:
        """Take as much room as `size` needs."""
        if size <= self._taken:
            return
        try:
            self._room.take(self._whose, size - self._taken)
        except SecureOpenAIError:
            self._open = False
            raise
        self._taken = size

    def end(self) -> None:
        """Give the room back."""
        if self._taken:
            self._room.give(self._whose, self._taken)
            self._taken = 0


def _number(length: str) -> int:
    # isascii: "²" is a digit to Python and no number; ten digits are over any limit.
    digits = length.isascii() and length.isdigit() and len(length) <= 10  # noqa: PLR2004
    return int(length) if digits else 10**10


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body is over the limit of {most} bytes.")
