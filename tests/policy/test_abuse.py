"""Bodies that are small and would cost much: each is read in proportion to its size."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from secure_openai.errors import RequestError
from secure_openai.policy.estimate import estimate_prompt_tokens
from secure_openai.policy.fields import check_chat_completions
from secure_openai.policy.json_text import parse_json

ASK: dict[str, Any] = {"model": "local", "messages": [{"role": "user", "content": "Hello"}]}


def schema(value: Any) -> dict[str, Any]:
    """Return a request with a free-form response schema."""
    return ASK | {
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": value}}
    }


def steps(work: Any) -> int:
    """Return how many lines of Python ran: a measure that a busy machine does not change.

    The least of three: what the collector of reference cycles ends meanwhile has lines too.
    """
    return min(_steps(work) for _ in range(3))


def _steps(work: Any) -> int:
    count = 0

    def trace(*_: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        # The coverage measurement's own, which would see nothing more otherwise.
        sys.settrace(before)
    return count


def test_an_unterminated_string_is_searched_once() -> None:
    """Brackets are counted in one pass, however a body ends: a megabyte ends at all."""
    for body in (b'"' + b'\\"' * 500_000, b"\\" * 1_000_000, b'"\\' * 500_000):
        with pytest.raises(RequestError):
            parse_json(body)


def test_a_number_too_large_for_json_is_refused() -> None:
    """What would leave as `Infinity` does not come in."""
    with pytest.raises(RequestError, match="larger than a double"):
        parse_json(b'{"maximum": 1e999}')


def test_a_schema_is_estimated_by_all_that_it_is() -> None:
    """Neither a schema that calls itself an image nor one of numbers is cheap."""
    image = schema({"type": "image_url", "description": "word " * 20_000})
    numbers = schema({"enum": [9007199254740991] * 5_000})

    assert estimate_prompt_tokens(check_chat_completions(image).body) > 25_000
    assert estimate_prompt_tokens(check_chat_completions(numbers).body) > 20_000


def test_an_image_in_a_message_costs_what_an_image_costs() -> None:
    """The bytes of a picture are not its price."""
    body = {
        "model": "local",
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64," + "A" * 100_000},
                    }
                ],
            }
        ],
    }

    assert 1_000 < estimate_prompt_tokens(check_chat_completions(body).body) < 2_000


def test_a_long_name_is_not_copied_for_every_value() -> None:
    """A schema's names do not grow the pointer: the work is that of the same schema unnamed."""
    numbers = [0] * 2_000
    short = steps(lambda: check_chat_completions(schema({"a": numbers})))
    long = steps(lambda: check_chat_completions(schema({"a" * 100_000: numbers})))

    # Looking for characters not accepted is one step for a name of any length.
    assert long == short
    with pytest.raises(RequestError) as refused:
        check_chat_completions(schema({"a" * 1000: ["\x00"]}))
    assert len(refused.value.pointer or "") < 100
