"""What the id of a resource looks like once it exists.

Most ids follow the template that the facts carry: an example id of keys and values in turn, whose
placeholders end in `Value`, `Name`, `Id` or `Alias`. The exceptions stand in a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from secure_openai.posture.simulation.cloud import Cloud, guid

Object = Mapping[str, Any]

_PLACEHOLDER: Final = re.compile(
    r"(Value|Name|Id|Alias|example-resource-group|[0-9a-f]{8}-[0-9a-f-]{27})$"
)
_WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+")
_GUIDS: Final = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")


def segments(identifier: str) -> list[tuple[str, str]]:
    """Return an id as its pairs of key and value; a last key without value has an empty one."""
    parts = identifier.strip("/").split("/")
    if len(parts) % 2:
        parts.append("")
    return list(zip(parts[::2], parts[1::2], strict=True))


def is_placeholder(value: str) -> bool:
    """Return whether a template's value stands for any other."""
    return bool(_PLACEHOLDER.search(value))


def fits(template: str, identifier: str) -> bool:
    """Return whether an id has the shape of a template; keys compare with regard to case.

    azurerm parses the ids that a configuration gives it in the same way.
    """
    wanted, given = segments(template), segments(identifier)
    return (
        identifier.startswith("/")
        and len(wanted) == len(given)
        and all(
            key == other and bool(value) and (value == expected or is_placeholder(expected))
            for (key, expected), (other, value) in zip(wanted, given, strict=True)
        )
    )


def identify(cloud: Cloud, kind: str, template: str, state: Object, seed: str) -> str:
    """Return the id of a resource.

    Args:
        cloud: Where it is created.
        kind: The resource's type.
        template: The example id of its type; empty if there is none.
        state: Its arguments.
        seed: What makes an invented part differ from every other resource's.
    """
    special = EXCEPTIONS.get(kind)
    if special:
        return special(cloud, state, seed)
    if kind.startswith("azuread_"):
        return _directory(kind, template, state, seed)
    if not template:
        return _untemplated(cloud, kind, state, seed)
    pairs = segments(template)
    known = _parent(pairs, state)
    filled = list(known)
    for position in range(len(known), len(pairs)):
        key, example = pairs[position]
        last = position == len(pairs) - 1
        filled.append((key, _value(cloud, key, example, state, seed, last=last)))
    return "/" + "/".join(part for pair in filled for part in pair if part)


def _parent(pairs: list[tuple[str, str]], state: Object) -> list[tuple[str, str]]:
    """Return the longest beginning of the id that an argument already holds."""
    best: list[tuple[str, str]] = []
    keys = [key.lower() for key, _ in pairs]
    for name, value in state.items():
        if name == "id" or not isinstance(value, str) or not value.startswith("/"):
            continue
        held = segments(value)
        provider = [part.lower() for key, part in held if key.lower() == "providers"]
        wanted = [part.lower() for key, part in pairs[: len(held)] if key == "providers"]
        if (
            len(best) < len(held) <= len(pairs)
            and keys[: len(held)] == [key.lower() for key, _ in held]
            and provider == wanted
        ):
            best = held
    return best


def _value(cloud: Cloud, key: str, example: str, state: Object, seed: str, *, last: bool) -> str:
    if key == "providers" or not is_placeholder(example):
        return example
    if key == "subscriptions":
        return cloud.subscription_id
    if key.lower() == "resourcegroups":
        return _text(state, "resource_group_name") or _text(state, "name") or "simulated"
    if last and _text(state, "name"):
        return _text(state, "name")
    words = [word.lower() for word in _WORD.findall(_singular(key))]
    for start in range(len(words)):
        stem = "_".join(words[start:])
        for suffix in ("_name", "_id", ""):
            value = _text(state, f"{stem}{suffix}")
            if value and not value.startswith("/"):
                return value
    return guid(seed, key)


def _singular(key: str) -> str:
    if key.endswith("ies"):
        return f"{key[:-3]}y"
    return key[:-1] if key.endswith("s") and not key.endswith("ss") else key


def _text(state: Object, name: str) -> str:
    value = state.get(name)
    return value if isinstance(value, str) else ""


def _untemplated(cloud: Cloud, kind: str, state: Object, seed: str) -> str:
    """Return an id below whatever the resource belongs to, where nothing else is known."""
    stem = kind.removeprefix("azurerm_").removeprefix("azapi_")
    last = _text(state, "name") or guid(seed)
    for name in ("scope", "target_resource_id", "resource_id", "parent_id", "resource_group_id"):
        if _text(state, name).startswith("/"):
            return f"{state[name]}/providers/Simulated/{stem}/{last}"
    for name, value in sorted(state.items()):
        if name.endswith("_id") and isinstance(value, str) and value.startswith("/"):
            return f"{value}/{stem}/{last}"
    group = _text(state, "resource_group_name")
    scope = f"/subscriptions/{cloud.subscription_id}"
    scope += f"/resourceGroups/{group}" if group else ""
    return f"{scope}/providers/Simulated/{stem}/{last}"


