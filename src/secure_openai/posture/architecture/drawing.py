"""Each thing of a picture, drawn where it stands, with the marks that belong to it."""

from __future__ import annotations

from typing import Final

from secure_openai.posture.architecture.access import Access
from secure_openai.posture.architecture.frames import NetworkFrame, Service, SubnetFrame
from secure_openai.posture.architecture.layout import (
    HOLDERS_LEFT,
    HOLDERS_RIGHT,
    INTERNET_LEFT,
    SERVICES_LEFT,
    Box,
    Laid,
    connection_height,
    zone_height,
)
from secure_openai.posture.architecture.marks import Mark
from secure_openai.posture.architecture.occupants import Occupant
from secure_openai.posture.architecture.shapes import (
    badges,
    badges_width,
    endpoint,
    fitted,
    line,
    rect,
    text,
)
from secure_openai.posture.architecture.zones import ZoneLine

_TOLD: Final = {True: "", False: "✗ ", None: "? "}
_KIND: Final = {True: "dim small", False: "alarm small", None: "doubtful small"}
_WARNINGS: Final = (
    "no security group",
    "do not count",
    "Azure's default",
    "no identity",
    "public address",
)
_LINES: Final = {True: "", False: "stopped", None: "doubted"}


class Placed:
    """Marks that are still to be drawn: what stands in a picture twice has them once."""

    def __init__(self, marks: dict[str, list[Mark]]) -> None:
        self._marks = marks

    def take(self, key: str) -> list[Mark]:
        """Return the marks of what is drawn, the first time that they are asked for."""
        return self._marks.pop(key, [])

    def rest(self) -> list[Mark]:
        """Return the marks that nothing was drawn for."""
        found = [mark for marks in self._marks.values() for mark in marks]
        self._marks.clear()
        return found


def network(frame: NetworkFrame, box: Box, at: Placed) -> list[str]:
    """Draw a network's frame."""
    kind = "Network outside the estate:" if frame.outside else "Virtual network"
    return [
        rect(box, "none" if frame.outside else "net", 8),
        text(box.x + 14, box.y + 23, f"{kind} {frame.label}", "ink", width=box.width - 110),
        *badges(box.right - 10, box.y, at.take(frame.key)),
    ]


def subnet(frame: SubnetFrame, box: Box, at: Placed) -> list[str]:
    """Draw a subnet's frame."""
    lines = [
        text(
            box.x + 12,
            box.y + 38 + 15 * index,
            one,
            _told(one),
            width=box.width - 20,
        )
        for index, one in enumerate(frame.details)
    ]
    return [
        rect(box, "sub"),
        text(box.x + 12, box.y + 21, f"Subnet {frame.label}", "ink", width=box.width - 24),
        *lines,
        *badges(box.right - 6, box.y, at.take(frame.key)),
    ]


def _told(words: str) -> str:
    """Return the class of a line of small words: louder where it tells of a weakness."""
    return "doubtful small" if any(one in words for one in _WARNINGS) else "dim small"


def occupant(one: Occupant, box: Box, at: Placed) -> list[str]:
    """Draw what stands in a frame."""
    return [
        rect(box, "box"),
        text(box.x + 10, box.y + 19, one.title, "ink", width=box.width - 18),
        text(
            box.x + 10, box.y + 36, one.detail, _told(one.detail),
            width=box.width - 18,
        ),
        *badges(box.right - 4, box.y, at.take(one.key)),
    ]  # fmt: skip


def ways(where: Laid) -> list[str]:
    """Draw the ways from subnets with applications to the subnet with the endpoints beside them."""
    holders = [(one, box) for one, box in where.subnets if one.services]
    parts = []
    for caller, box in where.subnets:
        if caller.services or not caller.occupants:
            continue
        for holder, right in holders:
            if right.y <= box.middle <= right.bottom:
                states = {each.passes for one in holder.services for each in one.connections}
                best = next(one for one in (True, None, False) if one in states)
                parts.append(line(f"M{box.right} {box.middle} H{right.x}", _LINES[best]))
                parts.append(line(f"M{right.x - 6} {box.middle - 4} l6 4 l-6 4", "tip"))
    return parts


def loose(where: Laid) -> list[str]:
    """Draw the frame around applications that stand in no network, if there are any."""
    if where.loose is None:
        return []
    box = where.loose
    middle = box.middle + 18
    return [
        rect(box, "none", 8),
        text(box.x + 14, box.y + 23, "In no virtual network", "ink"),
        line(f"M{box.right} {middle} H{SERVICES_LEFT - 22}", "declared"),
        line(f"M{SERVICES_LEFT - 28} {middle - 4} l6 4 l-6 4", "closed"),
        text(box.right + 14, middle - 8, "calls services by their public names", "dim small"),
    ]


def zones(found: tuple[ZoneLine, ...], box: Box, at: Placed) -> list[str]:
    """Draw the private zones of a network."""
    parts = [
        rect(box, "box"),
        text(box.x + 12, box.y + 22, "Private zones", "ink"),
        text(box.x + 104, box.y + 22, "under privatelink", "dim small"),
    ]
    for index, one in enumerate(found):
        y = zone_height(box, index)
        marks = at.take(one.key)
        room = box.width - 16 - badges_width(marks, 2)
        parts += [
            text(
                box.x + 12, y + 3, f"{_TOLD[one.linked]}{one.label}", _KIND[one.linked], width=room
            ),
            *badges(box.right - 4, y, marks, 2),
        ]
    return parts


def service(one: Service, box: Box, at: Placed) -> list[str]:
    """Draw a service with the private endpoints before it and its public door behind it."""
    parts = []
    for index, each in enumerate(one.connections):
        y = connection_height(box, index, len(one.connections))
        parts += [
            line(f"M{HOLDERS_RIGHT} {y} H{box.x}", _LINES[each.passes]),
            *endpoint(HOLDERS_LEFT + 20, y, each.passes),
            text(HOLDERS_LEFT + 34, y + 4, each.label, "ink small", width=100),
            *badges(HOLDERS_RIGHT - 8, y, at.take(each.key), 2),
        ]
    parts += [
        rect(box, "box"),
        text(box.x + 14, box.middle - 5, one.title, "ink strong", width=box.width - 28),
        text(box.right - 14, box.middle - 5, _named(one), "dim small end-of-line"),
        text(box.x + 14, box.middle + 14, one.zones, "dim small", width=box.width - 28),
        *_door(one, box),
        *badges(box.right - 8, box.y, at.take(one.key)),
    ]
    return parts


def _named(one: Service) -> str:
    """Return a service's name, where there is room for it beside its title."""
    return fitted(one.name, 300 - int(len(one.title) * 8.1), small=True)


def _door(one: Service, box: Box) -> list[str]:
    """Draw a wall that ends before the Internet, or a line that leads to it."""
    y = box.middle
    kind = one.door.access.name.casefold()
    wall, sky = box.right + 16, INTERNET_LEFT
    if one.door.access is Access.CLOSED:
        return [
            line(f"M{box.right} {y} H{wall} M{wall} {y - 8} V{y + 8}", "closed"),
            text(wall + 7, y + 4, "closed", "dim small"),
        ]
    if one.door.access is Access.UNKNOWN:
        kind = "doubted"
    words = {"open": "alarm", "listed": "doubtful", "doubted": "doubtful"}.get(kind, "dim")
    return [
        line(f"M{box.right} {y} H{sky} M{box.right + 8} {y - 5} l-7 5 l7 5", kind),
        text(box.right + 14, y - 6, one.door.says, f"{words} small strong"),
    ]
