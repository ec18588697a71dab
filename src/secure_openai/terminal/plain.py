"""Text of others as a terminal may show it: it is read, and does nothing.

A terminal obeys what stands between the letters: it moves its cursor, changes its title, writes to
the clipboard, answers questions into the keyboard's buffer (ECMA-48; xterm, "Control Sequences").
A model writes what it has read somewhere, so whoever wrote that would speak to the terminal.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST_SENTENCE: Final = 500

_OBEYED = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tab and line feed, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction of writing (Unicode TR 36, 2.6)
    "\u2028\u2029"  # separators that some programs take for line feeds
    "\U000e0000-\U000e007f"  # tags: letters that nobody sees
    "]"
)
_HALVES = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    """Return a text without what a terminal would obey; tabs and line feeds stay.

    One character is judged at a time, so it does not matter where a stream is cut.
    """
    return _HALVES.sub("\ufffd", _OBEYED.sub("", text))


def sentence(text: str) -> str:
    """Return a text of others as one line of bounded length."""
    return " ".join(plain(text.replace("\n", " ")).split())[:LONGEST_SENTENCE]
