"""Read JSON strictly (RFC 8259 as profiled by I-JSON, RFC 7493): one text, one meaning."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

from pydantic_core import from_json

from secure_openai.errors import RequestError
from secure_openai.types import JsonObject

LARGEST_DEPTH = 64
LARGEST_INTEGER = 2**53 - 1
"""RFC 7493, 2.2: beyond it, readers disagree about the number."""

LARGE_BYTES = 1_048_576
LARGEST_COUNT = 200_000
"""How many commas and opening brackets a large text may have, in what it says included."""

MANY_BYTES, LARGEST_VALUES = 65_536, 100_000
"""How many values a text over so many bytes may hold: a mebibyte of them, each looked at, takes a
quarter of a second, in which others wait."""

_NUMBERS = frozenset({int, float})
_WRITTEN_COLON = b"\\u003"
"""How an escape begins that may stand for a colon."""


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
    value = _quickly(text, largest_depth)
    if value is None:
        if len(text) > MANY_BYTES:
            # The length of a number will do: to convert a million digits takes quadratic time.
            _require_few(_read(text, largest_depth, parse_int=len))
        value = _strictly(text, largest_depth)
        _check_depth(value, largest_depth)
    return value


def _quickly(text: bytes, largest_depth: int) -> object | None:
    """Return the value of a body, or `None` where the strict reader shall say.

    The quick reader takes less than the strict one and gives the same for what it takes, but for
    members that are repeated and numbers out of bounds. Each member has a colon after its name, and
    all others stand in texts: where no colon is left over beside those of the members and texts
    that were read, none was lost because another one had its name.

    Raises:
        RequestError: It holds too many values.
    """
    if _WRITTEN_COLON in text:
        return None
    try:
        value = from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return None
    if len(text) > MANY_BYTES:
        _require_few(value)
    whole = isinstance(value, dict) and _accounts_for(value, text.count(b":"), largest_depth)
    return value if whole else None


def _require_few(value: object) -> None:
    """Return unless there are too many values to be looked at.

    Raises:
        RequestError: There are.
    """
    values, level = 0, [value]
    while level:
        holders = [item for item in level if isinstance(item, (dict, list))]
        values += sum(map(len, holders))
        if values > LARGEST_VALUES:
            raise RequestError(f"The body holds more than {LARGEST_VALUES} values.")
        level = [
            item
            for holder in holders
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]


def _accounts_for(value: JsonObject, colons: int, largest_depth: int) -> bool:
    """Return whether so many colons stand in a value, which is neither too deep nor too large."""
    level: list[Any] = [value]
    for _ in range(largest_depth):
        deeper: list[Any] = []
        for holder in level:
            items: Iterable[Any] = holder
            if isinstance(holder, dict):
                colons -= len(holder) + "".join(holder).count(":")
                items = holder.values()
            for item in items:
                kind = type(item)
                if kind is str:
                    colons -= item.count(":")
                elif kind is dict or kind is list:
                    deeper.append(item)
                elif kind in _NUMBERS and abs(item) > LARGEST_INTEGER:
                    return False
        if not deeper:
            return colons == 0
        level = deeper
    return False


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
