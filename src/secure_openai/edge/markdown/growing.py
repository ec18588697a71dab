"""A text that is still being written, as HTML that grows with it.

Blocks that have ended are read once and stay. The block under way is read again each time that it
has grown by a part of itself, so that all of it costs a few readings, however long it becomes and
in however small pieces it comes. What follows that is text. All of it passes where a whole text
passes: half of a link, of an element or of a formula is no more than the whole of it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from secure_openai.characters import visible
from secure_openai.edge.markdown.blocks import Blocks
from secure_openai.edge.markdown.rendering import (
    LARGEST_CHARACTERS,
    SECONDS,
    Environment,
    TooLong,
    as_it_is,
    read,
)

FIRST = 6
"""Characters after which a block that has begun is read."""

LEAST = 24
"""Characters by which it grows at least before it is read again."""

PART = 8
"""One part of so many, by which it grows else."""

ALTOGETHER = 1.0
"""What all readings of one text may take; after that the rest is text until the whole is read."""

_UNDECIDED = re.compile(r"(?:\n|^)[ \t]*(?:[-=+*>#|`~$\\\[]+|\d{1,9}[.)]?)$")
"""A line that so far is only a mark: a dash may become an item, a heading's line or a rule."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What changes of what is shown.

    Attributes:
        html: Blocks that have ended, to be added for good.
        draft: The block under way as far as it was read, in place of the draft before.
        tail: What follows it, as text, in place of the tail before.
    """

    html: str
    draft: str
    tail: str


class Growing:
    """Shows a text as it grows.

    What has ended depends on the text alone and not on the pieces in which it came: who comes back
    to it is told what they have not seen.
    """

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._open = ""
        self._added: list[str] = []
        self._added_length = 0
        self._settled = 0
        self._read = 0
        self._held = ""
        self._left = ALTOGETHER
        self._environment: Environment = {}

    def skip(self, text: str) -> None:
        """Take what was shown before, to somebody else or over another connection."""
        self._take(text)
        self._cut()
        self._read = len(self._open)

    def add(self, text: str) -> Growth | None:
        """Take what follows; return what changes, or `None` where it only follows the tail."""
        self._take(text)
        ended = self._blocks.ended > self._settled
        if not ended and self._added_length < self._step:
            return None
        finished = self._cut()
        shown = self._finished(finished) if finished else ""
        if not finished and not self._may_read:
            # Nothing is read any more: what follows goes to the tail.
            self._read = len(self._open)
            return None
        return self._growth(shown)

    @property
    def _step(self) -> int:
        return max(LEAST, self._read // PART) if self._read > FIRST else FIRST

    @property
    def _may_read(self) -> bool:
        return self._left > 0 and self._settled + len(self._open) <= LARGEST_CHARACTERS

    def _take(self, text: str) -> None:
        text = self._held + text
        # The line feed of a carriage return may come with the next piece.
        self._held = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")
        self._blocks.add(text)
        self._added.append(text)
        self._added_length += len(text)

    def _cut(self) -> str:
        """Return what has ended since, and keep the rest open."""
        whole = self._open + "".join(self._added)
        self._added.clear()
        self._added_length = 0
        at = self._blocks.ended - self._settled
        self._settled = self._blocks.ended
        self._open = whole[at:]
        return whole[:at]

    def _finished(self, text: str) -> str:
        if self._may_read:
            try:
                return self._reading(text, self._environment)
            except TooLong:
                pass
        return as_it_is(text.strip("\n")) if text.strip() else ""

    def _growth(self, html: str) -> Growth:
        self._read = len(self._open)
        at = _certain(self._open)
        if at and self._may_read:
            known = self._environment.get("references", {})
            try:
                # A draft defines nothing for good.
                draft = self._reading(
                    self._open[:at], {**self._environment, "references": dict(known)}
                )
            except TooLong:
                self._left = 0
            else:
                return Growth(html, draft, visible(self._open[at:]))
        return Growth(html, "", visible(self._open))

    def _reading(self, text: str, environment: Environment) -> str:
        begun = time.thread_time()
        try:
            return read(text, environment, seconds=min(SECONDS, self._left))
        finally:
            self._left -= time.thread_time() - begun


def _certain(text: str) -> int:
    """Return how much of a block under way is read: to the end of a word, and no single mark."""
    end = max(text.rfind(" "), text.rfind("\n"), text.rfind("\t"))
    while end > 0:
        found = _UNDECIDED.search(text, max(0, end - LEAST), end)
        if found is None:
            return len(text[:end].rstrip(" \t\n")) if text[:end].strip() else 0
        end = found.start()
    return 0
