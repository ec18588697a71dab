"""JPEG: segments between markers, and the picture's data behind the start of each scan.

Sources: ITU-T T.81, annex B (markers); JFIF 1.02; Adobe, "Supporting the DCT Filters in PostScript
Level 2" (APP14); CIPA DC-008 (Exif), 4.6.2 and 4.6.4 (orientation).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from secure_openai.images.picture import Picture, Unreadable, checked_size, counted, part

START, END = b"\xff\xd8", 0xD9
SCAN = 0xDA
FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive: what browsers show."""

KEPT = frozenset({0xC4, 0xDB, 0xDD, SCAN, *FRAMES})
"""Tables, restart intervals, scans and the frame."""

DROPPED = frozenset({*range(0xE0, 0xF0), 0xFE})
"""Applications' segments (Exif, XMP, profiles, previews …) and comments."""

JFIF, ADOBE, EXIF = 0xE0, 0xEE, 0xE1
JFIF_BYTES, ADOBE_BYTES, FRAME_BYTES = 12, 12, 6

ORIENTATION = 0x0112
UPRIGHT, LAST_ORIENTATION = 1, 8
MOST_TAGS = 1_000

# Behind a scan: an 0xFF that is neither stuffed (00) nor a restart (D0 to D7) begins a marker.
# Without a repetition: one of many 0xFF would be looked at once for each.
_MARKER = re.compile(rb"\xff(?=[^\x00\xd0-\xd7\xff])")


def begins(content: bytes) -> bool:
    """Return whether bytes begin as a JPEG."""
    return content.startswith(b"\xff\xd8\xff")


def measured(content: bytes) -> tuple[int, int]:
    """Return width and height.

    Raises:
        Unreadable: The frame is not there, or the size may not be.
    """
    for marker, data in _segments(content):
        if marker in FRAMES:
            height, width = struct.unpack(">HH", part(data, 1, 4))
            return checked_size(width, height)
    raise Unreadable("there is no picture in it")


def rebuilt(content: bytes) -> Picture:
    """Return a JPEG of the segments that show it, turned as it was.

    Raises:
        Unreadable: It is no whole JPEG.
    """
    width, height = measured(content)
    head: dict[int, bytes] = {}
    body: list[bytes] = []
    orientation, frames, scans = UPRIGHT, 0, 0
    for marker, data in _segments(content):
        frames += marker in FRAMES
        scans += marker == SCAN
        if marker == JFIF and data.startswith(b"JFIF\0"):
            # Without the preview, which may show what was cut off the picture.
            head.setdefault(JFIF, _segment(JFIF, part(data, 0, JFIF_BYTES) + b"\0\0"))
        elif marker == ADOBE and data.startswith(b"Adobe"):
            head.setdefault(ADOBE, _segment(ADOBE, part(data, 0, ADOBE_BYTES)))
        elif marker == EXIF and data.startswith(b"Exif\0\0"):
            orientation = _orientation(data[6:])
        elif marker in KEPT:
            body.append(data if marker == SCAN else _segment(marker, data))
    if frames != 1 or not scans:
        raise Unreadable("there is not one picture in it")
    if orientation != UPRIGHT:
        head[EXIF] = _segment(EXIF, _exif(orientation))
    # By their numbers: JFIF stands first.
    told = [head[marker] for marker in sorted(head)]
    return Picture("jpeg", width, height, b"".join([START, *told, *body, b"\xff", bytes([END])]))


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each segment's marker and data, up to the end that it declares.

    Of a scan, the data is all of it: its header, and the picture's data behind that.
    """
    place, number = len(START), 0
    while True:
        number = counted(number)
        if part(content, place, 1) != b"\xff":
            raise Unreadable("a marker is missing")
        while part(content, place + 1, 1) == b"\xff":
            # Before a marker there may be any number of these (B.1.1.2).
            number, place = counted(number), place + 1
        marker = content[place + 1]
        if marker == END:
            return
        if marker not in KEPT | DROPPED:
            raise Unreadable("it is of a kind of JPEG that browsers do not show")
        (size,) = struct.unpack(">H", part(content, place + 2, 2))
        if size < 2:  # noqa: PLR2004 - the length counts itself
            raise Unreadable("a length is wrong")
        end = place + 2 + size
        data = part(content, place + 4, size - 2)
        if marker == SCAN:
            found = _MARKER.search(content, end)
            if found is None:
                raise Unreadable("it is cut off")
            data, end = content[place : found.start()], found.start()
        yield marker, data
        place = end


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _orientation(tiff: bytes) -> int:
    """Return how a picture is turned; what cannot be read turns nothing."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (place,) = struct.unpack_from(f"{order}I", tiff, 4)
        (tags,) = struct.unpack_from(f"{order}H", tiff, place)
        for number in range(min(tags, MOST_TAGS)):
            tag, kind, count, value = struct.unpack_from(
                f"{order}HHIH", tiff, place + 2 + 12 * number
            )
            if (tag, kind, count) == (ORIENTATION, 3, 1) and 1 <= value <= LAST_ORIENTATION:
                return int(value)
    except struct.error:
        pass
    return UPRIGHT


def _exif(orientation: int) -> bytes:
    """Return an Exif segment that says how the picture is turned, and nothing else."""
    return b"Exif\0\0" + struct.pack(
        ">2sHIHHHIHHI", b"MM", 42, 8, 1, ORIENTATION, 3, 1, orientation, 0, 0
    )
