"""Subnets as Terraform declares them, by themselves or inside their network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.estate import Estate, Resource, Values, fold

_SUBNET_ARGUMENTS: Final = ("subnet_id", "subnetId")
_RULE: Final = re.compile("rule|restriction|acl")
# What names a subnet without standing in it.
_ABOUT_SUBNETS: Final = (
    "azurerm_cognitive_account",
    "azurerm_key_vault",
    "azurerm_private_endpoint",
    "azurerm_storage_account",
    "azurerm_subnet_",
)


@dataclass(frozen=True, slots=True)
class Subnet:
    """One subnet, of the estate or outside.

    Attributes:
        id: Its id, as ids are compared.
        network: The id of its virtual network.
        resource: What declares it, itself or its network; None outside the estate.
        prefixes: Its addresses.
        group: The security group attached to it, if it is one of the estate.
        filters_endpoints: Whether that group counts for private endpoints in it.
        way_out: Whether Azure gives it a way out of its own; None where nothing says so.
        group_id: The id of the security group attached to it; empty if there is none.
        table_id: The id of the route table attached to it; empty if there is none.
    """

    id: str
    network: str
    resource: Resource | None
    prefixes: tuple[str, ...]
    group: Resource | None
    filters_endpoints: bool
    way_out: object = None
    group_id: str = ""
    table_id: str = ""

    @property
    def label(self) -> str:
        """Return what people call it."""
        return self.id.rpartition("/")[2].removeprefix("snet-")


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a subnet's table: the addresses, where they are sent, and what declares it.

    Attributes:
        outside: Whether the whole table lies outside the estate, and nobody can say what is in it.
    """

    prefix: str
    hop: str
    resource: Resource
    outside: bool = False


def subnets(estate: Estate) -> dict[str, Subnet]:
    """Return an estate's own subnets by id."""
    found = {}
    for one in estate.every("azurerm_subnet"):
        group = one.values.get("network_security_group_id")
        found[fold(one.id)] = _subnet(estate, one, one.id, one.values, group)
    for network in estate.every("azurerm_virtual_network"):
        for block in network.blocks("subnet"):
            key = str(block.get("id") or f"{network.id}/subnets/{block.get('name')}")
            if fold(key) not in found:
                group = block.get("security_group")
                found[fold(key)] = _subnet(estate, network, key, block, group)
    return found


def _subnet(estate: Estate, declared: Resource, key: str, values: Values, group: object) -> Subnet:
    for one in estate.naming("azurerm_subnet_network_security_group_association", "subnet_id", key):
        group = one.values.get("network_security_group_id")
    table = values.get("route_table_id")
    for one in estate.naming("azurerm_subnet_route_table_association", "subnet_id", key):
        table = one.values.get("route_table_id")
    policies = str(values.get("private_endpoint_network_policies") or "Disabled")
    return Subnet(
        fold(key),
        network_of_subnet(fold(key)),
        declared,
        tuple(values.get("address_prefixes") or ()),
        estate.known(group),
        policies in ("Enabled", "NetworkSecurityGroupEnabled"),
        values.get("default_outbound_access_enabled"),
        fold(group),
        fold(table),
    )


def routes(estate: Estate, subnet: Subnet) -> list[Route]:
    """Return the routes of the table attached to a subnet; none if there is none."""
    if not subnet.table_id or subnet.resource is None:
        return []
    table = estate.known(subnet.table_id)
    if table is None:
        return [Route("", "", subnet.resource, outside=True)]
    found = [(block, table) for block in table.blocks("route")]
    found += [
        (one.values, one)
        for one in estate.naming("azurerm_route", "route_table_name", table.name)
        if one.refers("resource_group_name") == table.refers("resource_group_name")
    ]
    return [
        Route(str(block.get("address_prefix")), str(block.get("next_hop_type")), declared)
        for block, declared in found
    ]


def occupied(estate: Estate) -> frozenset[str]:
    """Return the subnets in which something stands that may call others."""
    return frozenset(
        fold(value)
        for one in estate.resources
        if not one.type.startswith(_ABOUT_SUBNETS)
        for steps, value in estate.leaves_of(one)
        if isinstance(value, str)
        and isinstance(steps[-1], str)
        and steps[-1].endswith(_SUBNET_ARGUMENTS)
        and not _RULE.search(".".join(map(str, steps[:-1])))
    )


def network_of_subnet(identifier: str) -> str:
    """Return the id of a subnet's virtual network, by the form of ids."""
    return identifier.rpartition("/subnets/")[0]
