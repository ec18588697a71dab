"""Find a text in another, whatever the case, and show where."""

from __future__ import annotations

BEFORE = 50
AFTER = 110
"""Characters around what was found."""


def place_of(wanted: str, text: str) -> int | None:
    """Return where a text stands in another, or `None`."""
    lower = text.lower()
    at = lower.find(wanted.lower())
    if at < 0 or len(lower) == len(text):
        return at if at >= 0 else None
    # Few characters become several in lower case; the place is counted in those of the text.
    seen = 0
    for place, character in enumerate(text):
        if seen >= at:
            return place
        seen += len(character.lower())
    return len(text)


def excerpt(wanted: str, text: str) -> str | None:
    """Return what stands around a text in another, on one line, or `None` where it does not."""
    at = place_of(wanted, text)
    if at is None:
        return None
    begin, end = max(0, at - BEFORE), at + len(wanted) + AFTER
    before, after = text[begin:at], text[at:end]
    if begin:
        # Not from the middle of a word.
        before = f"…{before.partition(' ')[2] or before}"
    if end < len(text):
        after = f"{after}…"
    return " ".join(f"{before}{after}".split())
