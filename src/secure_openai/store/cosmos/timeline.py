"""Lists of conversations by the time of their last update, page after page.

Two may have been updated at the same instant, in no certain order: the ones of the last instant
that were shown already are asked for again, and left out then.
"""

from __future__ import annotations

from collections.abc import Sequence

from secure_openai.types import JsonObject

KEPT_BY_ITS_OWNER = "(NOT IS_DEFINED(c.discarded) OR IS_NULL(c.discarded))"
MINE = "SELECT * FROM c WHERE c.owner = @owner AND c.kind = 'conversation'"
RECENT = "AND c.updated <= @updated ORDER BY c.updated DESC"

AFTER_ALL = "9999"
"""Later than any time as stored."""


def end_of(shown: Sequence[JsonObject], before: tuple[object, ...]) -> tuple[object, ...]:
    """Return where a page ends: a time, and which conversations of that time were shown.

    Args:
        shown: The page.
        before: Where the page before ended.
    """
    if not shown:
        return before
    last = shown[-1]["updated"]
    earlier = before[1:] if before[:1] == (last,) else ()
    return (last, *earlier, *(one["conversation"] for one in shown if one["updated"] == last))