def object_id(identifier: str) -> str:
    """Return the GUID of a directory object within its id."""
    found = _GUIDS.search(identifier)
    return found.group() if found else identifier


def _directory(kind: str, template: str, state: Object, seed: str) -> str:
    """Return the id of an Entra object: `/applications/GUID`, or `OWNER/kind/GUID` below one."""
    pairs = segments(template) if template.startswith("/") else []
    parent = next(
        (
            _text(state, name)
            for name in ("application_id", "service_principal_id", "group_object_id")
            if _text(state, name)
        ),
        "",
    )
    if not pairs:
        if not parent:
            return guid(seed)
        part = kind.removeprefix("azuread_")
        for owner in ("application_", "service_principal_", "group_"):
            part = part.removeprefix(owner)
        words = part.split("_")
        camel = words[0] + "".join(word.capitalize() for word in words[1:])
        return f"{object_id(parent)}/{camel}/{guid(seed)}"
    if parent.startswith("/") and segments(parent)[0][0] == pairs[0][0]:
        head, rest = parent.rstrip("/"), pairs[1:]
    else:
        head, rest = "", pairs
    tail = "".join(
        f"/{key}/{guid(seed, key) if is_placeholder(example) else example}".rstrip("/")
        for key, example in rest
    )
    return head + tail


Rule = Callable[[Cloud, Object, str], str]


def _below(owner: str, middle: str) -> Rule:
    """Return the rule for `OWNER/MIDDLE/NAME`."""

    def rule(_: Cloud, state: Object, seed: str) -> str:
        return f"{_text(state, owner)}/{middle}/{_text(state, 'name') or guid(seed, 'name')}"

    return rule


def _joined(one: str, other: str) -> Rule:
    """Return the rule for the id of an association: `ONE|OTHER`."""

    def rule(_: Cloud, state: Object, __: str) -> str:
        return f"{_text(state, one)}|{_text(state, other)}"

    return rule


def _fixed(owner: str, rest: str) -> Rule:
    """Return the rule for the only child of its kind: `OWNER/REST`."""

    def rule(_: Cloud, state: Object, __: str) -> str:
        return f"{_text(state, owner)}/{rest}"

    return rule


def _subscription(rest: str) -> Rule:
    """Return the rule for `/subscriptions/ID/REST/NAME`."""

    def rule(cloud: Cloud, state: Object, seed: str) -> str:
        name = _text(state, "name") or guid(seed, "name")
        return f"/subscriptions/{cloud.subscription_id}/{rest}/{name}"

    return rule


def _role_definition(_: Cloud, state: Object, seed: str) -> str:
    scope = _text(state, "scope")
    role = _text(state, "role_definition_id") or guid(seed, "role_definition_id")
    return f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{role}|{scope}"


def _vault_object(collection: str) -> Rule:
    """Return the rule for what a vault keeps: an address on its own host, ending in a version."""

    def rule(cloud: Cloud, state: Object, seed: str) -> str:
        vault = _text(state, "key_vault_id").rpartition("/")[2] or "simulated"
        version = guid(seed, "version").replace("-", "")
        return f"https://{vault}.{cloud.host('vault')}/{collection}/{state.get('name')}/{version}"

    return rule


def _blob(cloud: Cloud, state: Object, _: str) -> str:
    container = _text(state, "storage_container_id") or _text(state, "storage_container_name")
    held = dict(segments(container))
    account = _text(state, "storage_account_name") or held.get("storageAccounts", "simulated")
    host = f"{account}.blob.{cloud.host('storage')}"
    return f"https://{host}/{container.rpartition('/')[2]}/{_text(state, 'name')}"


def _management_group(_: Cloud, state: Object, seed: str) -> str:
    name = _text(state, "name") or guid(seed, "name")
    return f"/providers/Microsoft.Management/managementGroups/{name}"


_AUTHORIZATION: Final = "providers/Microsoft.Authorization"

