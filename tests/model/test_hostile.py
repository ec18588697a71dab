"""A model server that lies or never stops: it can spoil its own answer and nothing else."""

from __future__ import annotations

import pytest

from secure_openai.completion import finish_reason_of
from secure_openai.conversations.text import text_of
from secure_openai.errors import ModelError
from secure_openai.model.events import EventReader
from secure_openai.model.interface import ServerSentEvent, usage_of


def event(data: bytes) -> ServerSentEvent:
    """Return an event of this data."""
    return ServerSentEvent(b"data: " + data + b"\n\n", data)


def test_a_finish_reason_is_no_place_to_write() -> None:
    """Only OpenAI's own reasons are kept: the audit takes no text from a model."""
    assert finish_reason_of({"choices": [{"finish_reason": "stop"}]}) == "stop"
    assert finish_reason_of({"choices": [{"finish_reason": "LEAKED: a prompt"}]}) == "other"
    assert finish_reason_of({"choices": [{"finish_reason": "\ud800"}]}) == "other"


@pytest.mark.parametrize("count", [True, -1, 1.5, "7", None, [1]])
def test_a_count_that_is_none_is_not_believed(count: object) -> None:
    """A usage is two whole numbers or it is none."""
    assert usage_of({"usage": {"prompt_tokens": count, "completion_tokens": 1}}) is None


def test_half_a_surrogate_pair_is_replaced() -> None:
    """What is no character is neither kept nor sent on."""
    assert text_of(event(b'{"choices":[{"delta":{"content":"a\\ud800b"}}]}')) == "a?b"


def test_nesting_is_a_failure_of_the_model() -> None:
    """An event nested beyond any reader ends the answer as the model's failure."""
    with pytest.raises(ModelError, match="cannot be read"):
        text_of(event(b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"))


def test_a_held_event_is_searched_once() -> None:
    """Bytes that come one by one are each looked at once, and cut nothing."""
    reader = EventReader()
    whole = b"data: " + b"x" * 2_000 + b"\r\n\r\n"
    found = [one for index in range(len(whole)) for one in reader.feed(whole[index : index + 1])]

    assert [one.raw for one in found] == [whole]
    assert reader.rest == b""
