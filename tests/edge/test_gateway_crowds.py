"""Many at once: what is too much is refused in the shape of whoever asks, and harms nobody."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import psutil
import pytest

from secure_openai.edge.middleware import limits, room
from secure_openai.policy.fields import TABLES
from secure_openai.tables import table
from tests.edge.test_gateway_wire import BODY, answers, endless, head, refused
from tests.edge.test_refusals import openai_error, problem
from tests.test_drain import serving
from tests.world import World, running_world

CHAT = "/openai/v1/chat/completions"
MEBIBYTE = 1_048_576
LARGEST_IMAGE = 20 * MEBIBYTE
ASK: dict[str, Any] = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}
SLOW: dict[str, Any] = {
    "model": "scripted",
    "messages": [{"role": "user", "content": "slow 40"}],
    "max_tokens": 50,
    "stream": True,
}


@pytest.fixture
async def small(tmp_path: Path, identity_folder: Path) -> AsyncIterator[World]:
    """A gateway that answers three requests at once, and no more."""
    async with running_world(tmp_path, identity_folder, requests_at_once=3) as world:
        yield world


async def test_one_request_too_many_is_told_to_come_again(small: World) -> None:
    """503 with Retry-After in OpenAI's shape, and a problem elsewhere; streams go on to the end."""
    async with small.client(**small.bearer("Uma")) as http:

        async def streamed() -> str:
            async with http.stream("POST", CHAT, json=SLOW) as answer:
                assert answer.status_code == 200
                begun.release()
                return (await answer.aread()).decode()

        begun = asyncio.Semaphore(0)
        streams = [asyncio.create_task(streamed()) for _ in range(3)]
        for _ in streams:
            await begun.acquire()
        one_more = await http.post(CHAT, json=ASK)
        elsewhere = await http.get("/api/me")
        probe = await http.get("/healthz")
        whole = await asyncio.gather(*streams)
        again = await http.post(CHAT, json=ASK)

    error = openai_error(one_more, 503)
    assert (error["type"], error["code"]) == ("server_error", "overloaded")
    assert one_more.headers["retry-after"] == "1"
    assert one_more.headers["x-request-id"]
    assert "server carries" in problem(elsewhere, 503)
    assert elsewhere.headers["retry-after"] == "1"
    assert probe.status_code == 200
    assert all(text.endswith("data: [DONE]\n\n") for text in whole)
    assert again.status_code == 200


async def test_the_package_comes_again_by_itself(small: World) -> None:
    """OpenAI's own package waits as it is told and gets its answer."""
    statuses: list[int] = []

    async def counted(response: httpx2.Response) -> None:
        statuses.append(response.status_code)

    async with (
        small.client(**small.bearer("Uma")) as http,
        openai.AsyncOpenAI(
            base_url=f"{small.url}/openai/v1",
            api_key=small.token("Ada"),
            http_client=httpx2.AsyncClient(trust_env=False, event_hooks={"response": [counted]}),
            max_retries=5,
        ) as sdk,
    ):
        streams = [asyncio.create_task(http.post(CHAT, json=SLOW)) for _ in range(3)]
        while len(await small.events()) < 3:
            await asyncio.sleep(0.01)
        answer = await sdk.chat.completions.create(**ASK)
        await asyncio.gather(*streams)

    assert answer.choices[0].message.content == "You said: hello"
    assert statuses[0] == 503
    assert statuses[-1] == 200


def with_image(size: int, text: str = "what is this?") -> bytes:
    """Return a request with an image of so many bytes."""
    image = base64.b64encode(bytes(size)).decode()
    parts = [
        {"type": "text", "text": text},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
    ]
    return json.dumps(ASK | {"messages": [{"role": "user", "content": parts}]}).encode()


def test_where_images_are_read_is_where_they_may_be() -> None:
    """The larger limit is that of the APIs whose list of fields has images, and of no other."""
    with_images = {
        operation.value for operation, one in TABLES.items() if "part_image" in one["types"]
    }
    assert set(table("gateway")["reading_images"]) == with_images
    assert len(base64.b64encode(bytes(LARGEST_IMAGE))) < limits.IMAGE_BYTES < 28.1 * MEBIBYTE


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (CHAT, 200),
        ("/openai/deployments/scripted/chat/completions?api-version=2024-10-21", 200),
        ("/openai/v1/embeddings", 413),
        ("/openai/v1/models", 413),
        ("/api/conversations", 413),
        ("/chat/completions", 413),
    ],
)
async def test_a_large_image_is_read_where_images_are(world: World, path: str, status: int) -> None:
    """The largest image that Azure takes goes to the model, and nowhere else is so much read."""
    body = with_image(LARGEST_IMAGE)
    async with world.client(**world.bearer("Uma")) as http:
        answer = await http.post(path, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == status, answer.text


async def test_a_large_image_in_a_response(world: World) -> None:
    """The other API of OpenAI reads images of the same size."""
    image = base64.b64encode(bytes(LARGEST_IMAGE)).decode()
    async with openai.AsyncOpenAI(
        base_url=f"{world.url}/openai/v1",
        api_key=world.token("Uma"),
        http_client=httpx2.AsyncClient(trust_env=False),
    ) as sdk:
        answer = await sdk.responses.create(
            model="scripted",
            input=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "hello"},
                        {
                            "type": "input_image",
                            "detail": "auto",
                            "image_url": f"data:image/png;base64,{image}",
                        },
                    ],
                }
            ],
        )

    assert answer.output_text


