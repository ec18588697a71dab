"""Room for large bodies, and who gets it: attackers are as many as it has places.

| attackers send | whoever sends at ordinary speed | attackers are told |
| --- | --- | --- |
| the head of the largest body, then nothing | gets in | 408 |
| the same, then a byte now and then | gets in | 408 |
| half of it at once, then a byte now and then | gets in | 408 |
| chunks without a length, a byte now and then | gets in | 408 |
| the same again as soon as they are told, or before they can be | gets in | 408 |
| very many bodies that are hardly not small, to take places and no room | gets in | 408, 429 |
| large bodies, with no token | gets in | 401, nothing of them is read |
| small bodies, a byte now and then, with no token | gets in | 408, or 503 before it was slow |
| whole bodies, as slowly as they may | is told to come again: nobody is slow | answers |

Nobody who sends as fast as he must to be done in time makes way for another.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from secure_openai.edge.middleware import room
from secure_openai.local.identity_provider.directory import COMMAND_LINE_CLIENT_ID
from secure_openai.testing.person import named
from tests.edge.test_gateway_crowds import ASK, CHAT, with_image
from tests.edge.test_gateway_wire import head
from tests.edge.test_refusals import openai_error
from tests.world import World, running_world

MEBIBYTE = 1_048_576
LARGEST = 2 * MEBIBYTE
PLACES = 4
HALTED_SECONDS = 1.5 * room.HALT_SECONDS
NOW_AND_THEN = 0.05
IMAGE = with_image(MEBIBYTE)
LENGTH = b"Content-Length: %d" % LARGEST
CHUNKED = b"Transfer-Encoding: chunked"
JSON = {"Content-Type": "application/json"}

Attack = Callable[[bytes], AsyncIterator[bytes]]


@pytest.fixture
async def cramped(tmp_path: Path, identity_folder: Path) -> AsyncIterator[World]:
    """A gateway with room for four of the largest bodies."""
    async with running_world(
        tmp_path,
        identity_folder,
        image_body_limit_bytes=LARGEST,
        bodies_at_once_bytes=PLACES * LARGEST,
        requests_at_once=80,
    ) as world:
        yield world


def stranger(world: World) -> bytes:
    """Return the header of somebody who has never been here."""
    person = replace(named("Uma"), oid=str(uuid4()))
    token = world.provider.issuance.access_token(person, COMMAND_LINE_CLIENT_ID, for_api=True)
    return b"Authorization: Bearer " + token.encode()


async def status_of(
    world: World, sent: AsyncIterator[bytes], over: asyncio.Event | None = None
) -> tuple[int, bytes]:
    """Return status and body of an answer, or 0 where none came before it was over."""
    _, port = world.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))

    async def write() -> None:
        with suppress(ConnectionError):
            async for piece in sent:
                writer.write(piece)
                await writer.drain()

    reading, writing = asyncio.create_task(reader.read(65_536)), asyncio.create_task(write())
    ending = asyncio.create_task((over or asyncio.Event()).wait())
    await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
    for task in (ending, writing, reading):
        task.cancel()
    came, *_ = await asyncio.gather(reading, writing, ending, return_exceptions=True)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    first, _, body = came.partition(b"\r\n\r\n") if isinstance(came, bytes) else (b"", b"", b"")
    return (int(first.split()[1]) if first else 0), body


async def nothing(begin: bytes) -> AsyncIterator[bytes]:
    """Yield a head."""
    yield begin
    await asyncio.sleep(60)


async def dripping(begin: bytes) -> AsyncIterator[bytes]:
    """Yield a head, and a byte now and then."""
    yield begin
    while True:
        await asyncio.sleep(NOW_AND_THEN)
        yield b" "


async def half(begin: bytes) -> AsyncIterator[bytes]:
    """Yield a head and half of a body, then a byte now and then."""
    yield begin + b" " * (LARGEST // 2)
    while True:
        await asyncio.sleep(NOW_AND_THEN)
        yield b" "


async def in_chunks(begin: bytes) -> AsyncIterator[bytes]:
    """Yield a head, more than is small, and then a chunk of one byte now and then."""
    yield begin + b"%x\r\n" % 70_000 + b" " * 70_000 + b"\r\n"
    while True:
        await asyncio.sleep(NOW_AND_THEN)
        yield b"1\r\n \r\n"


@asynccontextmanager
async def attacked(
    world: World,
    attack: Attack,
    more: bytes,
    *,
    attackers: int = PLACES,
    each: int = 1,
    leaving: float = 60.0,
    signed_in: bool = True,
) -> AsyncIterator[set[int]]:
    """Yield what attackers are told, who send again and again until the block is left.

    `leaving` is after how many seconds they leave by themselves.
    """
    told: set[int] = set()
    over = asyncio.Event()

    async def send(who: tuple[bytes, ...]) -> None:
        while not over.is_set():
            left = asyncio.Event()
            timer = asyncio.get_running_loop().call_later(leaving, left.set)
            leaves.add(left)
            begin = head(world, *who, more, signed_in=False)
            status, _ = await status_of(world, attack(begin), left)
            told.update({status} - {0})
            leaves.discard(left)
            timer.cancel()

    leaves: set[asyncio.Event] = set()
    people = [(stranger(world),) if signed_in else () for _ in range(attackers)]
    sending = [asyncio.create_task(send(who)) for who in people for _ in range(each)]
    try:
        yield told
    finally:
        over.set()
        for left in leaves:
            left.set()
        await asyncio.gather(*sending)


async def statuses(world: World, pause: float) -> list[int]:
    """Send three images and a question at ordinary speed, once each, and return what came."""
    found = []
    async with world.client(**world.bearer("Ada")) as http:
        for body in (IMAGE, IMAGE, IMAGE, json.dumps(ASK).encode()):
            await asyncio.sleep(pause)
            found.append((await http.post(CHAT, content=body, headers=JSON)).status_code)
    return found


ATTACKS: dict[str, tuple[Attack, bytes, dict[str, Any], set[int]]] = {
    "nothing": (nothing, LENGTH, {}, {408}),
    "a byte now and then": (dripping, LENGTH, {}, {408}),
    "half, then a byte now and then": (half, LENGTH, {}, {408}),
    "in chunks": (in_chunks, CHUNKED, {"each": 2}, {408, 429}),
    "gone again before anybody can tell": (
        *(dripping, LENGTH, {"leaving": 0.6 * room.HALT_SECONDS}, {408}),
    ),
    "hardly not small": (dripping, b"Content-Length: 65537", {"each": 17}, {408, 429}),
}


@pytest.mark.parametrize("pause", [0.0, HALTED_SECONDS], ids=["at once", "later"])
@pytest.mark.parametrize("name", ATTACKS)
async def test_whoever_drips_keeps_nobody_out(cramped: World, name: str, pause: float) -> None:
    """Four who drip, again and again, are told so, and whoever sends his image has his answer."""
    attack, more, options, expected = ATTACKS[name]
    async with attacked(cramped, attack, more, **options) as told:
        await asyncio.sleep(0.1)
        found = await statuses(cramped, pause)

    assert found == [200] * 4
    assert told <= expected
    if pause and "leaving" not in options:
        assert 408 in told


async def test_nobody_who_is_not_signed_in_takes_room(cramped: World) -> None:
    """A large body is not begun to be read, and small ones that drip give way."""
    async with (
        attacked(cramped, dripping, LENGTH, attackers=20, signed_in=False) as large,
        attacked(
            cramped, dripping, b"Content-Length: 900", attackers=120, signed_in=False
        ) as small,
    ):
        await asyncio.sleep(HALTED_SECONDS)
        found = await statuses(cramped, HALTED_SECONDS)

    assert found == [200] * 4
    assert large == {401}
    assert small <= {408, 503}


async def at_pace(begin: bytes, body: bytes, seconds: float) -> AsyncIterator[bytes]:
    """Yield a body over so many seconds."""
    yield begin
    pieces = 40
    size = -(-len(body) // pieces)
    for at in range(0, len(body), size):
        await asyncio.sleep(seconds / pieces)
        yield body[at : at + size]


async def test_whoever_sends_in_time_makes_way_for_nobody(cramped: World) -> None:
    """Four slow lines are read to the end; who comes meanwhile is told to come again, and can."""
    body = IMAGE + b" " * (LARGEST - len(IMAGE))
    slow = [
        asyncio.create_task(
            status_of(cramped, at_pace(head(cramped, who, LENGTH, signed_in=False), body, 4.0))
        )
        for who in (stranger(cramped) for _ in range(PLACES))
    ]
    await asyncio.sleep(HALTED_SECONDS)
    async with cramped.client(**cramped.bearer("Ada")) as http:
        meanwhile = await http.post(CHAT, content=IMAGE, headers=JSON)
        found = await asyncio.gather(*slow)
        afterwards = await http.post(CHAT, content=IMAGE, headers=JSON)

    assert openai_error(meanwhile, 503)["code"] == "overloaded"
    assert meanwhile.headers["retry-after"] == "1"
    assert [status for status, _ in found] == [200] * PLACES
    assert afterwards.status_code == 200


async def test_whoever_gives_way_is_told_why(cramped: World) -> None:
    """It is a 408 in OpenAI's shape, which packages try again by themselves."""
    begin = [head(cramped, stranger(cramped), LENGTH, signed_in=False) for _ in range(PLACES)]
    over = asyncio.Event()
    slow = [asyncio.create_task(status_of(cramped, dripping(one), over)) for one in begin]
    await asyncio.sleep(HALTED_SECONDS)
    found = await statuses(cramped, 0)
    over.set()
    status, text = max(await asyncio.gather(*slow))

    assert found == [200] * 4
    error = json.loads(text)["error"]
    assert (status, error["type"], error["code"]) == (408, "timeout_error", "request_timeout")
    assert "others wait" in error["message"]


def test_pace() -> None:
    """What came pays for its part of the time, and for no longer than a halt ahead."""
    pace = room.Pace(1_000, 10.0, now=0.0)
    assert not pace.slow(room.HALT_SECONDS)
    assert pace.slow(room.HALT_SECONDS + 0.01)
    pace.came(500, 1.0)
    assert not pace.slow(1.0 + room.HALT_SECONDS)
    assert pace.slow(1.01 + room.HALT_SECONDS)
    for second in (2.0, 3.0, 4.0):
        pace.came(100, second)
        assert not pace.slow(second)
    doubted = room.Pace(1_000, 10.0, now=0.0, trusted=False)
    assert doubted.slow(0.01)
