"""Images by their bytes: what is read, what is cut off, and what is refused."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from secure_openai.errors import UnsupportedMediaType
from secure_openai.images import kind_of, measured, picture_of
from secure_openai.images.jpeg import _exif, _orientation
from secure_openai.images.picture import Unreadable, checked_size

SECRET = b"48.2082N 16.3738E"
ORIENTATION = 0x0112
HTML = b"<script>alert(1)</script>"


def drawn(mode: str = "RGB", size: tuple[int, int] = (33, 17)) -> Image.Image:
    """Return a picture that no two places of are alike."""
    picture = Image.effect_noise(size, 80).convert("RGB")
    picture.putpixel((0, 0), (255, 0, 0))
    return picture.convert(mode)


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """Return a picture as a program saves it, with a secret wherever the format takes one."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    exif.get_ifd(0x8825)[1] = SECRET.decode()
    if "orientation" in options:
        exif[ORIENTATION] = options.pop("orientation")
    told: dict[str, Any] = {"exif": exif.tobytes()}
    if kind == "png":
        told["pnginfo"] = PngImagePlugin.PngInfo()
        told["pnginfo"].add_text("Comment", SECRET.decode(), zip=False)
        told["pnginfo"].add_itxt("Author", SECRET.decode())
    elif kind == "jpeg":
        told["comment"] = SECRET
    else:
        told["xmp"] = SECRET
    file = io.BytesIO()
    drawn(mode).save(file, kind.upper(), **told, **options)
    return file.getvalue()


def pixels(content: bytes) -> tuple[str, tuple[int, int], bytes]:
    """Return what a decoder sees."""
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        return str(picture.format), picture.size, picture.convert("RGBA").tobytes()


EVERY = [
    ("png", "RGB", {}),
    ("png", "RGBA", {}),
    ("png", "P", {}),
    ("png", "L", {}),
    ("png", "I;16", {}),
    ("png", "1", {}),
    ("jpeg", "RGB", {}),
    ("jpeg", "L", {}),
    ("jpeg", "CMYK", {}),
    ("jpeg", "RGB", {"progressive": True, "quality": 95}),
    ("jpeg", "RGB", {"restart_marker_blocks": 1}),
    ("webp", "RGB", {}),
    ("webp", "RGB", {"lossless": True}),
    ("webp", "RGBA", {}),
    ("webp", "RGBA", {"lossless": True}),
]


@pytest.mark.parametrize(("kind", "mode", "options"), EVERY)
def test_a_picture_stays_and_what_it_tells_goes(
    kind: str, mode: str, options: dict[str, Any]
) -> None:
    """A decoder sees the same pixels; no position, text or comment is left in the bytes."""
    given = encoded(kind, mode, **options)
    assert SECRET in given

    picture = picture_of(given)

    assert (picture.kind, picture.width, picture.height) == (kind, 33, 17)
    assert pixels(picture.content) == pixels(given)
    assert SECRET not in picture.content
    assert picture_of(picture.content) == picture
    assert measured(given) == measured(picture.content) == (33, 17)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_photograph_stays_turned(orientation: int) -> None:
    """How a JPEG is turned is said anew, and nothing else of its Exif."""
    content = picture_of(encoded("jpeg", orientation=orientation)).content

    with Image.open(io.BytesIO(content)) as picture:
        assert dict(picture.getexif()) == {ORIENTATION: orientation}
    assert SECRET not in content


@pytest.mark.parametrize(("kind", "mode", "options"), EVERY)
def test_nothing_hangs_on(kind: str, mode: str, options: dict[str, Any]) -> None:
    """What stands behind the picture's own end is not kept: no page, no archive, no program."""
    given = encoded(kind, mode, **options)

    for behind in (HTML, b"PK\x03\x04" + HTML, b"%PDF-1.7" + HTML, given, b"\0" * 9):
        assert picture_of(given + behind) == picture_of(given)


def test_what_is_hidden_in_a_chunk_goes() -> None:
    """A chunk, a segment or a box of one's own is no part of the picture."""
    png, jpeg, webp = (encoded(kind) for kind in ("png", "jpeg", "webp"))
    own = b"teXt" + HTML
    chunk = struct.pack(">I", len(HTML)) + own + struct.pack(">I", zlib.crc32(own))
    segment = b"\xff\xef" + struct.pack(">H", len(HTML) + 2) + HTML
    box = b"EVIL" + struct.pack("<I", len(HTML)) + HTML + b"\0" * (len(HTML) % 2)
    body = webp[12:] + box

    for hidden, plain in (
        (png[:33] + chunk + png[33:], png),
        (jpeg[:2] + segment + jpeg[2:], jpeg),
        (b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body, webp),
    ):
        assert HTML in hidden
        assert picture_of(hidden) == picture_of(plain)


NONE = {
    "nothing": b"",
    "a page": b"<!doctype html>" + HTML,
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "SVG behind a prologue": b'<?xml version="1.0"?><svg/>',
    "a page behind a blank": b" " + encoded("png"),
    "GIF": b"GIF89a" + b"\1\0\1\0\0\0\0;",
    "BMP": b"BM" + b"\0" * 60,
    "TIFF": b"II*\0" + b"\0" * 60,
    "AVIF": b"\0\0\0\x1cftypavif" + b"\0" * 60,
    "PDF": b"%PDF-1.7\n",
    "a sound": b"RIFF\x24\0\0\0WAVEfmt ",
    "a signature": b"\x89PNG\r\n\x1a\n",
    "a signature and a page": b"\x89PNG\r\n\x1a\n" + HTML,
    "a JPEG's beginning and a page": b"\xff\xd8\xff\xe0" + HTML,
    "a WebP's beginning and a page": b"RIFF\x99\0\0\0WEBP" + HTML,
    "a JPEG's beginning and end": b"\xff\xd8\xff\xd9",
    "PNG, spoilt by a text mode": encoded("png").replace(b"\r\n", b"\n"),
}


