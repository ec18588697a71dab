"""What the shapes of a picture mean: those that are in it, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from secure_openai.posture.architecture.access import Access
from secure_openai.posture.architecture.layout import MARGIN, WIDTH, Box
from secure_openai.posture.architecture.marks import DOUBT, Mark
from secure_openai.posture.architecture.picture import Picture
from secure_openai.posture.architecture.shapes import badge, endpoint, line, rect, text
from secure_openai.posture.statements import Severity

Draw = Callable[[int, int], list[str]]
"""Draws a symbol at a point."""

_LINE: Final = 26
_LETTER: Final = 6.2
_SYMBOL: Final = 34

_ENDPOINTS: Final = {
    True: "private endpoint that serves its callers",
    False: "private endpoint that does not serve them",
    None: "private endpoint that cannot be judged",
}
_ZONES: Final = (
    (False, ("✗", "alarm"), "private zone that the network does not read"),
    (None, ("?", "doubtful"), "private zone whose link cannot be read"),
)
_DOORS: Final = {
    Access.CLOSED: "no way in from the Internet",
    Access.DECLARED: "public door, declared with its reason",
    Access.LISTED: "open to listed addresses",
    Access.UNKNOWN: "cannot be told",
    Access.OPEN: "open to the Internet",
}


def legend(shown: Picture, top: int, marks: Sequence[Mark]) -> tuple[list[str], int]:
    """Return the legend as lines of SVG that begin at a height, and where it ends."""
    x, y = MARGIN, top
    parts: list[str] = []
    for draw, words in _entries(shown, marks):
        width = _SYMBOL + int(len(words) * _LETTER) + 18
        if x + width > WIDTH - MARGIN:
            x, y = MARGIN, y + _LINE
        parts += draw(x, y)
        parts.append(text(x + _SYMBOL, y + 13, words, "dim small"))
        x += width
    return parts, y + _LINE


def _entries(shown: Picture, marks: Sequence[Mark]) -> Iterator[tuple[Draw, str]]:
    yield from _places(shown)
    states = {each.passes for one in shown.every_service for each in one.connections}
    yield from ((_endpoint(one), words) for one, words in _ENDPOINTS.items() if one in states)
    linked = {zone.linked for one in shown.networks for zone in one.zones}
    yield from ((_letter(*one), words) for told, one, words in _ZONES if told in linked)
    doors = {one.door.access for one in shown.every_service}
    yield from ((_door(one), words) for one, words in _DOORS.items() if one in doors)
    kinds = {one.kind for one in marks}
    for kind in Severity:
        if kind in kinds:
            yield _badge(kind, "1"), f"finding, {kind}"
    if DOUBT in kinds:
        yield _badge(DOUBT, "?"), "what cannot be told"


def _places(shown: Picture) -> Iterator[tuple[Draw, str]]:
    if any(not one.outside for one in shown.networks):
        yield _box("net"), "virtual network"
    if any(one.outside for one in shown.networks):
        yield _box("none"), "network of somebody else"
    if shown.networks:
        yield _box("sub"), "subnet"


def _box(kind: str) -> Draw:
    return lambda x, y: [rect(Box(x, y, 26, 18), kind, 3)]


def _endpoint(passes: bool | None) -> Draw:  # noqa: FBT001 - a state, not a switch
    return lambda x, y: endpoint(x + 13, y + 9, passes)


def _letter(letter: str, kind: str) -> Draw:
    return lambda x, y: [text(x + 8, y + 13, letter, kind)]


def _door(access: Access) -> Draw:
    kind = "doubted" if access is Access.UNKNOWN else access.name.casefold()
    wall = " m0 -7 v14" if access is Access.CLOSED else ""
    return lambda x, y: [line(f"M{x + 2} {y + 9} h22{wall}", kind)]


def _badge(kind: str, label: str) -> Draw:
    return lambda x, y: [badge(x + 13, y + 9, Mark(label, kind, "", ""))]
