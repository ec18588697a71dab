"""Who comes to a service from the Internet, in one word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from secure_openai.posture.estate import UNKNOWN, Resource
from secure_openai.posture.firewalls import Firewall, firewall
from secure_openai.posture.paths import from_internet
from secure_openai.posture.private_link import Door
from secure_openai.posture.statements.reach import declared_door
from secure_openai.posture.topology import Topology


class Access(StrEnum):
    """What a service's public door is; the worst of several comes last."""

    CLOSED = "closed"
    DECLARED = "declared"
    LISTED = "listed"
    UNKNOWN = "not known"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class PublicDoor:
    """A service's public door, and what people call its state: `closed`, `2 ranges`."""

    access: Access
    says: str


_ORDER = list(Access)


def worst(found: Iterable[PublicDoor]) -> PublicDoor:
    """Return the door that admits most; a service without a door is closed."""
    none = PublicDoor(Access.CLOSED, "closed")
    return max((none, *found), key=lambda one: _ORDER.index(one.access))


def public_door(topology: Topology, door: Door) -> PublicDoor:
    """Return the state of a door as the Internet finds it."""
    service = door.service
    path = from_internet(door)
    if path.open is None:
        return PublicDoor(Access.UNKNOWN, "not known yet")
    switched = service.get("public_network_access_enabled") is True
    if path.open is False and not switched:
        return PublicDoor(Access.CLOSED, "closed")
    if declared_door(topology, service):
        return PublicDoor(Access.DECLARED, "declared")
    if service.type == "azurerm_monitor_private_link_scope":
        return PublicDoor(Access.OPEN, "open")
    return _guarded(firewall(service, door.beside))


def _guarded(wall: Firewall) -> PublicDoor:
    """Return the state of an open door behind a firewall."""
    if wall.unsure or wall.denies is None:
        return PublicDoor(Access.UNKNOWN, "not known yet")
    if not wall.denies or wall.everybody:
        return PublicDoor(Access.OPEN, "open")
    listed = len(wall.admitted)
    many = f"{listed} range{'s' * (listed != 1)}" if listed else "no address"
    return PublicDoor(Access.LISTED, many)


def telemetry_door(resource: Resource) -> PublicDoor:
    """Return whether telemetry is taken in or read from the Internet."""
    states = []
    for way in ("ingestion", "query"):
        name = f"internet_{way}"
        if resource.type == "azurerm_application_insights":
            value = resource.get(f"{name}_enabled")
            shut = value is False
        else:
            value = resource.get(f"{name}_access_type")
            shut = value == "Disabled"
        if value is UNKNOWN:
            states.append(PublicDoor(Access.UNKNOWN, "not known yet"))
        elif not shut:
            states.append(PublicDoor(Access.OPEN, "open"))
    return worst(states)
