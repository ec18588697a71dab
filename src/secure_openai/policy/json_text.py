"""Read JSON strictly (RFC 8259 as profiled by I-JSON, RFC 7493): one text, one meaning."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple, NoReturn

from pydantic_core import from_json

from secure_openai.errors import RequestError
from secure_openai.policy.text import holds_refused

LARGEST_DEPTH = 64
LARGEST_INTEGER = 2**53 - 1
"""RFC 7493, 2.2: beyond it, readers disagree about the number."""

_MOST_DIGITS = len(str(-LARGEST_INTEGER))

LARGE_BYTES = 1_048_576
LARGEST_COUNT = 200_000
"""How many commas and opening brackets a large text may have, in what it says included."""

MANY_BYTES, LARGEST_VALUES = 65_536, 100_000
"""How many values a text over so many bytes may hold: a mebibyte of them, each looked at, takes a
quarter of a second, in which others wait."""

_NUMBERS = frozenset({int, float})
_LIKE_COLON = b"\\u003"
_WRITTEN_COLON = re.compile(rb"\\u003[aA]")
"""How a colon is escaped, which stands among signs that some clients escape."""

_FEW = 4_096
"""Fewer colons than that are sooner taken out, many bytes looked at at a time, than counted."""

_SHORT, _SHORT_OF_LARGE = 1_024, 64
"""Shorter texts are looked at all together: where those of a large body are, what they are put
together in takes several times its memory, as one character may widen all others."""


class Reading(NamedTuple):
    """What was read of a JSON text.

    Attributes:
        value: It.
        plain: Whether every character in it is one that text may hold, names of members included;
            where that is not known, it is not.
        values: How many values it holds, where it is known to be plain.
    """

    value: object
    plain: bool
    values: int


def parse_json(text: bytes, *, largest_depth: int = LARGEST_DEPTH) -> object:
    """Return the value; see `read_json`."""
    return read_json(text, largest_depth=largest_depth).value


def read_json(text: bytes, *, largest_depth: int = LARGEST_DEPTH) -> Reading:
    """Return the value, and what is known of it.

    Raises:
        RequestError: It is not UTF-8, not JSON, too deep, repeats a member, or holds a number that
            readers would disagree about. The message never repeats what was sent.
    """
    if len(text) > LARGE_BYTES and sum(map(text.count, (b",", b"[", b"{"))) > LARGEST_COUNT:
        # An empty list takes twenty times the memory that its two characters do. Only of a large
        # text: looking costs more than reading a short one.
        raise RequestError(f"A body over {LARGE_BYTES} bytes holds more than images need.")
    reading = _quickly(text, largest_depth)
    if reading is None:
        if len(text) > MANY_BYTES:
            # The length of a number will do: to convert a million digits takes quadratic time.
            _require_few(_read(text, largest_depth, parse_int=len))
        reading = Reading(_strictly(text, largest_depth), plain=False, values=0)
        _check_depth(reading.value, largest_depth)
    return reading


def _quickly(text: bytes, largest_depth: int) -> Reading | None:
    """Return the value of a body, or `None` where the strict reader shall say.

    The quick reader takes less than the strict one and gives the same for what it takes, but for
    members that are repeated and numbers out of bounds. Each member has a colon after its name, and
    all others stand in texts: where no colon is left over beside those of the members and texts
    that were read, none was lost because another one had its name.

    Raises:
        RequestError: It holds too many values.
    """
    # One byte is looked for many at a time, several are not, and a choice least of all.
    escapes = b"\\" in text
    if escapes and _LIKE_COLON in text and _WRITTEN_COLON.search(text):
        return None
    try:
        value = from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return None
    if not isinstance(value, (dict, list)):
        return None
    short = _SHORT if len(text) <= LARGE_BYTES else _SHORT_OF_LARGE
    looked = _look_at(value, largest_depth, short)
    if looked is None:
        return None
    colons, plain = looked.members, True
    for said in looked.texts:
        encoded = said.encode()
        colons += _colons(encoded)
        # What is refused can only be written as an escape.
        plain = plain and not (escapes and holds_refused(encoded))
    return Reading(value, plain, looked.values) if colons == _colons(text) else None


class _Looked(NamedTuple):
    """What a value holds.

    Attributes:
        values: How many values.
        members: How many of them are members of objects.
        texts: Its texts and names, short ones put together.
    """

    values: int
    members: int
    texts: list[str]


def _look_at(value: object, largest_depth: int, largest_short: int) -> _Looked | None:
    """Return what a value holds, or `None` where it is too deep or a number in it too large.

    Raises:
        RequestError: It holds too many values.
    """
    values, members = 0, 0
    level: list[Any] = [value]
    short: list[str] = []
    long: list[str] = []
    for _ in range(largest_depth):
        deeper: list[Any] = []
        for holder in level:
            values += len(holder)
            if values > LARGEST_VALUES:
                raise _too_many()
            items: Iterable[Any] = holder
            if isinstance(holder, dict):
                members += len(holder)
                short += holder
                items = holder.values()
            for item in items:
                kind = type(item)
                if kind is str:
                    (short if len(item) < largest_short else long).append(item)
                elif kind is dict or kind is list:
                    deeper.append(item)
                elif kind in _NUMBERS and abs(item) > LARGEST_INTEGER:
                    return None
        if not deeper:
            return _Looked(values, members, [*long, "".join(short)])
        level = deeper
    return None


def _colons(text: bytes) -> int:
    if len(text) <= LARGE_BYTES:
        found = len(text) - len(text.replace(b":", b"", _FEW))
        if found < _FEW:
            return found
    return text.count(b":")


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
            raise _too_many()
        level = [
            item
            for holder in holders
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]


def _too_many() -> RequestError:
    return RequestError(f"The body holds more than {LARGEST_VALUES} values.")


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
    if len(digits) > _MOST_DIGITS or abs(int(digits)) > LARGEST_INTEGER:
        raise RequestError(f"A number is larger than {LARGEST_INTEGER}.")
    return int(digits)
