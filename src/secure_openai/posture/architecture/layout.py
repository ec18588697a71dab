"""Where everything of a picture stands, in pixels: people, networks, services and the Internet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.architecture.frames import NetworkFrame, Service, SubnetFrame
from secure_openai.posture.architecture.occupants import Occupant
from secure_openai.posture.architecture.picture import Picture
from secure_openai.posture.architecture.zones import ZoneLine

WIDTH: Final = 1180
MARGIN: Final = 24

PEOPLE: Final = 138
"""Width of the column of those who come in."""

_NETWORKS: Final = 200
_NETWORK: Final = 462
_INSET: Final = 14
_CALLERS: Final = 206
_HOLDERS: Final = 200
_SERVICES: Final = 698
_SERVICE: Final = 328
_HEAD: Final = 36
_SUBNET_HEAD: Final = 80
_GAP: Final = 14
_OCCUPANT: Final = 46
_LINE: Final = 19
_LEAST: Final = 52
_ZONE: Final = 17
_ZONES_HEAD: Final = 34
_PEOPLE_HIGH: Final = 290


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: left, top, width and height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """Return the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """Return the lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> int:
        """Return the height of its middle."""
        return self.y + self.height // 2


SERVICES_LEFT: Final = _SERVICES
HOLDERS_LEFT: Final = _NETWORKS + _NETWORK - _INSET - _HOLDERS
HOLDERS_RIGHT: Final = HOLDERS_LEFT + _HOLDERS
INTERNET_LEFT: Final = 1112
INTERNET_WIDTH: Final = 44


@dataclass(frozen=True)
class Laid:
    """Where everything stands.

    Attributes:
        networks: Each network's frame.
        subnets: Each subnet's frame; those that hold endpoints are right of those that call.
        occupants: What stands in a frame.
        zones: Each network's zones.
        services: Each service.
        loose: The frame around applications without a network, if there are any.
        bottom: Where the picture ends and its legend begins.
    """

    networks: tuple[tuple[NetworkFrame, Box], ...]
    subnets: tuple[tuple[SubnetFrame, Box], ...]
    occupants: tuple[tuple[Occupant, Box], ...]
    zones: tuple[tuple[tuple[ZoneLine, ...], Box], ...]
    services: tuple[tuple[Service, Box], ...]
    loose: Box | None
    bottom: int


def height_of(service: Service) -> int:
    """Return how high a service is drawn: a line for each of its private endpoints."""
    return max(_LEAST, _LINE * len(service.connections) + _GAP)


def zone_height(box: Box, index: int) -> int:
    """Return the height of the line at which one of a network's zones is written."""
    return box.y + _ZONES_HEAD + _ZONE * index + 9


def connection_height(box: Box, index: int, count: int) -> int:
    """Return the height at which one of a service's private endpoints is drawn."""
    return box.middle - _LINE * (count - 1) // 2 + _LINE * index


def laid(shown: Picture, top: int) -> Laid:
    """Return where everything stands, from `top` down."""
    builder = _Builder()
    y = top
    for network in shown.networks:
        y = builder.network(network, y) + _GAP
    loose = None
    services_top = y
    if shown.loose:
        height = _HEAD + _stack(shown.loose) + _INSET
        loose = Box(_NETWORKS, y, _CALLERS + 2 * _INSET, height)
        builder.stand(shown.loose, _NETWORKS + _INSET, y + _HEAD, _CALLERS)
        y += height + _GAP
    below = builder.serve(shown.services, services_top)
    return Laid(
        tuple(builder.networks),
        tuple(builder.subnets),
        tuple(builder.occupants),
        tuple(builder.zones),
        tuple(builder.services),
        loose,
        max(y, below, top + _PEOPLE_HIGH) - _GAP,
    )


def _stack(occupants: Sequence[Occupant]) -> int:
    return len(occupants) * (_OCCUPANT + _GAP // 2)


class _Builder:
    def __init__(self) -> None:
        self.networks: list[tuple[NetworkFrame, Box]] = []
        self.subnets: list[tuple[SubnetFrame, Box]] = []
        self.occupants: list[tuple[Occupant, Box]] = []
        self.zones: list[tuple[tuple[ZoneLine, ...], Box]] = []
        self.services: list[tuple[Service, Box]] = []

    def network(self, frame: NetworkFrame, top: int) -> int:
        """Place a network; return its lower edge."""
        left, inner = _NETWORKS + _INSET, top + _HEAD
        lower = inner
        for subnet in frame.callers:
            height = _SUBNET_HEAD + _stack(subnet.occupants) + _GAP // 2
            box = Box(left, lower, _CALLERS, height)
            self.subnets.append((subnet, box))
            self.stand(subnet.occupants, left + 12, lower + _SUBNET_HEAD, _CALLERS - 24)
            lower += height + _GAP
        if frame.zones:
            height = _ZONES_HEAD + _ZONE * len(frame.zones) + 4
            self.zones.append((frame.zones, Box(left, lower, _CALLERS, height)))
            lower += height + _GAP
        right = inner
        for subnet in frame.holders:
            head = _SUBNET_HEAD + _stack(subnet.occupants)
            x = _NETWORKS + _NETWORK - _INSET - _HOLDERS
            self.stand(subnet.occupants, x + 12, right + _SUBNET_HEAD, _HOLDERS - 24)
            below = self.serve(subnet.services, right + head)
            self.subnets.append((subnet, Box(x, right, _HOLDERS, below - right)))
            right = below + _GAP
        bottom = max(lower, right, inner + _GAP)
        self.networks.append((frame, Box(_NETWORKS, top, _NETWORK, bottom - top)))
        return bottom

    def stand(self, occupants: Sequence[Occupant], x: int, top: int, width: int) -> None:
        """Place occupants below one another."""
        for index, one in enumerate(occupants):
            y = top + index * (_OCCUPANT + _GAP // 2)
            self.occupants.append((one, Box(x, y, width, _OCCUPANT)))

    def serve(self, services: Sequence[Service], top: int) -> int:
        """Place services below one another; return the lower edge."""
        y = top
        for one in services:
            height = height_of(one)
            self.services.append((one, Box(_SERVICES, y, _SERVICE, height)))
            y += height + _GAP
        return y
