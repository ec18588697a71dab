"""Read no more of a body than is allowed, not for ever, and not too many at once.

A request counts as under way (`CapacityMiddleware`) once a small body of it is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from secure_openai.edge.middleware.refusal import refuse, request_headers
from secure_openai.edge.middleware.room import AGAIN_SECONDS, Arrivals, Pace, Room
from secure_openai.edge.openai_errors import speaks_openai
from secure_openai.errors import (
    Overloaded,
    RequestTimeout,
    SecureOpenAIError,
    TooLarge,
    UnsupportedMediaType,
)
from secure_openai.streams import Begun, Within, begin
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

MOST_DIGITS = 10
"""A length of so many is over any limit: one of more is not read as a number."""


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
        arriving: How many small ones may be on their way, and three quarters as many larger ones:
            one more takes the place of one that comes too slowly.
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
        # A larger body is under way before it is whole.
        self._room = Room(at_once_bytes, largest=self._image_bytes, at_once=arriving)
        self._arrivals = Arrivals(arriving)
        self._whose_of = whose_of
        self._larger = larger or {}
        self._seconds = body_seconds
        self._reading_images = tuple(f"/{name}" for name in table("gateway")["reading_images"])

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on with its body, if that is within the limits."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            return self.app(scope, receive, send)
        told = request_headers(scope)
        if b"content-encoding" in told:
            error = UnsupportedMediaType("Send the body without Content-Encoding.")
            return refuse(error, scope, receive, send)
        declared = _number(told.get(b"content-length", b"0"))
        most = self._larger.get(scope["path"], self._bytes)
        if declared > most and self._reads_images(scope["path"]):
            most = self._image_bytes
        if declared > most:
            return refuse(_too_large(most), scope, receive, send)
        if declared <= SMALL_BYTES:
            # What a client sends with its head, as most do, needs no time and no place to arrive.
            message, begun = begin(receive())
            receive = _from(message, begun, receive)
            if message is not None and _is_whole(message, most):
                self._arrivals.make_way()
                return self.app(scope, receive, send)
        body = _Body(
            scope,
            receive,
            self._room,
            whose_of=self._whose_of,
            declared=declared,
            most=most,
            seconds=self._seconds,
        )
        return self._pass_on(body, scope, receive, send)

    async def _pass_on(self, body: _Body, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            refusal = await self._refusal_of(body) if body.small else None
            if refusal is None:
                await self.app(scope, body.receive, send)
            else:
                await refuse(refusal, scope, receive, send)
        finally:
            self._room.leave(body)

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
        self._seconds = seconds
        self._until = now + seconds
        self._chunks: list[bytes] = []
        self._size = 0
        self._look_from(now)
        self._pace = Pace(declared or SMALL_BYTES, seconds, now=now)
        self._whose_of = whose_of
        self.small = declared <= SMALL_BYTES
        self._open = True
        self._left = self._asked = False
        self._displaced: SecureOpenAIError | None = None
        self._wait: Within | None = None

    async def begin(self) -> None:
        """Read a body that is small.

        Raises:
            RequestTimeout: It did not arrive in time, or another has the place of one so slow.
            Overloaded: Too many others came before it was whole.
        """
        while self._open and self._size <= SMALL_BYTES:
            self._chunks.append((await self._piece()).get("body", b""))

    @property
    def slow(self) -> bool:
        """Return whether it comes too slowly to be whole in time."""
        return self._pace.slow(asyncio.get_running_loop().time())

    def give_way(self) -> None:
        """End the wait for what is to come."""
        self._displaced = (
            RequestTimeout(
                "The body came too slowly, and others wait for its place: send it again."
            )
            if self.slow
            else Overloaded(
                "Too many requests wait for the rest of their body: ask again.",
                retry_after=AGAIN_SECONDS,
            )
        )
        if self._wait is not None:
            self._wait.expire()

    async def receive(self) -> Message:
        """Return what was read, then what comes, then what is told of the client.

        Raises:
            TooLarge: More came than is allowed, or more than nobody may send who is not known.
            RequestTimeout: It did not arrive in time, or others wait for the room of one so slow.
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
        if not self._asked:
            self._asked = True
            await self._enter()
        return await self._piece()

    async def _enter(self) -> None:
        """See whose body it is, and take all the room that it needs, before more of it is read."""
        whose = None if self._whose_of is None else self._whose_of(self._scope)
        self._open = False
        if self._whose_of is not None and whose is None:
            raise _too_large(SMALL_BYTES)
        # One that says no length may be as large as is allowed.
        size = max(self._declared or self._most, self._size)
        await self._room.enter(self, whose, size)
        self._open = True
        # Its pace counts from here: some clients wait until they are asked (RFC 9110, 10.1.1).
        now = asyncio.get_running_loop().time()
        self._look_from(now)
        trusted = self._room.trusts(whose)
        self._pace = Pace(size, self._seconds, now=now, trusted=trusted)

    async def _piece(self) -> Message:
        """Return what comes next, if it comes soon enough."""
        if self._displaced is not None:
            # It gave way while nobody waited for more of it.
            self._open = False
            raise self._displaced
        # What is there already needs no time.
        message, begun = begin(self._receive())
        if message is not None:
            return self._came(message)
        loop = asyncio.get_running_loop()
        while True:
            self._wait = Within(self._look_at - loop.time())
            try:
                with self._wait:
                    return self._came(await (begun or self._receive()))
            except TimeoutError:
                begun = None
                self._look_again(loop.time())
            finally:
                self._wait = None

    def _look_again(self, now: float) -> None:
        """Wait on, unless another has the place, or what came meanwhile was too little."""
        if self._displaced is not None:
            self._open = False
            raise self._displaced
        if now >= self._until or self._size - self._looked < LEAST_BYTES:
            self._open = False
            raise RequestTimeout("The body took too long to arrive.")
        self._look_from(now)

    def _look_from(self, now: float) -> None:
        self._look_at, self._looked = min(now + STALLED_SECONDS, self._until), self._size

    def _came(self, message: Message) -> Message:
        """Return a message once it is known that no more came than may."""
        # A client that leaves ends its body, and the application is told what came and then that.
        self._open = message.get("more_body", False)
        self._left = message["type"] == "http.disconnect"
        came = len(message.get("body", b""))
        self._size += came
        if self._size > self._most:
            self._open = False
            raise _too_large(self._most)
        if self._size > SMALL_BYTES and not self._asked:
            self._take()
        if self._open:
            self._pace.came(came, asyncio.get_running_loop().time())
        elif not self._left:
            self._room.arrived(self)
        return message

    def _take(self) -> None:
        """Take room for more of a body than is small, for as long as nobody is known to send it."""
        try:
            self._room.take(self, self._size)
        except SecureOpenAIError:
            self._open = False
            raise


def _is_whole(message: Message, most: int) -> bool:
    """Return whether a message is all of a small body that is within the limit."""
    return (
        message["type"] == "http.request"
        and not message.get("more_body", False)
        and len(message.get("body", b"")) <= min(SMALL_BYTES, most)
    )


def _from(message: Message | None, begun: Begun[Message] | None, receive: Receive) -> Receive:
    """Return what hands on a message that came, or is being waited for, and then what comes."""

    async def receive_on() -> Message:
        nonlocal message, begun
        if message is not None:
            came, message = message, None
            return came
        if begun is not None:
            coming, begun = begun, None
            return await coming
        return await receive()

    return receive_on


def _number(length: bytes) -> int:
    digits = length.isdigit() and len(length) <= MOST_DIGITS
    return int(length) if digits else 10**MOST_DIGITS


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body is over the limit of {most} bytes.")
