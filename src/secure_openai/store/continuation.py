"""Where a page ended: a text that its reader hands back, and that fits no other list."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import TypeAlias

from secure_openai.errors import RequestError

Place: TypeAlias = tuple[object, ...]
"""Which list a page is of: its kind, its owner and whatever else chooses its items."""


def token(place: Place, values: tuple[object, ...]) -> str:
    """Return the continuation of a page that ended at `values`."""
    text = json.dumps([_mark(place, values), *values])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def values_of(
    continuation: str | None, place: Place, plausible: Callable[[list[object]], bool]
) -> tuple[object, ...]:
    """Return the values that the page before ended at; none for the first page.

    Args:
        continuation: What the reader handed back.
        place: The list that is read.
        plausible: Whether values could be ones that this store hands out.

    Raises:
        RequestError: It is not a continuation of this list.
    """
    if continuation is None:
        return ()
    try:
        padded = continuation + "=" * (-len(continuation) % 4)
        mark, *values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if mark == _mark(place, tuple(values)) and plausible(values):
            return tuple(values)
    except (ValueError, TypeError, RecursionError):
        # Not base64, not JSON, or not a list: the same answer as for one of another list.
        pass
    raise RequestError("This continuation is not one that was given here: begin without one.")


def _mark(place: Place, values: tuple[object, ...]) -> str:
    """Return what ties a continuation to its list.

    It finds mistakes. It need not be a secret: the owner stands in the query, so a continuation
    that someone forged shows them their own list from another place and nothing else.
    """
    return hashlib.sha256(json.dumps([place, values]).encode()).hexdigest()[:16]
