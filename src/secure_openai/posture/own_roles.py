"""Roles of our own: whether a role that Azure did not build in is one that the table asks for.

A row of `tables/roles.json` with `actions` is a role of our own, which somebody else defines and
hands over by its number. What a role of that number may do is known where the estate defines it, or
looked it up in Azure; elsewhere somebody has to vouch for it. A name alone shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from secure_openai.posture.built_in_roles import KNOWN, named
from secure_openai.posture.estate import UNKNOWN, Resource, fold
from secure_openai.posture.topology import Topology
from secure_openai.tables import table

VOUCHED: Final = "role"
"""The kind of assumption that vouches for a role."""

DEFINITION: Final = "azurerm_role_definition"


def rows() -> list[Mapping[str, Any]]:
    """Return the rows of the table that ask for a role of our own."""
    return [row for row in table("roles").values() if "actions" in row]


def names() -> frozenset[str]:
    """Return what the roles of our own are called in the table."""
    return frozenset(row["role"] for row in rows())


def number_of(identifier: object) -> str:
    """Return the number with which a role's id ends, in the case in which ids are compared."""
    return fold(identifier).partition("|")[0].rpartition("/")[2]


def permissions_of(definition: Resource) -> list[Mapping[str, Any]]:
    """Return what a role may do; empty where that is not known."""
    if definition.get("permissions") is UNKNOWN:
        return []
    return list(definition.blocks("permissions"))


def looked_up(topology: Topology) -> dict[str, Resource]:
    """Return the roles that are not built in and were looked up in Azure, by number."""
    found = {}
    for one in topology.estate.looked_up:
        number = number_of(one.values.get("role_definition_id") or one.id)
        if one.type == DEFINITION and named(number) not in KNOWN and permissions_of(one):
            found[number] = one
    return found


def asked_for(topology: Topology, assignment: Resource, defined: Mapping[str, Resource]) -> str:
    """Return the table's role that an assignment hands out; empty where it is none.

    Args:
        topology: The estate with its assumptions.
        assignment: What hands out a role.
        defined: The roles that are defined in the estate, by number and by name.
    """
    identifier = assignment.values.get("role_definition_id")
    number = number_of(identifier)
    if named(number) in KNOWN:
        return ""
    name = str(assignment.values.get("role_definition_name") or "").casefold()
    definition = looked_up(topology).get(number) or defined.get(number) or defined.get(name)
    for row in rows():
        if definition is None:
            if identifier and topology.assumed.hold(VOUCHED, identifier):
                return str(row["role"])
        elif _within(permissions_of(definition), row["actions"]):
            return str(row["role"])
    return ""


def _within(permissions: Iterable[Mapping[str, Any]], actions: Iterable[str]) -> bool:
    """Return whether a role may do something, and nothing but what is listed."""
    allowed = {one.casefold() for one in actions}
    blocks = list(permissions)
    may = {str(one).casefold() for block in blocks for one in block.get("actions") or ()}
    return bool(may) and may <= allowed and not any(block.get("data_actions") for block in blocks)
