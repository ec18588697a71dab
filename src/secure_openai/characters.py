"""Characters that nobody sees but that change what is read: they are shown by their number.

Source: Unicode Standard Annex 9, "Bidirectional Character Types"; CVE-2021-42574 ("Trojan Source").
"""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls, without tab and line ends
    "\u00ad\u061c\u180e"  # soft hyphen, Arabic letter mark, Mongolian separator
    "\u200b\u200e\u200f"  # zero-width space, marks of direction
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates
    "\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb"  # joiners, shaping, annotations
    "\U000e0000-\U000e007f"  # tags
    "]"
)
"""Joiners (U+200C, U+200D) stay: Persian, Indic scripts and families of emoji are written so."""


def visible(text: str) -> str:
    """Return a text in which every hidden character is written out, as `[U+202E]`."""
    return _HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def escaped(json_text: str) -> str:
    """Return a text of JSON in which every hidden character is escaped: it means what it meant.

    Between its strings JSON has no hidden character, and in them each may be escaped (RFC 8259, 7).
    """
    return _HIDDEN.sub(_escape, json_text)


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
