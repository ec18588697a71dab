"""Marks on a picture: where in it a finding sits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from secure_openai.posture.applications import identities_of
from secure_openai.posture.architecture.picture import Picture, slots_of
from secure_openai.posture.estate import Resource, fold
from secure_openai.posture.topology import Topology

DOUBT: Final = "doubt"
"""The kind of a mark at what cannot be told; every other kind is a severity."""

DIRECTORY: Final = "entra"
ELSEWHERE: Final = ""
"""Where a mark goes that belongs to nothing that is drawn."""

_ID: Final = "/subscriptions/"
# What says more about where a resource belongs than its own id does.
_REFERENCES: Final = (
    "private_dns_zone_id",
    "linked_resource_id",
    "target_resource_id",
    "scope",
    "subnet_id",
    "network_security_group_id",
    "virtual_network_id",
    "storage_account_id",
    "cognitive_account_id",
    "key_vault_id",
)


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark.

    Attributes:
        label: What stands in it: a finding's number, or `?`.
        kind: A severity, or `DOUBT`.
        says: What it stands for, in words.
        address: The resource that it belongs to.
        target: Where it leads on the page; empty for nowhere.
    """

    label: str
    kind: str
    says: str
    address: str
    target: str = ""


def placed(topology: Topology, shown: Picture, marks: Iterable[Mark]) -> dict[str, list[Mark]]:
    """Return the marks by the key of what they are drawn at, or `ELSEWHERE`."""
    places = _places(topology, shown)
    found: dict[str, list[Mark]] = {}
    for mark in marks:
        found.setdefault(_place(topology, places, mark.address), []).append(mark)
    return found


def _places(topology: Topology, shown: Picture) -> dict[str, str]:
    """Return the keys of what is drawn, by address and by id; the first to claim an id has it."""
    places: dict[str, str] = {}
    for key in _drawn(shown):
        resource = _at(topology, key)
        for name in (key, fold(resource.id) if resource else ""):
            places.setdefault(name, key)
    for key in list(places.values()):
        for name in _behind(topology, key):
            places.setdefault(name, key)
    places.pop("", None)
    return places


def _drawn(shown: Picture) -> Iterator[str]:
    """Yield the key of everything that is drawn, what is called before who calls."""
    for service in shown.every_service:
        yield service.key
        yield from (one.key for one in service.connections)
    for network in shown.networks:
        yield from (one.key for one in network.zones)
        for subnet in (*network.callers, *network.holders):
            yield subnet.key
            yield from (one.key for one in subnet.occupants)
        yield network.key
    yield from (one.key for one in shown.loose)


def _behind(topology: Topology, address: str) -> Iterator[str]:
    """Yield the ids of what belongs to something drawn and is not drawn itself.

    A subnet's rules; the identities that a service and its slots act as, their machines, and the
    private zones of their names.
    """
    resource = _at(topology, address)
    if resource is None:
        return
    subnet = topology.subnets.get(fold(resource.id))
    if subnet and subnet.group:
        yield fold(subnet.group.id)
    for app in (resource, *slots_of(topology, resource)):
        yield from identities_of(app)
    yield resource.refers("service_plan_id")
    for endpoint in topology.endpoints.get(fold(resource.id), ()):
        yield from endpoint.zones
    for door in topology.doors_of.get(address, ()):
        yield from (fold(one.id) for name in door.zones for one in topology.zones_named(name))


def _place(topology: Topology, places: Mapping[str, str], address: str) -> str:
    if address in places:
        return places[address]
    resource = _at(topology, address)
    if resource is None:
        return _nearest(places, fold(address))
    if resource.type.startswith("azuread_"):
        return DIRECTORY
    for name in _REFERENCES:
        key = _nearest(places, fold(resource.values.get(name)))
        if key != ELSEWHERE:
            return key
    for identifier in (resource.id, *_ids(resource.values)):
        key = _nearest(places, fold(identifier))
        if key != ELSEWHERE:
            return key
    return ELSEWHERE


def _nearest(places: Mapping[str, str], identifier: str) -> str:
    """Return the key of what has this id, or of what it lies below."""
    while identifier.startswith(_ID):
        if identifier in places:
            return places[identifier]
        identifier = identifier.rpartition("/")[0]
    return ELSEWHERE


def _ids(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        if values.startswith(_ID):
            yield values
    elif isinstance(values, Mapping):
        for one in values.values():
            yield from _ids(one)
    elif isinstance(values, list):
        for one in values:
            yield from _ids(one)


def _at(topology: Topology, address: str) -> Resource | None:
    try:
        return topology.estate.at(address)
    except KeyError:
        return None