@pytest.mark.parametrize(
    ("body", "signed_in", "status", "said"),
    [
        (with_image(22 * MEBIBYTE), True, 413, "29360128"),
        (with_image(2 * MEBIBYTE), False, 401, "Sign in"),
        (json.dumps(ASK | {"messages": [[]] * 600_000}).encode(), True, 400, "images need"),
        (b"[" * 2 * MEBIBYTE, True, 400, "images need"),
        (with_image(MEBIBYTE, "word " * 500_000), True, 413, "tokens"),
    ],
    ids=["over the limit", "nobody", "many values", "only brackets", "a long text"],
)
async def test_what_is_large_and_no_image_is_refused(
    world: World, body: bytes, signed_in: bool, status: int, said: str
) -> None:
    """Each is a clear 4xx in OpenAI's shape, and no model is asked."""
    headers = world.bearer("Uma") if signed_in else {}
    async with world.client(**headers) as http:
        answer = await http.post(CHAT, content=body, headers={"Content-Type": "application/json"})

    assert said in openai_error(answer, status)["message"]
    assert "completion.admitted" not in {event.action for event in await world.events()}


async def test_a_body_that_says_no_length_is_small(world: World) -> None:
    """What is sent in chunks is read up to the ordinary limit, and by nobody's leave less."""
    chunked = head(world, b"Transfer-Encoding: chunked")
    unsigned = head(world, b"Transfer-Encoding: chunked", signed_in=False)
    found = await answers(world, endless(b"x" * 65_536, begin=chunked))
    nobody = await answers(world, endless(b"x" * 65_536, begin=unsigned))

    assert "1048576" in refused(found, 413)["message"]
    assert refused(nobody, 401)["code"] == "invalid_api_key"


async def test_a_large_body_that_stalls_is_told_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of an image and then nothing is a 408; others are answered meanwhile."""
    init = limits.LimitsMiddleware.__init__
    defaults = init.__kwdefaults__ or {}
    monkeypatch.setattr(init, "__kwdefaults__", defaults | {"body_seconds": 0.3})
    world.app.middleware_stack = world.app.build_middleware_stack()
    begin = head(world, b"Content-Length: 20000000")
    async with world.client(**world.bearer("Uma")) as http:
        found, meanwhile = await asyncio.gather(
            answers(world, begin + b"x" * 1_000_000), http.post(CHAT, json=ASK)
        )

    assert refused(found, 408)["type"] == "timeout_error"
    assert meanwhile.status_code == 200


@pytest.fixture
async def cramped(tmp_path: Path, identity_folder: Path) -> AsyncIterator[World]:
    """A gateway with room for one large image at once."""
    async with running_world(
        tmp_path, identity_folder, bodies_at_once_bytes=40 * MEBIBYTE
    ) as world:
        yield world


async def answered(http: httpx2.AsyncClient, body: bytes) -> int:
    """Ask until there is room: a server learns of a client's leaving in its own time."""
    async with asyncio.timeout(60):
        while True:
            answer = await http.post(
                CHAT, content=body, headers={"Content-Type": "application/json"}
            )
            if answer.status_code not in {429, 503}:
                return answer.status_code
            await asyncio.sleep(0.05)


