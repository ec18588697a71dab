"""A logo is a picture, and nothing else."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from secure_openai.appearance.logo import LARGEST_BYTES, read_logo


def picture(kind: str) -> bytes:
    """Return a small picture."""
    written = io.BytesIO()
    Image.new("RGB", (8, 8), "#336699").save(written, kind)
    return written.getvalue()


SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">{}</svg>'

REFUSED = {
    "nothing": b"",
    "a text": b"hello",
    "another kind": picture("GIF"),
    "a page": b"<html><body/></html>",
    "broken": b"<svg",
    "too large": picture("PNG") + b"\0" * LARGEST_BYTES,
    "a script": SVG.format("<script>alert(1)</script>").encode(),
    "a script of its namespace": SVG.format('<g xmlns:x="http://x"><x:script/></g>').encode(),
    "a page inside": SVG.format("<foreignObject/>").encode(),
    "a handler": SVG.format('<g onload="alert(1)"/>').encode(),
    "a handler in capitals": SVG.format('<g OnLoad="alert(1)"/>').encode(),
    "a beacon": SVG.format('<image href="https://evil.example/x.png"/>').encode(),
    "a script as link": SVG.format('<a href="javascript:alert(1)"><path/></a>').encode(),
    "a picture that is a page": SVG.format('<image href="data:image/svg+xml,x"/>').encode(),
    "an old link": (
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        b'<use xlink:href="https://evil.example/x.svg#a"/></svg>'
    ),
    "a fill from elsewhere": SVG.format('<path fill="url(https://evil.example/#a)"/>').encode(),
    "a style from elsewhere": SVG.format("<style>@import 'https://evil.example'</style>").encode(),
    "a picture by style": SVG.format("<style>g{background:url(//evil.example)}</style>").encode(),
    "a bomb": b'<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg"/>',
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_is_refused(name: str) -> None:
    """Whatever could run, load or grow."""
    with pytest.raises(ValueError, match="the logo"):
        read_logo(REFUSED[name])


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (picture("PNG"), "image/png"),
        (picture("WEBP"), "image/webp"),
        (SVG.format('<path d="M0 0h8v8z" fill="#123456"/>').encode(), "image/svg+xml"),
        (SVG.format('<path fill="url(#a)"/><use href="#b"/>').encode(), "image/svg+xml"),
        (b'<?xml version="1.0"?>\n<!-- drawn -->' + SVG.format("").encode(), "image/svg+xml"),
    ],
)
def test_pictures_are_taken_by_their_bytes(content: bytes, media_type: str) -> None:
    """PNG, WebP and SVG, whatever the file is called."""
    assert read_logo(content).media_type == media_type
