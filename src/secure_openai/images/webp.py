"""WebP: chunks in a RIFF file.

Sources: RFC 9649, 2 (container) and 3 (lossless); RFC 6386, 9.1 (the lossy frame's header).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from secure_openai.images.picture import Picture, Unreadable, checked_size, counted, part

EXTENDED, ALPHA, LOSSY, LOSSLESS = b"VP8X", b"ALPH", b"VP8 ", b"VP8L"
FRAMES = frozenset({LOSSY, LOSSLESS})
ANIMATED = frozenset({b"ANIM", b"ANMF"})

HAS_ALPHA = 0x10
"""The only flag of the extended header that is left: the others speak of what is dropped."""

HEADER_BYTES = 12
LOSSY_CODE = b"\x9d\x01\x2a"
LOSSLESS_CODE = 0x2F


def begins(content: bytes) -> bool:
    """Return whether bytes begin as a WebP."""
    return content.startswith(b"RIFF") and content[8:12] == b"WEBP"


def measured(content: bytes) -> tuple[int, int]:
    """Return width and height.

    Raises:
        Unreadable: The first chunk does not say, or the size may not be.
    """
    name = part(content, HEADER_BYTES, 4)
    data = content[HEADER_BYTES + 8 : HEADER_BYTES + 18]
    return checked_size(*_size(name, data))


def rebuilt(content: bytes) -> Picture:
    """Return a WebP of the chunks that show it; what turns it in its Exif is lost with that.

    Raises:
        Unreadable: It is no whole WebP, or moves.
    """
    width, height = measured(content)
    kept: dict[bytes, bytes] = {}
    for name, data in _chunks(content):
        if name in ANIMATED:
            raise Unreadable("it moves")
        if name in {EXTENDED, ALPHA, *FRAMES}:
            if name in kept:
                raise Unreadable("there is not one picture in it")
            kept[name] = data
    frames = [name for name in kept if name in FRAMES]
    if len(frames) != 1:
        raise Unreadable("there is not one picture in it")
    if _size(frames[0], kept[frames[0]][:10]) != (width, height):
        raise Unreadable("its sizes differ")
    chunks = []
    if EXTENDED in kept:
        header = part(kept[EXTENDED], 0, 10)
        chunks.append(_chunk(EXTENDED, bytes([header[0] & HAS_ALPHA]) + b"\0\0\0" + header[4:]))
        if ALPHA in kept:
            chunks.append(_chunk(ALPHA, kept[ALPHA]))
    chunks.append(_chunk(frames[0], kept[frames[0]]))
    body = b"WEBP" + b"".join(chunks)
    return Picture("webp", width, height, b"RIFF" + struct.pack("<I", len(body)) + body)


def _size(name: bytes, data: bytes) -> tuple[int, int]:
    if name == EXTENDED:
        size = part(data, 4, 6)
        return int.from_bytes(size[:3], "little") + 1, int.from_bytes(size[3:], "little") + 1
    if name == LOSSY:
        if part(data, 3, 3) != LOSSY_CODE:
            raise Unreadable("its frame does not begin as one")
        # The two highest bits of each scale the picture when it is shown.
        width, height = struct.unpack("<HH", part(data, 6, 4))
        return width & 0x3FFF, height & 0x3FFF
    if name == LOSSLESS:
        if part(data, 0, 1)[0] != LOSSLESS_CODE:
            raise Unreadable("its frame does not begin as one")
        bits = int.from_bytes(part(data, 1, 4), "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise Unreadable("there is no picture in it")


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each chunk's name and data, up to the end that the file declares."""
    (size,) = struct.unpack("<I", part(content, 4, 4))
    body = part(content, 8, size)
    place, number = 4, 0
    while place < len(body):
        number = counted(number)
        name, length = struct.unpack("<4sI", part(body, place, 8))
        yield name, part(body, place + 8, length)
        place += 8 + length + length % 2


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
