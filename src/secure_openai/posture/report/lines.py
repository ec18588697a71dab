"""Lines for a terminal: text with its styles, for whoever can show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

WIDTH: Final = 80
"""Columns, where nobody says how many there are."""

Part = str | tuple[str, str]
"""A piece of a line: text, or text with its style in the words of rich, such as `bold red`."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        parts: Its pieces, each with its style; empty for none.
    """

    parts: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, *parts: Part) -> Self:
        """Return a line of some pieces, without those that are empty."""
        styled = ((one, "") if isinstance(one, str) else one for one in parts)
        return cls(tuple(one for one in styled if one[0]))

    @property
    def plain(self) -> str:
        """Return its text."""
        return "".join(text for text, _ in self.parts)
