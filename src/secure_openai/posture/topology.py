"""The networks of an estate: subnets and their rules, endpoints, zones and links, by id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from secure_openai.posture.applications import identities_of, named_hosts
from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.estate import Estate, Resource, Values, fold
from secure_openai.posture.private_link import (
    FUNCTIONS,
    SERVICES,
    SITES,
    Door,
    doors,
    infer_cloud,
)
from secure_openai.posture.security_rules import Rule, rules
from secure_openai.posture.subnets import (
    Route,
    Subnet,
    network_of_subnet,
    occupied,
    routes,
    subnets,
)
from secure_openai.posture.zones import service_domain

_HOST_STORAGE: Final = ("blob", "queue", "table")
_AZURE_DNS: Final = "168.63.129.16"
_RECORDS: Final = (
    "azurerm_private_dns_a_record",
    "azurerm_private_dns_aaaa_record",
    "azurerm_private_dns_cname_record",
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One private endpoint.

    Attributes:
        resource: What declares it.
        target: The id that it connects to.
        subresources: What of it.
        manual: Whether somebody must approve it first.
        subnet: The subnet that it stands in.
        zones: Ids of the private zones that it registers in.
    """

    resource: Resource
    target: str
    subresources: tuple[str, ...]
    manual: bool
    subnet: str
    zones: tuple[str, ...]

    @property
    def addresses(self) -> set[str]:
        """Return the addresses at which it answers, as far as they are written down."""
        values = self.resource.values
        found = {
            str(one.get("private_ip_address"))
            for name in ("private_service_connection", "ip_configuration")
            for one in values.get(name) or ()
            if one.get("private_ip_address")
        }
        for one in values.get("custom_dns_configs") or ():
            found.update(map(str, one.get("ip_addresses") or ()))
        return found

    @property
    def fixed(self) -> tuple[str, ...]:
        """Return the addresses that it is told to take; empty where Azure gives it any of them."""
        given = [
            self.resource.get(f"ip_configuration.{number}.private_ip_address")
            for number, _ in enumerate(self.resource.blocks("ip_configuration"))
        ]
        return tuple(map(str, given)) if all(isinstance(one, str) and one for one in given) else ()


@dataclass(frozen=True, slots=True)
class Zone:
    """One private zone: its id, its name, and what declares it (None outside the estate)."""

    id: str
    name: str
    resource: Resource | None


