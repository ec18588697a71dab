"""Text of an estate as it may be shown: nothing in it moves a cursor, turns a line or runs on."""

from __future__ import annotations

from typing import Final

MOST: Final = 400
"""Characters that are shown of one text; Azure's longest id is shorter."""

_LINE: Final = "\n"


def printable(text: object, most: int = MOST, *, lines: bool = False) -> str:
    """Return a text in which every character that is not printed is written out as its code point.

    Control characters, marks that change the direction of writing (Unicode Technical Report 36,
    2.6), invisible ones and halves of surrogate pairs become `⟨U+202E⟩`. What is cut says so.

    Args:
        text: What an estate, a file or a person named.
        most: How many characters are kept.
        lines: Whether line feeds stay.
    """
    whole = str(text)
    kept = whole[:most]
    if not kept.isprintable():
        kept = "".join(_shown(one, lines=lines) for one in kept)
    if len(whole) > most:
        kept += f"… (cut: {len(whole):,} characters)"
    return kept


def _shown(character: str, *, lines: bool) -> str:
    if character.isprintable() or (lines and character == _LINE):
        return character
    return f"⟨U+{ord(character):04X}⟩"


def many(count: int, noun: str) -> str:
    """Return how many of something there are, in words that fit."""
    return f"{count} {noun}{'s' * (count != 1)}"
