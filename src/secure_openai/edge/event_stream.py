"""A response of server-sent events that ends its source the moment the client goes.

Source: WHATWG HTML, 9.2 "Server-sent events".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from secure_openai.streams import with_pauses
from secure_openai.types import JsonObject

T = TypeVar("T")

OK = HTTPStatus.OK.value

UNWATCHED_SECONDS = 0.05
"""So long, and at most twice as long, nobody looks whether the client is there."""

HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b": heartbeat\n\n"


def event(name: str, data: JsonObject, *, number: int) -> bytes:
    """Return one event; JSON has no line breaks, so one data line is enough.

    Args:
        name: Its type.
        data: What it says.
        number: Its id: who comes back says which was the last that came.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\nid: {number}\n\n".encode()


class EventStreamResponse(Response):
    """Sends each piece as it comes, and a comment when nothing came for a while.

    Args:
        pieces: What to send.
        on_end: Awaited once, however the response ends, also when `pieces` was never begun: an
            asynchronous generator that has not started cannot clean up by itself.
        heartbeat_seconds: How long nothing may come before a comment is sent; `None` for never.
        headers: Further response headers, as ASGI has them.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        *,
        on_end: Callable[[], Awaitable[None]],
        heartbeat_seconds: float | None = HEARTBEAT_SECONDS,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self.status_code, self.background = OK, None
        # As with Starlette's own streams: no body, and so no length to say.
        self.raw_headers = [
            # `no-transform` keeps proxies from compressing, which would hold events back.
            (b"cache-control", b"no-store, no-transform"),
            (b"x-accel-buffering", b"no"),
            *headers,
            (b"content-type", f"{self.media_type}; charset={self.charset}".encode()),
        ]
        self._pieces = pieces
        self._on_end = on_end
        self._heartbeat_seconds = heartbeat_seconds

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - ASGI gives it
        receive: Receive,
        send: Send,
    ) -> None:
        """Send until the pieces end or the client leaves, whichever is first."""
        try:
            with Presence(receive):
                await self._send(send)
        except ClientDisconnect:
            # Nobody is left who could be told.
            return
        finally:
            await self._on_end()

    async def _send(self, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        async with aclosing(self._pieces) as pieces:
            if self._heartbeat_seconds is None:
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            else:
                async with aclosing(with_pauses(pieces, self._heartbeat_seconds)) as watched:
                    async for held in watched:
                        body = HEARTBEAT if held is None else held
                        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def while_present(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, and cancel it the moment the client leaves.

    Raises:
        ClientDisconnect: The client left first; nobody reads an answer.
    """
    with Presence(receive):
        return await work


class Presence:
    """A block that is cancelled when the client leaves: the moment it does, after a first while.

    It runs in its own task, as with `asyncio.timeout`: another one for each request costs more than
    all that is decided about it. So does the one that watches, for an answer that comes at once:
    it begins when that has not come.

    Raises:
        ClientDisconnect: The client left while the block ran.
    """

    __slots__ = ("_gone", "_receive", "_rounds", "_task", "_watching")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._watching: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101 - whoever awaits is a task
        self._task = task
        self._rounds = _rounds_of(loop)
        self._rounds.enter(self)

    def watch(self) -> None:
        """Look from here on whether the client is there."""
        self._watching = asyncio.ensure_future(_left(self._receive))
        self._watching.add_done_callback(self._leave)

    def _leave(self, watching: asyncio.Future[None]) -> None:
        # It may have ended in the very turn in which the block did.
        if self._watching is not None and not watching.cancelled():
            # Whatever ended the watch, nobody can be told any more.
            watching.exception()
            self._gone = True
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._rounds.leave(self)
        if self._watching is not None:
            self._watching.remove_done_callback(self._leave)
            self._watching.cancel()
            self._watching = None
        if not self._gone:
            return
        # Whoever else cancelled this task still does.
        others = self._task.uncancel()
        if kind is asyncio.CancelledError and not others:
            raise ClientDisconnect from None


class _Rounds:
    """Goes round every `UNWATCHED_SECONDS`, and watches who was there the last time too.

    Most have left before: a timer for each costs more than a place here.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._there: set[Presence] = set()
        self._came: set[Presence] = set()
        self._goes = False

    def enter(self, one: Presence) -> None:
        self._came.add(one)
        if not self._goes:
            self._goes = True
            self.loop.call_later(UNWATCHED_SECONDS, self._go)

    def leave(self, one: Presence) -> None:
        self._came.discard(one)
        self._there.discard(one)

    def _go(self) -> None:
        for one in self._there:
            one.watch()
        self._there, self._came = self._came, set()
        self._goes = bool(self._there)
        if self._goes:
            self.loop.call_later(UNWATCHED_SECONDS, self._go)


class _Latest:
    rounds: _Rounds | None = None


def _rounds_of(loop: asyncio.AbstractEventLoop) -> _Rounds:
    """Return those of a loop; a process has one, a test one after the other."""
    rounds = _Latest.rounds
    if rounds is None or rounds.loop is not loop:
        rounds = _Latest.rounds = _Rounds(loop)
    return rounds


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