class Topology:
    """An estate's networks.

    Args:
        estate: The estate.
        cloud: The cloud that it stands in; None to infer it from its locations.
        assumed: What is vouched for outside it.
    """

    def __init__(self, estate: Estate, cloud: str | None, assumed: Assumptions) -> None:
        self.estate = estate
        self.cloud = cloud or infer_cloud(estate)
        self.assumed = assumed

    @cached_property
    def subnets(self) -> dict[str, Subnet]:
        """Return the estate's own subnets by id, those declared inside their network too."""
        return subnets(self.estate)

    def routes_of(self, subnet: Subnet) -> list[Route]:
        """Return the routes of the table attached to a subnet; none if there is none."""
        return routes(self.estate, subnet)

    @cached_property
    def subnets_of(self) -> dict[str, list[Subnet]]:
        """Return the estate's own subnets by their network."""
        found: dict[str, list[Subnet]] = defaultdict(list)
        for one in self.subnets.values():
            found[one.network].append(one)
        return found

    def subnet(self, identifier: object) -> Subnet | None:
        """Return a subnet, of the estate or outside; None for no id."""
        key = fold(identifier)
        if not key:
            return None
        return self.subnets.get(key) or Subnet(
            key, network_of_subnet(key), None, (), None, filters_endpoints=False
        )

    def space(self, network: str) -> tuple[str, ...]:
        """Return the address space of a network; empty outside the estate."""
        found = self.estate.known(network)
        return tuple(found.values.get("address_space") or ()) if found else ()

    def rules_of(self, subnet: Subnet) -> Sequence[Rule] | None:
        """Return the rules of a subnet in their order; None without a group of the estate."""
        return None if subnet.group is None else self.rules_in(subnet.group)

    def rules_in(self, group: Resource) -> Sequence[Rule]:
        """Return the rules of a security group in their order."""
        if group.address not in self._rules:
            self._rules[group.address] = rules(self.estate, group)
        return self._rules[group.address]

    @cached_property
    def _rules(self) -> dict[str, Sequence[Rule]]:
        return {}

    @cached_property
    def endpoints(self) -> dict[str, list[Endpoint]]:
        """Return the private endpoints by the id that they connect to."""
        found: dict[str, list[Endpoint]] = defaultdict(list)
        for one in self.estate.every("azurerm_private_endpoint"):
            groups: list[Values] = one.blocks("private_dns_zone_group")
            beside = self.estate.naming(
                "azurerm_private_dns_zone_group", "private_endpoint_id", one.id
            )
            zones = tuple(
                fold(zone)
                for group in (*groups, *(group.values for group in beside))
                for zone in group.get("private_dns_zone_ids") or ()
            )
            for connection in one.blocks("private_service_connection"):
                target = fold(connection.get("private_connection_resource_id"))
                found[target].append(
                    Endpoint(
                        one,
                        target,
                        tuple(connection.get("subresource_names") or ()),
                        connection.get("is_manual_connection") is not False,
                        one.refers("subnet_id"),
                        zones,
                    )
                )
        return found

    def endpoints_of(self, door: Door) -> list[Endpoint]:
        """Return the private endpoints that stand for a door."""
        wanted = door.subresource.casefold()
        return [
            one
            for one in self.endpoints.get(door.target, ())
            if wanted in (name.casefold() for name in one.subresources)
        ]

    @cached_property
    def linked(self) -> dict[str, dict[str, list[Zone]]]:
        """Return the private zones that a network reads, by the network and by their name."""
        found: dict[str, dict[str, list[Zone]]] = defaultdict(lambda: defaultdict(list))
        for one in self.estate.every("azurerm_private_dns_zone_virtual_network_link"):
            zone = self._zone_of(one)
            if zone:
                found[one.refers("virtual_network_id")][zone.name].append(zone)
        return found

    def zone(self, identifier: str) -> Zone:
        """Return a private zone, of the estate or outside."""
        found = self._zones.get(identifier)
        if found is None:
            key = fold(identifier)
            found = Zone(key, key.rpartition("/")[2], self.estate.known(identifier))
            self._zones[identifier] = found
        return found

    @cached_property
    def _zones(self) -> dict[str, Zone]:
        return {}

    def zones_named(self, name: str) -> list[Resource]:
        """Return the estate's own private zones of a name."""
        return self._zones_by_name.get(name, [])

    @cached_property
    def _zones_by_name(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = defaultdict(list)
        for one in self.estate.every("azurerm_private_dns_zone"):
            found[one.name].append(one)
        return found

    def _zone_of(self, link: Resource) -> Zone | None:
        identifier = link.values.get("private_dns_zone_id")
        return self.zone(str(identifier)) if identifier else None

    @cached_property
    def records(self) -> dict[tuple[str, str], list[Resource]]:
        """Return address records and aliases written by hand, by zone id and name."""
        found: dict[tuple[str, str], list[Resource]] = defaultdict(list)
        for one in self.estate.every(*_RECORDS):
            zone = one.values.get("private_dns_zone_id")
            found[fold(zone), one.name.casefold()].append(one)
        return found

    def dns_servers(self, network: str) -> tuple[str, ...]:
        """Return the DNS servers of a network that are not Azure's."""
        servers = [
            server for one in self._naming_servers(network) for server in one.items("dns_servers")
        ]
        return tuple(one for one in servers if one != _AZURE_DNS)

    def dns_servers_unread(self, network: str) -> Resource | None:
        """Return what names DNS servers of a network that are not known; None if all are."""
        every = self._naming_servers(network)
        return next((one for one in every if one.unsure("dns_servers")), None)

    def _naming_servers(self, network: str) -> list[Resource]:
        found = self.estate.known(network)
        beside = self.estate.naming(
            "azurerm_virtual_network_dns_servers", "virtual_network_id", network
        )
        return [*([found] if found else []), *beside]

    @cached_property
    def doors(self) -> list[Door]:
        """Return every door of every service."""
        return [
            door
            for service in self.estate.every(*SERVICES)
            for door in doors(service, self.cloud, self._beside(service))
        ]

    def _beside(self, service: Resource) -> tuple[Resource, ...]:
        if service.type != "azurerm_storage_account":
            return ()
        return tuple(
            self.estate.naming(
                "azurerm_storage_account_network_rules", "storage_account_id", service.id
            )
        )

    @cached_property
    def doors_of(self) -> dict[str, list[Door]]:
        """Return the doors of each service by its address."""
        found: dict[str, list[Door]] = defaultdict(list)
        for one in self.doors:
            found[one.service.address].append(one)
        return found

    @cached_property
    def by_host(self) -> dict[str, Door]:
        """Return the door that a hostname belongs to."""
        return {host: door for door in self.doors for host in door.hosts}

    @cached_property
    def apps(self) -> list[Resource]:
        """Return the applications and their slots."""
        return self.estate.every(*SITES)

    def calls(self, app: Resource) -> Mapping[str, Door | None]:
        """Return what an application calls by its settings: hostnames, and their doors if known."""
        if app.address not in self._calls:
            self._calls[app.address] = self._called_by(app)
        return self._calls[app.address]

    @cached_property
    def _calls(self) -> dict[str, dict[str, Door | None]]:
        return {}

    def _called_by(self, app: Resource) -> dict[str, Door | None]:
        found: dict[str, Door | None] = {}
        own = {host for door in self.doors_of.get(app.address, ()) for host in door.hosts}
        for host in named_hosts(app, self.cloud):
            door = self.by_host.get(host)
            if host not in own and (door or service_domain(host)):
                found[host] = door
        if app.type in FUNCTIONS:
            storage = str(app.values.get("storage_account_name") or "")
            for account in self._storage_named.get(storage, ()):
                for door in self.doors_of[account.address]:
                    if door.subresource in _HOST_STORAGE:
                        found[door.hosts[0]] = door
        return found

    @cached_property
    def acting(self) -> dict[str, list[Resource]]:
        """Return the applications and slots by the principal that they act as."""
        found: dict[str, list[Resource]] = defaultdict(list)
        for app in self.apps:
            for identifier in identities_of(app):
                identity = self.estate.known(identifier)
                if identity:
                    found[fold(identity.values.get("principal_id"))].append(app)
            for block in app.blocks("identity"):
                if block.get("principal_id"):
                    found[fold(block["principal_id"])].append(app)
        return found

    @cached_property
    def occupied(self) -> frozenset[str]:
        """Return the subnets in which something stands that may call others."""
        return occupied(self.estate)

    @cached_property
    def called(self) -> frozenset[str]:
        """Return the ids of the services that some application calls by its settings."""
        return frozenset(
            door.service.id for app in self.apps for door in self.calls(app).values() if door
        )

    def in_group_of(self, neighbour: Resource, kind: str) -> list[Resource]:
        """Return the resources of a type in the resource group of another."""
        index = self._grouped.get(kind)
        if index is None:
            index = defaultdict(list)
            for one in self.estate.every(kind):
                index[group_of(one.id)].append(one)
            self._grouped[kind] = index
        return index.get(group_of(neighbour.id), [])

    @cached_property
    def _grouped(self) -> dict[str, dict[str, list[Resource]]]:
        return {}

    @cached_property
    def looked_up_roles(self) -> dict[str, str]:
        """Return the names of the roles that the configuration looked up, by their numbers."""
        return {
            fold(one.values.get(name)).rpartition("/")[2]: one.name
            for one in self.estate.looked_up
            if one.type == "azurerm_role_definition" and one.name
            for name in ("id", "role_definition_id")
        }

    @cached_property
    def scopes_of(self) -> dict[str, list[Door]]:
        """Return the doors of the monitor scopes by the network in which an endpoint answers."""
        found: dict[str, list[Door]] = defaultdict(list)
        for scope in self.estate.every("azurerm_monitor_private_link_scope"):
            for door in self.doors_of[scope.address]:
                endpoints = self.endpoints_of(door)
                for network in {network_of_subnet(one.subnet) for one in endpoints} or {""}:
                    found[network].append(door)
        return found

    @cached_property
    def _storage_named(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = defaultdict(list)
        for one in self.estate.every("azurerm_storage_account"):
            found[one.name].append(one)
        return found


def group_of(identifier: str) -> str:
    """Return the id of a resource's group, by the form of ids."""
    return fold(identifier).partition("/providers/")[0]