async def test_images_share_what_room_there_is(
    cramped: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes when there is no room is told to come again; small requests are answered meanwhile.

    Who has sent half and goes on slowly, but in time, holds its part, and gives it back.
    """
    # A machine that is busy with other tests is not a body that halts.
    monkeypatch.setattr(room, "HALT_SECONDS", 30.0)
    body = with_image(LARGEST_IMAGE)
    headers = {"Content-Type": "application/json"}
    released = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield head(cramped, b"Content-Length: %d" % len(body)) + body[: 4 * MEBIBYTE]
        for at in range(4 * MEBIBYTE, len(body), MEBIBYTE):
            if not released.is_set():
                await asyncio.sleep(0.3)
                yield body[at : at + MEBIBYTE]

    async with cramped.client(**cramped.bearer("Ada")) as http:
        holding = asyncio.create_task(answers(cramped, slowly(), patience=0))
        await asyncio.sleep(1.0)
        one_more = await http.post(CHAT, content=body, headers=headers)
        meanwhile = [(await http.post(CHAT, json=ASK)).status_code for _ in range(5)]
        released.set()
        await holding
        afterwards = [await answered(http, body) for _ in range(2)]

    assert openai_error(one_more, 503)["code"] == "overloaded"
    assert one_more.headers["retry-after"] == "1"
    assert afterwards == [200, 200]
    assert meanwhile == [200] * 5


async def test_nobody_takes_all_the_room(world: World) -> None:
    """One who sends many large images has a share; whoever else sends one is answered meanwhile."""
    body = with_image(LARGEST_IMAGE)
    headers = {"Content-Type": "application/json"}
    released = asyncio.Event()
    part = head(world, b"Content-Length: %d" % len(body)) + body[:MEBIBYTE]
    async with (
        world.client(**world.bearer("Uma")) as greedy,
        world.client(**world.bearer("Ada")) as other,
    ):
        stalled = [
            asyncio.create_task(answers(world, _until(released, part), patience=0))
            for _ in range(limits.AT_ONCE_BYTES // len(body) + 1)
        ]
        await asyncio.sleep(0.3)
        one_more = await greedy.post(CHAT, content=body, headers=headers)
        small = await greedy.post(CHAT, json=ASK)
        others = await other.post(CHAT, content=body, headers=headers)
        released.set()
        found = await asyncio.gather(*stalled)
        again = await answered(greedy, body)

    error = openai_error(one_more, 429)
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "32 MiB" in error["message"]
    assert one_more.headers["retry-after"] == "1"
    assert "x-should-retry" not in one_more.headers
    assert one_more.headers["x-ratelimit-limit-requests"] == "1"
    assert one_more.headers["x-ratelimit-remaining-requests"] == "0"
    assert one_more.headers["x-ratelimit-reset-requests"] == "1s"
    assert {status for one in found for status, _ in one} == {429}
    assert [small.status_code, others.status_code, again] == [200, 200, 200]


async def test_bodies_on_their_way_keep_nobody_out(small: World) -> None:
    """Twice as many as are answered at once send half a request and wait: all others are answered.

    Who comes too slowly makes way and is told so; who has had no time yet, to come again.
    """
    for signed_in in (True, False):
        released = asyncio.Event()
        begin = head(small, b"Content-Length: 1000", signed_in=signed_in) + b"{"
        async with small.client(**small.bearer("Ada")) as http:
            waiting = [
                asyncio.create_task(answers(small, _until(released, begin), patience=0))
                for _ in range(6)
            ]
            await asyncio.sleep(1.5 * room.HALT_SECONDS)
            statuses = [(await http.post(CHAT, json=ASK)).status_code for _ in range(10)]
            page = await http.get("/api/me")
            released.set()
            found = await asyncio.gather(*waiting)

        assert statuses == [200] * 10
        assert page.status_code == 200
        told = [refused(one, 408, 503)["code"] for one in found if one]
        assert told.count("overloaded") == 3
        assert told.count("request_timeout") >= 1


async def _drip(begin: bytes, size: int, piece: int, pause: float) -> AsyncIterator[bytes]:
    yield begin
    body = BODY + b" " * (size - len(BODY))
    for at in range(0, size, piece):
        yield body[at : at + piece]
        await asyncio.sleep(pause)


@pytest.mark.parametrize("size", [40_000, 400_000], ids=["small", "large"])
async def test_a_body_comes_at_some_pace(
    world: World, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """A byte now and then is a 408 long before the whole time is over; a slow line is read."""
    monkeypatch.setattr(limits, "STALLED_SECONDS", 0.8)
    begin = head(world, b"Content-Length: %d" % size)
    dripping, slow = await asyncio.gather(
        answers(world, _drip(begin, size, 1, 0.01)),
        answers(world, _drip(begin, size, size // 20, 0.03)),
    )

    assert refused(dripping, 408)["type"] == "timeout_error"
    assert [status for status, _ in slow] == [200]


@pytest.mark.process
async def test_images_take_no_more_memory_than_is_said(
    tmp_path: Path, identity_folder: Path
) -> None:
    """Twelve of the largest at once: the process grows by four times what they may take at most."""
    body = with_image(LARGEST_IMAGE)
    headers = {"Content-Type": "application/json"}
    async with serving(tmp_path, identity_folder, seconds=5) as running, running.client() as http:
        process = psutil.Process(running.process.pid)
        await http.post(CHAT, json=ASK)
        before = process.memory_info().rss
        many = asyncio.gather(*(http.post(CHAT, content=body, headers=headers) for _ in range(12)))
        most = before
        while not many.done():
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.01)
        statuses = {one.status_code for one in await many}
        last = await http.post(CHAT, json=ASK)

    assert statuses <= {200, 429, 503}
    assert 200 in statuses
    assert last.status_code in {200, 429}
    assert most - before < 4 * limits.AT_ONCE_BYTES


async def _until(released: asyncio.Event, piece: bytes) -> AsyncIterator[bytes]:
    yield piece
    await released.wait()
