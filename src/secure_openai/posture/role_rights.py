"""What a role lets its holder do: which it is, how far it reaches, and what binds it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

from secure_openai.posture.built_in_roles import KNOWN, named
from secure_openai.posture.estate import Estate, Resource
from secure_openai.posture.own_roles import asked_for, names, number_of
from secure_openai.posture.topology import Topology

ASSIGNMENTS: Final = (
    "azurerm_role_assignment",
    "azurerm_pim_active_role_assignment",
    "azurerm_pim_eligible_role_assignment",
)

MASTERING: Final = (
    "microsoft.authorization/elevateaccess/action",
    "microsoft.authorization/locks/delete",
    "microsoft.authorization/roleassignments/write",
    "microsoft.authorization/roledefinitions/write",
    "microsoft.cognitiveservices/accounts/write",
    "microsoft.compute/virtualmachines/extensions/write",
    "microsoft.compute/virtualmachines/runcommand/action",
    "microsoft.documentdb/databaseaccounts/sqlroleassignments/write",
    "microsoft.documentdb/databaseaccounts/write",
    "microsoft.keyvault/vaults/accesspolicies/write",
    "microsoft.keyvault/vaults/write",
    "microsoft.managedidentity/userassignedidentities/assign/action",
    "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials/write",
    "microsoft.network/networksecuritygroups/securityrules/write",
    "microsoft.network/networksecuritygroups/write",
    "microsoft.network/privatednszones/a/write",
    "microsoft.network/virtualnetworks/write",
    "microsoft.resources/deployments/write",
    "microsoft.storage/storageaccounts/write",
    "microsoft.web/sites/config/write",
    "microsoft.web/sites/write",
)
"""Operations by which a holder gives himself more than he was given."""

TAKING: Final = (
    "microsoft.cognitiveservices/accounts/listkeys/action",
    "microsoft.cognitiveservices/accounts/regeneratekey/action",
    "microsoft.containerregistry/registries/listcredentials/action",
    "microsoft.documentdb/databaseaccounts/listconnectionstrings/action",
    "microsoft.documentdb/databaseaccounts/listkeys/action",
    "microsoft.documentdb/databaseaccounts/readonlykeys/action",
    "microsoft.documentdb/databaseaccounts/regeneratekey/action",
    "microsoft.operationalinsights/workspaces/sharedkeys/action",
    "microsoft.search/searchservices/listadminkeys/action",
    "microsoft.search/searchservices/listquerykeys/action",
    "microsoft.storage/storageaccounts/listaccountsas/action",
    "microsoft.storage/storageaccounts/listkeys/action",
    "microsoft.storage/storageaccounts/listservicesas/action",
    "microsoft.storage/storageaccounts/regeneratekey/action",
    "microsoft.web/sites/config/list/action",
    "microsoft.web/sites/host/listkeys/action",
    "microsoft.web/sites/publish/action",
    "microsoft.web/sites/publishxml/action",
    "microsoft.web/sites/slots/config/list/action",
    "microsoft.web/sites/slots/publishxml/action",
)
"""Operations that hand out keys or publishing credentials."""

_EVERYTHING: Final = ("*", "*/write", "*/action")

_CLAUSE: Final = (
    r"\(\(!\(ActionMatches\{'Microsoft\.Authorization/roleAssignments/(?:write|delete)'\}\)\)OR"
    r"\((?:@(?:Request|Resource)\[Microsoft\.Authorization/roleAssignments:\w+\]"
    r"ForAnyOf(?:Any|All)Values:\w+\{[^{}]*\})(?:AND@(?:Request|Resource)"
    r"\[Microsoft\.Authorization/roleAssignments:\w+\]ForAnyOf(?:Any|All)Values:\w+\{[^{}]*\})*\)\)"
)
_CONDITION: Final = re.compile(rf"{_CLAUSE}(?:AND{_CLAUSE})*")
_WRITING: Final = re.compile(
    r"roleAssignments/write'\}\)\)OR\([^)]*?@Request\[Microsoft\.Authorization/roleAssignments:"
    r"RoleDefinitionId\]ForAnyOfAnyValues:GuidEquals\{([^{}]*)\}"
)


def custom_roles(estate: Estate) -> dict[str, Resource]:
    """Return the roles that the estate defines itself, by their number and their name."""
    found = {}
    for one in estate.every("azurerm_role_definition"):
        identifier = one.values.get("role_definition_resource_id") or one.id
        found[number_of(identifier)] = one
        found[one.name.casefold()] = one
    return found


def role_of(topology: Topology, assignment: Resource) -> str:
    """Return the role that an assignment means: a built-in role's name, the table's, or its text.

    A number outweighs a name, since Azure assigns by the number.
    """
    number = number_of(assignment.values.get("role_definition_id"))
    by_number = named(number)
    if by_number in KNOWN:
        return by_number
    ours = asked_for(topology, assignment, custom_roles(topology.estate))
    if ours:
        return ours
    name = str(assignment.values.get("role_definition_name") or "")
    text = named(name or topology.looked_up_roles.get(number, number))
    # Anybody may call a role so.
    return f"{text} (by its name only)" if text in names() else text


def reach(scope: str) -> str:
    """Return how far a scope reaches, in words; empty where it is one resource or a part of it."""
    if scope.startswith("/providers/microsoft.management/") or not scope:
        return "a whole management group"
    if "/providers/" in scope:
        return ""
    return "a whole resource group" if "/resourcegroups/" in scope else "a whole subscription"


def providers(scope: str) -> set[str]:
    """Return the resource providers that a scope names."""
    return {one.partition("/")[0] for one in scope.split("/providers/")[1:]}


def bound_to(condition: str) -> list[str] | None:
    """Return the numbers of the roles that a condition lets its holder hand out.

    Returns:
        None where it does not bind him: it has not the form that Azure's editor writes.

    Source: https://learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples
    """
    text = "".join(condition.split())
    found = _WRITING.search(text)
    if found is None or not _CONDITION.fullmatch(text):
        return None
    return [one.strip("'\"").casefold() for one in found.group(1).split(",") if one]


def matching(
    patterns: Iterable[str], operations: Iterable[str], without: Iterable[str] = ()
) -> Iterator[str]:
    """Yield the patterns of a role that let some of these operations through."""
    excluded = [str(one).casefold() for one in without]
    for pattern in patterns:
        folded = str(pattern).casefold()
        if any(
            fnmatchcase(operation, folded)
            and not any(fnmatchcase(operation, one) for one in excluded)
            for operation in operations
        ):
            yield str(pattern)


def unlimited(pattern: str) -> bool:
    """Return whether a pattern names no operation one by one."""
    folded = pattern.casefold()
    return folded in _EVERYTHING or (folded.endswith("/*") and not folded.endswith("/read/*"))
