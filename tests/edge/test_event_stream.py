"""Event streams end their source the moment the client goes."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message, Receive

from secure_openai.edge.event_stream import (
    HEARTBEAT,
    UNWATCHED_SECONDS,
    EventStreamResponse,
    event,
    while_present,
)


class Client:
    """An ASGI client that keeps what it is sent and leaves when told."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.leave = asyncio.Event()

    async def receive(self) -> Message:
        """Say that the client left, once it has."""
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Keep a message."""
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        """Return everything sent."""
        return b"".join(message.get("body", b"") for message in self.sent)


async def test_pieces_arrive_and_the_end_is_told() -> None:
    """A stream is sent whole, unbuffered and uncompressed, and `on_end` is awaited once."""
    ends: list[int] = []
    client = Client()

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"one"
        yield b"two"

    async def on_end() -> None:
        ends.append(1)

    await EventStreamResponse(pieces(), on_end=on_end)({}, client.receive, client.send)

    headers = dict(client.sent[0]["headers"])
    assert client.body == b"onetwo"
    assert client.sent[-1]["more_body"] is False
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert b"no-transform" in headers[b"cache-control"]
    assert b"content-length" not in headers
    assert ends == [1]


async def test_silence_is_filled_with_heartbeats() -> None:
    """When nothing comes, a comment does."""
    client = Client()
    enough = asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        await enough.wait()
        yield b"late"

    async def on_end() -> None: ...

    response = EventStreamResponse(pieces(), on_end=on_end, heartbeat_seconds=0.01)
    running = asyncio.create_task(response({}, client.receive, client.send))
    while client.body.count(HEARTBEAT) < 2:
        await asyncio.sleep(0.005)
    enough.set()
    await running

    assert client.body.endswith(b"late")


@pytest.mark.parametrize("heartbeat", [None, 60.0])
async def test_a_client_that_leaves_ends_the_source(heartbeat: float | None) -> None:
    """Leaving cancels the source while it waits, and `on_end` is awaited."""
    client = Client()
    began, ended, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            began.set()
            await asyncio.Event().wait()
            yield b"never"
        finally:
            ended.set()

    async def on_end() -> None:
        told.set()

    response = EventStreamResponse(pieces(), on_end=on_end, heartbeat_seconds=heartbeat)
    running = asyncio.create_task(response({}, client.receive, client.send))
    await began.wait()
    client.leave.set()
    await running

    assert ended.is_set()
    assert told.is_set()
    assert b"never" not in client.body


async def test_a_client_already_gone_still_ends_everything() -> None:
    """`on_end` is awaited although the source was never begun."""
    client = Client()
    client.leave.set()
    told = asyncio.Event()

    async def send(message: Message) -> None:
        await asyncio.Event().wait()

    async def pieces() -> AsyncGenerator[bytes, None]:
        if client.leave.is_set():
            raise AssertionError
        yield b""

    async def on_end() -> None:
        told.set()

    await EventStreamResponse(pieces(), on_end=on_end)({}, client.receive, send)

    assert told.is_set()


async def test_a_client_that_leaves_as_the_work_ends_cancels_nothing_after_it() -> None:
    """What follows the work, such as its settlement, is not the watch's to cancel."""
    client, found = Client(), asyncio.Event()

    async def receive() -> Message:
        await asyncio.sleep(UNWATCHED_SECONDS)
        # Whoever waits for this goes on in the turn of the loop in which the watch ends.
        found.set()
        return await client.receive()

    async def work() -> str:
        await found.wait()
        return "done"

    client.leave.set()
    assert await while_present(receive, work()) == "done"
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_whoever_stays_is_watched_and_nobody_else() -> None:
    """Clients are asked for by rounds: those whose answer came before never, the others all."""
    stay, watched = asyncio.Event(), [asyncio.Event() for _ in range(3)]

    def of(number: int) -> Receive:
        async def receive() -> Message:
            watched[number].set()
            await stay.wait()
            return {"type": "http.disconnect"}

        return receive

    async def at_once() -> str:
        return "done"

    staying = [asyncio.create_task(while_present(of(one), stay.wait())) for one in (0, 1)]
    assert await while_present(of(2), at_once()) == "done"
    for one in (0, 1):
        await watched[one].wait()
    assert not watched[2].is_set()

    later = asyncio.create_task(while_present(of(2), stay.wait()))
    await watched[2].wait()
    stay.set()

    await asyncio.gather(*staying, later, return_exceptions=True)


async def test_an_error_of_the_source_is_raised() -> None:
    """What the source raises reaches the server, after `on_end`."""
    client = Client()
    told = asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise LookupError("broken")

    async def on_end() -> None:
        told.set()

    with pytest.raises(LookupError, match="broken"):
        await EventStreamResponse(pieces(), on_end=on_end)({}, client.receive, client.send)

    assert told.is_set()


def test_an_event_is_one_line_of_json() -> None:
    """Line breaks in text cannot end an event early."""
    told = event("delta", {"text": "a\n\nb\u2028é"}, number=7).decode()

    assert told.count("\n") == 4
    assert told.endswith("\nid: 7\n\n")
