"""On which line of a TOML file a key stands: `tomllib` gives no positions.

The files are small, and reading headers and keys is enough.
"""

from __future__ import annotations

import re

_ARRAY = re.compile(r"\s*\[\[\s*(?P<keys>[^\[\]]+?)\s*\]\]\s*(#.*)?$")
_HEADER = re.compile(r"\s*\[\s*(?P<keys>[^\[\]]+?)\s*\]\s*(#.*)?$")
_KEY = re.compile(
    r"""\s*(?P<keys>(?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def line_of(lines: list[str], path: tuple[str, ...]) -> int:
    """Return the line, from 1, on which a key stands; that of its nearest table otherwise.

    The tables of an array are told apart by their number: `("prompts", "0", "name")`.
    """
    best_line, best_length = 1, 0
    table: tuple[str, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(lines, start=1):
        array = _ARRAY.match(line)
        header = array or _HEADER.match(line)
        found = header or _KEY.match(line)
        if found is None:
            continue
        keys = tuple(part.strip("\"'") for part in _PART.findall(found.group("keys")))
        if array:
            counts[keys] = counts.get(keys, -1) + 1
            keys = (*keys, str(counts[keys]))
        here = keys if header else table + keys
        if header:
            table = keys
        shared = _shared(here, path)
        if shared > best_length and (shared == len(path) or shared == len(here)):
            best_line, best_length = number, shared
    return best_line


def _shared(here: tuple[str, ...], path: tuple[str, ...]) -> int:
    count = 0
    for mine, theirs in zip(here, path, strict=False):
        if mine != theirs:
            break
        count += 1
    return count