@pytest.mark.parametrize("what", NONE)
def test_what_is_no_image(what: str) -> None:
    """Only whole images of three formats are read, whatever they are called."""
    with pytest.raises(UnsupportedMediaType):
        picture_of(NONE[what])


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_what_is_cut_off(kind: str) -> None:
    """A part of an image is none, wherever it ends."""
    given = picture_of(encoded(kind)).content

    for size in range(len(given)):
        with pytest.raises(UnsupportedMediaType):
            picture_of(given[:size])


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_what_is_spoilt_is_refused_or_read(kind: str) -> None:
    """Whatever bytes are turned, an image is read or refused; nothing else happens."""
    given, chance = bytearray(encoded(kind)), random.Random(1)
    for _ in range(3_000):
        spoilt = bytearray(given)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(min(len(spoilt), 200))] = chance.randrange(256)
        try:
            picture = picture_of(bytes(spoilt))
        except UnsupportedMediaType:
            continue
        assert picture_of(picture.content) == picture
    assert measured(bytes(given[:10])) is None


def sized(kind: str, width: int, height: int) -> bytes:
    """Return an image that says it is so large."""
    given = bytearray(encoded(kind))
    if kind == "png":
        given[16:24] = struct.pack(">II", width, height)
        given[29:33] = struct.pack(">I", zlib.crc32(given[12:29]))
    elif kind == "jpeg":
        place = given.index(b"\xff\xc0") + 5
        given[place : place + 4] = struct.pack(">HH", height, width)
    else:
        place = given.index(b"VP8X") + 12
        given[place : place + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(
            3, "little"
        )
    return bytes(given)


@pytest.mark.parametrize(
    ("kind", "width", "height"),
    [
        ("png", 0, 1),
        ("png", 2**31, 2**31),
        ("png", 10_001, 1),
        ("png", 9_000, 9_000),
        ("jpeg", 0, 9),
        ("jpeg", 65_535, 65_535),
        ("webp", 2**24, 2**24),
        ("webp", 9_000, 9_000),
        ("webp", 34, 17),
    ],
)
def test_sizes_are_bounded(kind: str, width: int, height: int) -> None:
    """What would have to be unpacked to more pixels than there may be is refused unopened."""
    with pytest.raises(UnsupportedMediaType):
        picture_of(sized(kind, width, height))


def test_the_largest_pass() -> None:
    """A side of 10,000 and 50 million pixels are read."""
    assert checked_size(10_000, 5_000) == (10_000, 5_000)
    for size in ((10_001, 1), (8_000, 8_000), (0, 1), (1, 0)):
        with pytest.raises(Unreadable):
            checked_size(*size)


def tedious() -> dict[str, bytes]:
    """Return files of 2 MB that are as much work to look at as there can be."""
    size = 2_000_000
    jpeg = encoded("jpeg")
    begun = jpeg[: jpeg.index(b"\xff\xda") + 14]
    empty = b"\0\0\0\0teXt" + struct.pack(">I", zlib.crc32(b"teXt"))
    boxes = b"EVIL\0\0\0\0" * (size // 8)
    return {
        "empty segments": jpeg[:2] + b"\xff\xfe\0\2" * (size // 4) + jpeg[2:],
        "fill bytes": jpeg[:2] + b"\xff" * size + jpeg[2:],
        "a scan of nothing but 0xFF": begun + b"\xff" * size + b"\0",
        "a scan of stuffed bytes": begun + b"\xff\0" * (size // 2),
        "a scan of restarts": begun + b"\xff\xd0" * (size // 2),
        "empty scans": begun + begun[-14:] * (size // 14),
        "empty chunks": encoded("png")[:33] + empty * (size // 12) + encoded("png")[33:],
        "empty boxes": b"RIFF" + struct.pack("<I", len(boxes) + 4) + b"WEBP" + boxes,
    }


@pytest.mark.parametrize("what", tedious())
def test_what_is_tedious(what: str) -> None:
    """A file that is nothing but work is refused before the work is done."""
    given = tedious()[what]

    with pytest.raises(UnsupportedMediaType):
        picture_of(given)
    measured(given)


def test_what_moves() -> None:
    """An animated PNG is its first frame; an animated WebP is refused, as it has none apart."""
    frames = [drawn(), drawn(), drawn()]
    file = io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    still = picture_of(file.getvalue())
    assert pixels(still.content)[2] == frames[0].convert("RGBA").tobytes()
    with Image.open(io.BytesIO(still.content)) as picture:
        assert getattr(picture, "n_frames", 1) == 1
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedMediaType, match="it moves"):
        picture_of(file.getvalue())


def test_orientations_that_say_nothing() -> None:
    """What cannot be read of an Exif turns nothing, however it is built."""
    good = _exif(6)[6:]
    assert _orientation(good) == 6
    for tiff in (
        b"",
        good[:12],
        b"XX" + good[2:],
        good[:4] + b"\xff\xff\xff\xff" + good[8:],
        good[:8] + b"\xff\xff" + good[10:12],
        good.replace(b"\0\x06", b"\0\x09"),
        good.replace(b"\0\x06", b"\0\0"),
    ):
        assert _orientation(tiff) == 1


def test_kinds() -> None:
    """A format is told by its first bytes, and by nothing else."""
    assert [kind_of(encoded(kind)) for kind in ("png", "jpeg", "webp")] == ["png", "jpeg", "webp"]
    assert kind_of(b"hello") is None
    assert measured(b"hello") is None
