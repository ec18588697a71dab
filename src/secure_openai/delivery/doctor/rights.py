"""Which actions of Azure's an estate takes to be built, read off the ids of what is in it.

The id of a resource says its type in Azure's own words, and a write of it is that type's `write`.
What is joined, assigned or approved on the way takes one action more, on what is named.

Source: Microsoft Learn, "Azure permissions" (one page a provider); "Private endpoint: approval";
"Assign a managed identity: required permissions".
"""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from secure_openai.posture.estate import Estate, Resource, fold
from secure_openai.types import JsonObject

REFERENCES: Final = {
    "Microsoft.ManagedIdentity/userAssignedIdentities": "assign/action",
    "Microsoft.Network/applicationGatewayWebApplicationFirewallPolicies": "join/action",
    "Microsoft.Network/natGateways": "join/action",
    "Microsoft.Network/networkInterfaces": "join/action",
    "Microsoft.Network/networkSecurityGroups": "join/action",
    "Microsoft.Network/privateDnsZones": "join/action",
    "Microsoft.Network/publicIPAddresses": "join/action",
    "Microsoft.Network/routeTables": "join/action",
    "Microsoft.Network/virtualNetworks": "join/action",
    "Microsoft.Network/virtualNetworks/subnets": "join/action",
}
"""What naming a resource of a type takes on it."""

ONLY_NAMING: Final = (
    "azurerm_cosmosdb_sql_role_assignment",
    "azurerm_management_lock",
    "azurerm_monitor_*",
    "azurerm_resource_group_policy_assignment",
    "azurerm_role_assignment",
)
"""Types that name a resource without joining it."""

OTHERWISE: Final = {
    "azurerm_monitor_diagnostic_setting": "Microsoft.Insights/diagnosticSettings",
}
"""Types whose id is that of what they are about."""

COMPUTED: Final = frozenset({"id", "network_interface"})
"""Arguments that Azure says and nobody gives: an endpoint makes its own interface."""

APPROVAL: Final = "privateEndpointConnectionsApproval/action"
ASSIGNMENT: Final = "Microsoft.Authorization/roleAssignments/write"
GROUP: Final = "Microsoft.Resources/subscriptions/resourceGroups"
_GROUP_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class Rights:
    """What whoever builds an estate must be allowed to do.

    Attributes:
        here: Actions on the subscription, each with the Terraform types that take it.
        elsewhere: Actions by the id of what somebody else has made.
    """

    here: Mapping[str, tuple[str, ...]]
    elsewhere: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Permission:
    """What one role assignment allows, by patterns with `*`."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def allows(self, action: str) -> bool:
        """Return whether an action is among the actions and not among the not-actions."""
        return _any(action, self.actions) and not _any(action, self.not_actions)


def missing(wanted: Iterable[str], held: Iterable[Permission]) -> list[str]:
    """Return the actions that no assignment allows: what one leaves out, another may allow.

    Source: Microsoft Learn, "Understand Azure role definitions", NotActions.
    """
    permissions = list(held)
    return sorted(one for one in wanted if not any(each.allows(one) for each in permissions))


def _any(action: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(action.casefold(), one.casefold()) for one in patterns)


def azure_type(identifier: str) -> str:
    """Return the type of an id, such as `Microsoft.KeyVault/vaults/keys`; empty if it has none."""
    plain = identifier.partition("|")[0].rstrip("/")
    if not plain.lower().startswith("/subscriptions/"):
        return ""
    _, found, last = plain.rpartition("/providers/")
    if not found:
        return GROUP if plain.count("/") == _GROUP_PARTS else ""
    namespace, *parts = last.split("/")
    return "/".join([namespace, *parts[::2]])


def rights_of(estate: Estate) -> Rights:
    """Return what building an estate takes."""
    here: dict[str, set[str]] = defaultdict(set)
    elsewhere: dict[str, set[str]] = defaultdict(set)
    main = subscription_of(estate)
    for one in estate.resources:
        kind = OTHERWISE.get(one.type) or azure_type(one.id)
        for action in (f"{kind}/read", f"{kind}/write") if kind else ():
            if _parts(one.id)[1] == main:
                here[action].add(one.type)
            else:
                elsewhere[one.id.rpartition("/providers/")[0]].add(action)
        for identifier, action in _joined(one):
            if estate.known(identifier) is None:
                elsewhere[identifier].add(action)
            else:
                here[action].add(one.type)
    return Rights(
        {name: tuple(sorted(types)) for name, types in sorted(here.items())},
        {name: tuple(sorted(actions)) for name, actions in sorted(elsewhere.items())},
    )


def subscription_of(estate: Estate) -> str:
    """Return the subscription in which most of an estate stands; empty where it has none."""
    found = Counter(_parts(one.id)[1] for one in estate.resources if azure_type(one.id))
    return found.most_common(1)[0][0] if found else ""


def _parts(identifier: str) -> list[str]:
    return [*identifier.lower().strip("/").split("/"), ""]


def _joined(one: Resource) -> Iterator[tuple[str, str]]:
    """Yield ids that a resource joins, with the action that this takes on each."""
    if any(fnmatchcase(one.type, pattern) for pattern in ONLY_NAMING):
        return
    own = fold(one.id)
    for connection in one.blocks("private_service_connection"):
        target = str(connection.get("private_connection_resource_id") or "")
        if kind := azure_type(target):
            yield target, f"{kind}/{APPROVAL}"
    for value in _texts({name: one.values[name] for name in one.values.keys() - COMPUTED}):
        kind = azure_type(value)
        # What a resource holds inside itself bears its own id.
        if kind in REFERENCES and not fold(value).startswith(own):
            yield value, f"{kind}/{REFERENCES[kind]}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def claims_of(bearer: str) -> JsonObject:
    """Return what our own token says of us; Azure alone judges whether it holds."""
    try:
        part = bearer.removeprefix("Bearer ").split(".")[1]
        claims: Any = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
