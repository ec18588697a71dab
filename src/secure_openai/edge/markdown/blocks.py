"""Where the blocks of a text that is still being written have certainly ended.

Markdown is read line by line, and a block of the outermost level that has ended is never opened
again (CommonMark, "Appendix: A parsing strategy"). Each line is looked at once. Where it is not
plain that one has ended, it has not: the whole text says so in the end.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r" {0,3}(?:(`{3,})(?![^\n]*`)|(~{3,}))")
_HEADING = re.compile(r"#{1,6}(?:[ \t]|$)")
_ITEM = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$)")
_ITEM_PERHAPS = re.compile(r"(?:[-+*]|\d{1,9}[.)]?)?(?:[ \t]|$)")

HEAD = 12
"""Characters of a line after which it is known whether it is an item."""


class Blocks:
    """Finds the ends of blocks.

    Attributes:
        ended: How many characters of what was added are in blocks that have ended.
    """

    def __init__(self) -> None:
        self.ended = 0
        self._length = 0
        self._line: list[str] = []
        self._head = ""
        self._fence = ""
        self._formula = ""
        self._list = False
        self._blank = False

    def add(self, text: str) -> None:
        """Take what follows; its lines end with line feeds."""
        *whole, rest = text.split("\n")
        for line in whole:
            self._line.append(line)
            self._take("".join(self._line))
            self._line.clear()
            self._head = ""
        if rest:
            self._line.append(rest)
            if self._blank and len(self._head) < HEAD:
                self._head += rest[:HEAD]
                self._look_ahead()

    def _take(self, line: str) -> None:
        begin, self._length = self._length, self._length + len(line) + 1
        if self._fence:
            self._in_fence(line)
        elif self._formula:
            self._in_formula(line)
        elif not line.strip(" \t"):
            self._blank = True
        else:
            self._in_blocks(line, begin)

    def _look_ahead(self) -> None:
        """See in the first characters of a line that it begins a block, as `_in_blocks` will."""
        if self._head[0] in " \t(" or (self._list and _ITEM_PERHAPS.match(self._head)):
            return
        self._end(self._length)

    def _in_fence(self, line: str) -> None:
        closing = line.strip(" \t")
        if (
            closing.startswith(self._fence)
            and not closing.strip(self._fence[0])
            and len(line) - len(line.lstrip(" ")) <= len("   ")
        ):
            self._fence = ""
            self._end(self._length)

    def _in_formula(self, line: str) -> None:
        # Dollars close it at the end of a line only, as those within may be of its text.
        if line.rstrip(" \t").endswith("$$") if self._formula == "$$" else "\\]" in line:
            self._formula = ""

    def _in_blocks(self, line: str, begin: int) -> None:
        outermost = line[0] not in " \t"
        fence = None if self._list and not outermost else _FENCE.match(line)
        item = _ITEM.match(line) is not None
        if fence is not None:
            self._end(begin)
            self._fence = fence[1] or fence[2]
            return
        if _HEADING.match(line):
            self._end(begin)
            self._end(self._length)
            return
        # An item goes on with its list, and a number in parentheses with its formula.
        if self._blank and outermost and line[0] != "(" and not (item and self._list):
            self._end(begin)
        self._list |= item
        self._blank = False
        self._formula = _opens(line.strip(" \t"))

    def _end(self, at: int) -> None:
        self.ended = at
        self._list = self._blank = False


def _opens(line: str) -> str:
    """Return how the formula ends that a line begins and does not end, empty where none is."""
    for opening, closing in (("$$", "$$"), ("\\[", "\\]")):
        if line.startswith(opening) and closing not in line[2:]:
            return closing
    return ""
