"""A logo: small, of a kind that its own bytes show, and unable to run or fetch anything."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

LARGEST_BYTES = 64 * 1024
"""With it, the first page stays well below 150 kB."""

_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture, as it is served.

    Attributes:
        content: Its bytes.
        media_type: What they are.
    """

    content: bytes
    media_type: str


def read_logo(content: bytes) -> Logo:
    """Return a logo, by what its bytes are and not by what its file is called.

    Raises:
        ValueError: Why it is none, in a sentence without its full stop.
    """
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"the logo has {len(content)} bytes: take one of at most {LARGEST_BYTES}")
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
        return Logo(content, "image/png")
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Logo(content, "image/webp")
    _check_svg(content)
    return Logo(content, "image/svg+xml")


def _check_svg(content: bytes) -> None:
    """Pages show it as `<img>`, where a browser runs nothing of it; opened by itself it might."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("the logo is no PNG, no WebP and no SVG in UTF-8") from None
    if "<!" in text.replace("<!--", ""):
        raise ValueError("the logo declares a document type: leave <!DOCTYPE> and <!ENTITY> out")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without declarations nothing expands
    except (ET.ParseError, ValueError):
        raise ValueError("the logo is no PNG, no WebP and no SVG that can be read") from None
    if root.tag not in {f"{_SVG}svg", "svg"}:
        raise ValueError("the logo is XML, but no SVG")
    for element in root.iter():
        _check_element(element)


def _check_element(element: ET.Element) -> None:
    name = str(element.tag).rpartition("}")[2].lower()
    if name in {"script", "foreignobject", "iframe", "handler"}:
        raise ValueError(f"the logo has an element <{name}>: take it out")
    for attribute, value in element.attrib.items():
        short = attribute.rpartition("}")[2].lower()
        inside = value.strip().startswith(("#", "data:image/png", "data:image/webp"))
        if short.startswith("on"):
            raise ValueError(f"the logo has a handler {short}: take it out")
        if short in {"href", "src"} and not inside:
            raise ValueError("the logo refers to another file: draw everything in itself")
        if "url(" in value and "url(#" not in value.replace("'", "").replace('"', ""):
            raise ValueError("the logo refers to another file: draw everything in itself")
    if name == "style" and ("@import" in (element.text or "") or "url(" in (element.text or "")):
        raise ValueError("the logo's style refers to another file: draw everything in itself")
