"""Events go on as they came, but for the usage that nobody asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from secure_openai.edge.openai_stream import passed_on, without_usage
from secure_openai.errors import ModelError
from secure_openai.model.events import EventReader
from secure_openai.model.interface import ServerSentEvent
from secure_openai.types import Operation
from tests.world import World


def event(data: bytes) -> ServerSentEvent:
    """Return an event of one line."""
    return ServerSentEvent(b"data: " + data + b"\n\n", data)


@pytest.mark.parametrize(
    ("came", "goes"),
    [
        (b'{"a":1,"choices":[{}]}', b'{"a":1,"choices":[{}]}'),
        (b'{"choices":[{}],"usage":null}', b'{"choices":[{}]}'),
        (b'{"usage" : null, "choices":[{}] }', b'{ "choices":[{}] }'),
        (b'{ "choices": [ {} ] , "usage": null , "x": 1.50}', b'{ "choices": [ {} ]  , "x": 1.50}'),
        (b'{"choices":[],"usage":null,"prompt_filter_results":[1]}', None),
        (b'{"choices":[],"usage":{"total_tokens":3}}', b""),
        (b'{"choices":[{"d":1}],"usage":{"total_tokens":3},"x":"\xc3\xa9"}', None),
        (b'{"choices":[{"d":"\\ud83d"}],"usage":{"total_tokens":3}}', None),
        (b"[DONE]", b"[DONE]"),
        (b'not "usage" json', b'not "usage" json'),
        (b'["usage"]', b'["usage"]'),
        (
            b'{"choices":[{"text":"\\"usage\\":null,"}]}',
            b'{"choices":[{"text":"\\"usage\\":null,"}]}',
        ),
    ],
)
def test_usage_that_nobody_asked_for_is_taken_out(came: bytes, goes: bytes | None) -> None:
    """Null members go, byte for byte nothing else; a chunk that is only usage goes whole."""
    out = without_usage(event(came))

    if goes is None:
        expected = {name: value for name, value in json.loads(came).items() if name != "usage"}
        assert json.loads(out.removeprefix(b"data: ")) == expected
    else:
        assert out == (b"data: " + goes + b"\n\n" if goes else b"")


async def came(
    *chunks: bytes, failure: ModelError | None = None
) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield the events of chunks as they come, and then fail if told so."""
    reader = EventReader()
    for chunk in chunks:
        for one in reader.feed(chunk):
            yield one
    if failure is not None:
        raise failure


async def pieces(events: AsyncGenerator[ServerSentEvent, None]) -> list[bytes]:
    """Return what goes out, piece by piece."""
    return [one async for one in passed_on(events, Operation.CHAT_COMPLETIONS, False)]


async def test_what_comes_together_goes_together() -> None:
    """Each chunk of whole events is one piece, at once; half an event goes with its other half."""
    one, two, three, usage = (
        b"data: %s\n\n" % data
        for data in (b"one", b"two", b"three", b'{"choices":[],"usage":{"total_tokens":3}}')
    )

    assert await pieces(came(one, two + three)) == [one, two + three]
    assert await pieces(came(one + two[:3], two[3:] + three)) == [one, two + three]
    assert await pieces(came(one + usage, usage, usage + two)) == [one, two]
    assert await pieces(came(one + usage)) == [one]


async def test_a_failure_goes_after_what_came_before_it() -> None:
    """What came with the error is not lost, nor sent twice."""
    one, two = b"data: one\n\n", b"data: two\n\n"

    for chunks in ((one, two), (one + two,)):
        sent = await pieces(came(*chunks, failure=ModelError("It failed.")))
        told = b"".join(sent)
        assert told.startswith(one + two + b'data: {"error":')
        assert told.count(b"data: ") == 3


async def test_an_error_event_among_others_is_the_last() -> None:
    """Even where a reader said that more would follow."""
    followed = ServerSentEvent(b"data: one\n\n", b"one", followed=True)

    async def broken() -> AsyncGenerator[ServerSentEvent, None]:
        yield followed
        raise ModelError("It failed.")

    (sent,) = await pieces(broken())
    assert sent.startswith(followed.raw + b'data: {"error":')


@pytest.mark.parametrize("asked", [None, {}, {"include_usage": None}, {"include_usage": True}])
async def test_a_client_sees_usage_if_it_asked(world: World, asked: dict[str, Any] | None) -> None:
    """Otherwise no chunk has the member; it is counted all the same."""
    body = {
        "model": "scripted",
        "messages": [{"role": "user", "content": "hello there"}],
        "stream": True,
        "stream_options": asked,
    }
    async with world.client(**world.bearer("Uma")) as http:
        answer = await http.post("/openai/v1/chat/completions", json=body)
    chunks = [
        json.loads(line.removeprefix("data: "))
        for line in answer.text.splitlines()
        if line.startswith("data: {")
    ]
    (settled,) = await world.settled()
    wanted = bool((asked or {}).get("include_usage"))

    assert {"usage" in chunk for chunk in chunks} == {wanted}
    assert chunks[0]["prompt_filter_results"]
    assert answer.text.endswith("data: [DONE]\n\n")
    assert (settled.facts or {})["estimated"] is False


async def test_a_response_that_breaks_off_says_so_in_its_own_events(world: World) -> None:
    """The last event is an error that the package raises from, in its own shape."""
    body = {"model": "scripted", "input": "cut 3", "stream": True}
    async with world.client(**world.bearer("Uma")) as http:
        answer = await http.post("/openai/v1/responses", json=body)
    *events, last = [part for part in answer.text.split("\n\n") if part]
    name, data = last.splitlines()
    error = json.loads(data.removeprefix("data: "))

    assert name == "event: error"
    assert error["type"] == "error"
    assert error["sequence_number"] == len(events)
    assert error["code"] == error["error"]["code"] == "model_failed"
