"""What a model writes, as it is read."""

import json

import pytest

from secure_openai.model.interface import read_object


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": [1, 2.5, null, true], "b": {"c": "\xc3\xa4"}}',
        b'{"half": "\\ud83d"}',
        b'{"whole": 123456789012345678901234567890}',
        b'{"twice": 1, "twice": 2}',
    ],
)
def test_an_object_is_read_as_python_reads_it(text: bytes) -> None:
    """Whatever Python's own reader takes is taken, half of a surrogate pair included."""
    assert read_object(text) == json.loads(text)


@pytest.mark.parametrize(
    "text", [b"", b"[1]", b'"text"', b"{", b'{"a": "\xff"}', b'{"a":' * 100_000]
)
def test_anything_else_is_refused(text: bytes) -> None:
    """What is no JSON object, or too deep to read, is a ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - of both readers
        read_object(text)
