"""Images that people send: what they are by their bytes, and those bytes without what they tell."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from secure_openai.errors import UnsupportedMediaType
from secure_openai.images import jpeg, png, webp
from secure_openai.images.picture import Format, Picture, Unreadable

__all__ = ["KINDS", "Picture", "kind_of", "measured", "picture_of"]

KINDS: Mapping[str, Format] = MappingProxyType({"jpeg": jpeg, "png": png, "webp": webp})
"""The formats that are read; each tells its own beginning."""

NOT_READ = (
    "It cannot be read as an image: send a PNG, a JPEG or a WebP as your program saves it. ({why}.)"
)


def kind_of(content: bytes) -> str | None:
    """Return which format bytes begin as, or `None`: nothing else says what a file is."""
    return next((name for name, one in KINDS.items() if one.begins(content)), None)


def picture_of(content: bytes) -> Picture:
    """Return an image rebuilt from the parts that show it, and from nothing else.

    What is no part of the picture is not in it any more: positions, names of devices, comments,
    previews, and whatever was hung on before, between or behind. Pixels are not decoded.

    Raises:
        UnsupportedMediaType: It is no whole image of a format that is read, or is too large.
    """
    kind = kind_of(content)
    if kind is None:
        raise UnsupportedMediaType("It is no PNG, JPEG or WebP image, whatever its name says.")
    try:
        return KINDS[kind].rebuilt(content)
    except Unreadable as error:
        raise UnsupportedMediaType(NOT_READ.format(why=error)) from None


def measured(content: bytes) -> tuple[int, int] | None:
    """Return the width and the height that the beginning of an image says, or `None`."""
    kind = kind_of(content)
    try:
        return None if kind is None else KINDS[kind].measured(content)
    except Unreadable:
        return None
