"""Markers planted in what people type, and the search for them in what leaves."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote

from secure_openai.local.identity_provider.directory import PEOPLE

PROMPT = "marker-prompt-5f0c91"
ANSWER = "marker-answer-77ab02"


def personal() -> list[str]:
    """Return what names a person: names, addresses and object ids."""
    return [text for one in PEOPLE for text in (one.name, one.username, one.oid)]


def found(text: str, markers: Iterable[str]) -> list[str]:
    """Return the markers that a text holds: as they are, in an address, or in base64."""
    where = text.lower()
    return [
        marker
        for marker in markers
        if any(one.lower() in where for one in (marker, quote(marker), _inside_base64(marker)))
    ]


def _inside_base64(marker: str) -> str:
    """Return what base64 makes of a marker's middle, wherever it begins."""
    return base64.b64encode(marker.encode())[:-4].decode()
