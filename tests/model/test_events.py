"""Server-sent events come out the same however the stream is cut."""

from __future__ import annotations

import random

import pytest

from secure_openai.errors import ModelError
from secure_openai.model.events import EventReader
from secure_openai.model.interface import ServerSentEvent, usage_of

STREAM = (
    b"\xef\xbb\xbfdata: first\n\n"
    b": comment\r\n\r\n"
    b"event: x\rdata: cr\r\r"
    b"id: 7\ndata:no space\ndata:  two spaces\ndata\n\n"
    b"\n\ndata: after blank lines\n\n"
    b'data: {"a": "\xc3\xa9"}\r\n\r\n'
    b"data: [DONE]\n\n"
)
DATA = [b"first", b"", b"cr", b"no space\n two spaces\n", b"after blank lines"]


def read(chunks: list[bytes]) -> list[ServerSentEvent]:
    """Return the events of a stream cut into chunks."""
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


def test_fields_are_read_as_the_standard_says() -> None:
    """Line ends of three kinds, comments, several data lines, one space dropped, BOM ignored."""
    events = read([STREAM])

    assert [event.data for event in events[:5]] == DATA
    assert events[5].parsed == {"a": "é"}
    assert events[6].is_done
    assert events[6].parsed == {}
    assert events[1].parsed == {}


@pytest.mark.parametrize("seed", range(50))
def test_any_cut_gives_the_same_events(seed: int) -> None:
    """However the bytes are cut, data and raw bytes are the same, and nothing is lost."""
    generator = random.Random(seed)
    size = generator.choice([1, 2, 3, 7, 20])
    chunks, rest = [], STREAM
    while rest:
        cut = generator.randint(1, size)
        chunks.append(rest[:cut])
        rest = rest[cut:]
    events = read(chunks)

    assert [(event.raw, event.data) for event in events] == [
        (event.raw, event.data) for event in read([STREAM])
    ]
    assert b"".join(event.raw for event in events) == STREAM


def test_an_event_says_whether_the_next_one_came_with_it() -> None:
    """All but the last whole one of a chunk, whatever its line ends are."""
    for chunk, expected in (
        (b"data: 1\n\n", [False]),
        (b"data: 1\n\ndata: 2\n\ndata: 3", [True, False]),
        (b"data: 1\n\n\n\ndata: 2\n\n", [True, False]),
        (b"data: 1\r\n\r\ndata: 2\n\n: 3\n\n", [True, True, False]),
    ):
        assert [event.followed for event in EventReader().feed(chunk)] == expected


def test_an_event_too_large_is_refused() -> None:
    """An event without an end does not fill the memory; what is held can be seen."""
    reader = EventReader(largest_bytes=100)
    assert list(reader.feed(b"data: " + b"x" * 50)) == []
    assert reader.rest.startswith(b"data: x")
    with pytest.raises(ModelError, match="too large"):
        list(reader.feed(b"x" * 100))


def test_data_that_is_no_object_is_told() -> None:
    """JSON of another kind, and no JSON, are a ValueError for whoever reads it."""
    for data in (b"[1]", b"garbage"):
        with pytest.raises(ValueError, match=r".+"):
            _ = ServerSentEvent(data, data).parsed


@pytest.mark.parametrize(
    "payload", [{}, {"usage": None}, {"usage": {}}, {"usage": {"prompt_tokens": "1"}}]
)
def test_usage_that_is_none_is_none(payload: dict[str, object]) -> None:
    """What is not reported is not invented."""
    assert usage_of(payload) is None


def test_usage_is_never_nonsense() -> None:
    """A model that reports it cannot give quota back, nor charge what no store can add up."""
    for reported in (
        {"prompt_tokens": 2**53, "completion_tokens": 3},
        {"prompt_tokens": -5, "completion_tokens": 3},
        {"input_tokens": 5, "output_tokens": -3},
        {"prompt_tokens": 5, "total_tokens": 3},
    ):
        assert usage_of({"usage": reported}) is None
        assert usage_of({"type": "response.completed", "response": {"usage": reported}}) is None
