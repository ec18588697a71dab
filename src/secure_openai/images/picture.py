"""What every format has: a size in pixels that is bounded, and parts that can be cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

LARGEST_SIDE = 10_000
LARGEST_PIXELS = 50_000_000
"""What a browser or a model has to unpack: 200 MB at four bytes each."""

MOST_PARTS = 2_000
"""Chunks or segments of a file: ten times what a camera or a program writes."""


class Unreadable(Exception):
    """It is not a whole image; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A rebuilt image.

    Attributes:
        kind: Its format: `jpeg`, `png` or `webp`.
        width: In pixels, as stored: an orientation may turn it.
        height: The same.
        content: Its bytes.
    """

    kind: str
    width: int
    height: int
    content: bytes


class Format(Protocol):
    """What a module does for its format."""

    def begins(self, content: bytes) -> bool:
        """Return whether bytes begin as one."""
        ...

    def measured(self, content: bytes) -> tuple[int, int]:
        """Return width and height.

        Raises:
            Unreadable: The beginning does not say, or the size may not be.
        """
        ...

    def rebuilt(self, content: bytes) -> Picture:
        """Return an image of the parts that show it.

        Raises:
            Unreadable: It is no whole one.
        """
        ...


def checked_size(width: int, height: int) -> tuple[int, int]:
    """Return a size that may be shown.

    Raises:
        Unreadable: It may not.
    """
    if not width or not height:
        raise Unreadable("it has no size")
    if max(width, height) > LARGEST_SIDE or width * height > LARGEST_PIXELS:
        raise Unreadable(
            f"{width} by {height} pixels are too many: at most {LARGEST_SIDE} on a side and "
            f"{LARGEST_PIXELS // 1_000_000} million in all"
        )
    return width, height


def counted(number: int) -> int:
    """Return the number of the next part.

    Raises:
        Unreadable: There are more than any picture has.
    """
    if number >= MOST_PARTS:
        raise Unreadable("it has too many parts")
    return number + 1


def part(content: bytes, start: int, size: int) -> bytes:
    """Return so many bytes from somewhere.

    Raises:
        Unreadable: There are fewer.
    """
    found = content[start : start + size]
    if len(found) < size:
        raise Unreadable("it is cut off")
    return found