EXCEPTIONS: Final[Mapping[str, Rule]] = {
    "azurerm_consumption_budget_management_group": _below(
        "management_group_id", "providers/Microsoft.Consumption/budgets"
    ),
    "azurerm_consumption_budget_resource_group": _below(
        "resource_group_id", "providers/Microsoft.Consumption/budgets"
    ),
    "azurerm_consumption_budget_subscription": _below(
        "subscription_id", "providers/Microsoft.Consumption/budgets"
    ),
    "azurerm_key_vault_certificate": _vault_object("certificates"),
    "azurerm_key_vault_key": _vault_object("keys"),
    "azurerm_key_vault_secret": _vault_object("secrets"),
    "azurerm_management_group": _management_group,
    "azurerm_management_group_policy_assignment": _below(
        "management_group_id", f"{_AUTHORIZATION}/policyAssignments"
    ),
    "azurerm_management_lock": _below("scope", f"{_AUTHORIZATION}/locks"),
    "azurerm_monitor_data_collection_rule_association": _below(
        "target_resource_id", "providers/Microsoft.Insights/dataCollectionRuleAssociations"
    ),
    "azurerm_monitor_diagnostic_setting": _joined("target_resource_id", "name"),
    "azurerm_nat_gateway_public_ip_association": _joined("nat_gateway_id", "public_ip_address_id"),
    "azurerm_nat_gateway_public_ip_prefix_association": _joined(
        "nat_gateway_id", "public_ip_prefix_id"
    ),
    "azurerm_network_interface_application_security_group_association": _joined(
        "network_interface_id", "application_security_group_id"
    ),
    "azurerm_network_interface_security_group_association": _joined(
        "network_interface_id", "network_security_group_id"
    ),
    "azurerm_policy_definition": _subscription(f"{_AUTHORIZATION}/policyDefinitions"),
    "azurerm_private_endpoint_application_security_group_association": _joined(
        "private_endpoint_id", "application_security_group_id"
    ),
    "azurerm_resource_group_policy_assignment": _below(
        "resource_group_id", f"{_AUTHORIZATION}/policyAssignments"
    ),
    "azurerm_resource_group_policy_exemption": _below(
        "resource_group_id", f"{_AUTHORIZATION}/policyExemptions"
    ),
    "azurerm_resource_policy_assignment": _below(
        "resource_id", f"{_AUTHORIZATION}/policyAssignments"
    ),
    "azurerm_resource_policy_exemption": _below(
        "resource_id", f"{_AUTHORIZATION}/policyExemptions"
    ),
    "azurerm_role_assignment": _below("scope", f"{_AUTHORIZATION}/roleAssignments"),
    "azurerm_role_definition": _role_definition,
    "azurerm_security_center_contact": _subscription(
        "providers/Microsoft.Security/securityContacts"
    ),
    "azurerm_storage_blob": _blob,
    "azurerm_storage_container": _below("storage_account_id", "blobServices/default/containers"),
    "azurerm_storage_container_immutability_policy": _fixed(
        "storage_container_resource_manager_id", "immutabilityPolicies/default"
    ),
    "azurerm_storage_management_policy": _fixed("storage_account_id", "managementPolicies/default"),
    "azurerm_storage_queue": _below("storage_account_id", "queueServices/default/queues"),
    "azurerm_storage_share": _below("storage_account_id", "fileServices/default/shares"),
    "azurerm_storage_table": _below("storage_account_id", "tableServices/default/tables"),
    "azurerm_subscription_policy_assignment": _below(
        "subscription_id", f"{_AUTHORIZATION}/policyAssignments"
    ),
    "azurerm_subscription_policy_exemption": _below(
        "subscription_id", f"{_AUTHORIZATION}/policyExemptions"
    ),
    "azurerm_virtual_machine_data_disk_attachment": _below("virtual_machine_id", "dataDisks"),
    "azurerm_virtual_network_dns_servers": _fixed("virtual_network_id", "dnsServers/default"),
    "azurerm_cosmosdb_sql_role_assignment": lambda cloud, state, seed: _cosmos(
        cloud, state, seed, "sqlRoleAssignments", "name"
    ),
    "azurerm_cosmosdb_sql_role_definition": lambda cloud, state, seed: _cosmos(
        cloud, state, seed, "sqlRoleDefinitions", "role_definition_id"
    ),
}
"""How ids are written that no template describes. Source: azurerm, the "Import" section of each."""


def _cosmos(cloud: Cloud, state: Object, seed: str, collection: str, name: str) -> str:
    return (
        f"/subscriptions/{cloud.subscription_id}/resourceGroups/"
        f"{_text(state, 'resource_group_name')}/providers/Microsoft.DocumentDB/databaseAccounts/"
        f"{_text(state, 'account_name')}/{collection}/{_text(state, name) or guid(seed, 'name')}"
    )
