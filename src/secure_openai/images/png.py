"""PNG: a signature, then chunks with a length, a name and a checksum.

Source: W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", 5 and 11.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from secure_openai.images.picture import Picture, Unreadable, checked_size, counted, part

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER, DATA, END = b"IHDR", b"IDAT", b"IEND"

KEPT = frozenset(
    {HEADER, b"PLTE", DATA, END, b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs"}
)
"""What shows the picture. Texts, times, Exif, profiles (which hold texts) and animations are not
among them: an animation shows its first frame."""

HEADER_BYTES = 13
CRITICAL = 0x20
"""The bit of a name's first letter that is off where a reader must know the chunk (5.4)."""


def begins(content: bytes) -> bool:
    """Return whether bytes begin as a PNG."""
    return content.startswith(SIGNATURE)


def measured(content: bytes) -> tuple[int, int]:
    """Return width and height.

    Raises:
        Unreadable: The header is not there, or the size may not be.
    """
    name = part(content, len(SIGNATURE) + 4, 4)
    if name != HEADER:
        raise Unreadable("it does not begin with its header")
    width, height = struct.unpack(">II", part(content, len(SIGNATURE) + 8, 8))
    return checked_size(width, height)


def rebuilt(content: bytes) -> Picture:
    """Return a PNG of the chunks that show it.

    Raises:
        Unreadable: It is no whole PNG.
    """
    width, height = measured(content)
    kept = [SIGNATURE]
    names: set[bytes] = set()
    for name, data, whole in _chunks(content):
        if name == HEADER and (names or len(data) != HEADER_BYTES):
            raise Unreadable("its header is not in order")
        if name not in KEPT and not name[0] & CRITICAL:
            raise Unreadable("it has a part that nobody knows")
        names.add(name)
        if name in KEPT:
            kept.append(whole)
    if DATA not in names:
        raise Unreadable("there is no picture in it")
    return Picture("png", width, height, b"".join(kept))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield each chunk's name, its data and the whole of it, up to the end that it declares."""
    place, number = len(SIGNATURE), 0
    while True:
        number = counted(number)
        size, name = struct.unpack(">I4s", part(content, place, 8))
        whole = part(content, place, size + 12)
        data = whole[8:-4]
        if not name.isalpha() or zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:], "big"):
            raise Unreadable("a checksum is wrong")
        yield name, data, whole
        if name == END:
            return
        place += len(whole)
