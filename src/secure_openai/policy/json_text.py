"""Read JSON strictly (RFC 8259 as profiled by I-JSON, RFC 7493): one text, one meaning."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from pydantic_core import from_json

from secure_openai.errors import RequestError

LARGEST_DEPTH = 64
LARGEST_INTEGER = 2**53 - 1
"""RFC 7493, 2.2: beyond it, readers disagree about the number."""

LARGE_BYTES = 1_048_576
LARGEST_COUNT = 200_000
"""How many commas and opening brackets a large text may have, in what it says included."""


LARGEST_VALUES = 100_000
"""How many values a text of more than `LONG_BYTES` may hold."""

LONG_BYTES = 8_192
"""From how much on looking twice costs less than reading once with a word about every member."""

LONG_QUOTES, BYTES_PER_QUOTE = 64, 1_024
"""How many quotation marks a text has at most that is looked through by these."""

MANY_BYTES = 65_536
"""From how much on what holds many values is refused before they are looked at one by one, which
takes a quarter of a second of a mebibyte: others would wait."""

_NAME_END = re.compile(rb'"[ \t\r\n]*:')


def parse_json(text: bytes, *, largest_depth: int = LARGEST_DEPTH) -> object:
    """Return the value.

    Raises:
        RequestError: It is not UTF-8, not JSON, too deep, repeats a member, or holds a number that
            readers would disagree about. The message never repeats what was sent.
    """
    if len(text) > LARGE_BYTES and sum(map(text.count, (b",", b"[", b"{"))) > LARGEST_COUNT:
        # An empty list takes twenty times the memory that its two characters do. Only of a large
        # text: looking costs more than reading a short one.
        raise RequestError(f"A body over {LARGE_BYTES} bytes holds more than images need.")
    try:
        value = _quickly(text) if len(text) > LONG_BYTES else None
    except ValueError:
        value = None
    if value is None:
        if len(text) > MANY_BYTES:
            # The length of a number will do: to convert a million digits takes quadratic time.
            _levels(_read(text, largest_depth, parse_int=len))
        value = _strictly(text, largest_depth)
    _check_depth(value, largest_depth)
    return value


def _quickly(text: bytes) -> object | None:
    """Return the value, of long texts at the speed of copying them, or `None`.

    The quick reader takes less than the strict one and gives the same for what it takes, but for
    members that are repeated and numbers out of bounds. Each member's name ends with a quotation
    mark before a colon: where there are no more of these than members in the value, none is
    repeated. There may be more, within a text: then the strict one shall say.

    Raises:
        ValueError: It is for the strict reader to say why not.
        RequestError: It holds too many values.
    """
    value = from_json(text, allow_inf_nan=False, cache_strings="keys")
    members, bounded = _levels(value)
    return value if bounded and members == _marks_before_colons(text) else None


def _levels(value: object) -> tuple[int, bool]:
    """Return how many members a value has, and whether no number of it is out of bounds.

    Raises:
        RequestError: It holds too many values.
    """
    members = values = 0
    bounded, level = True, [value]
    while level:
        deeper: list[object] = []
        for item in level:
            if isinstance(item, dict):
                members += len(item)
                deeper += item.values()
            elif isinstance(item, list):
                deeper += item
            elif isinstance(item, (int, float)) and abs(item) > LARGEST_INTEGER:
                bounded = False
        level = deeper
        values += len(level)
        if values > LARGEST_VALUES:
            raise RequestError(f"The body holds more than {LARGEST_VALUES} values.")
    return members, bounded


def _marks_before_colons(text: bytes) -> int:
    """Return how many quotation marks stand before a colon."""
    count, at = 0, text.find(b'"')
    for _ in range(LONG_QUOTES + len(text) // BYTES_PER_QUOTE):
        if at < 0:
            return count
        after = text.find(b'"', at + 1)
        # A name's last mark and its colon have white space between them and nothing else.
        count += text[at + 1 : after if after >= 0 else None].lstrip().startswith(b":")
        at = after
    # Many marks: sooner found all at once.
    return count + sum(1 for _ in _NAME_END.finditer(text, at)) if at >= 0 else count


def _strictly(text: bytes, largest_depth: int) -> object:
    return _read(
        text,
        largest_depth,
        object_pairs_hook=_members,
        parse_constant=_constant,
        parse_float=_number,
        parse_int=_integer,
    )


def _read(text: bytes, largest_depth: int, **words: Any) -> object:
    """Return the value as Python reads it, with a word about each part."""
    try:
        return json.loads(text.decode("utf-8"), **words)
    except UnicodeDecodeError as error:
        raise RequestError(f"The body is not UTF-8 at byte {error.start}.") from None
    except json.JSONDecodeError as error:
        raise RequestError(
            f"The body is not JSON: line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        # The parser counts its own levels and gives up long before the stack ends.
        raise _too_deep(largest_depth) from None


def _check_depth(value: object, largest: int) -> None:
    """Look at one level after the other: whoever walks the value later recurses into it."""
    level = [value]
    for _ in range(largest):
        level = [
            item
            for holder in level
            if isinstance(holder, (dict, list))
            for item in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return
    raise _too_deep(largest)


def _too_deep(largest: int) -> RequestError:
    return RequestError(f"The body is nested deeper than {largest} levels.")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise RequestError("The body repeats a member of an object: write each once.")
    return members


def _constant(name: str) -> NoReturn:
    raise RequestError(f"{name} is not a JSON number.")


def _number(digits: str) -> float:
    # RFC 8259, 6 leaves the range open; what overflows would leave here as no JSON at all.
    if not math.isfinite(value := float(digits)):
        raise RequestError("A number is larger than a double can hold.")
    return value


def _integer(digits: str) -> int:
    # The length first: converting a million digits takes quadratic time.
    if len(digits) > 17 or abs(int(digits)) > LARGEST_INTEGER:  # noqa: PLR2004
        raise RequestError(f"A number is larger than {LARGEST_INTEGER}.")
    return int(digits)
