"""The changes by which an estate is attacked."""

from __future__ import annotations

import base64
import gzip
from typing import Any

from tests.posture.mutants import Change, Entry, added, put

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-chat"
NETWORK = f"{SUBSCRIPTION}/resourceGroups/rg-chat-network/providers/Microsoft.Network"
VNET = f"{NETWORK}/virtualNetworks/vnet-chat"
STRANGER = (
    f"{SUBSCRIPTION}/resourceGroups/rg-other/providers/Microsoft.Network/virtualNetworks/other"
)
ROLES = "/providers/Microsoft.Authorization/roleDefinitions"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
SOMEBODY = "99999999-9999-9999-9999-999999999999"

WEB = "module.app.azurerm_linux_web_app.this"
FUNCTION = "module.app.azurerm_linux_function_app.this"
RECORDS = "module.store.azurerm_storage_account.records"
COSMOS = "module.store.azurerm_cosmosdb_account.this"
VAULT = "module.store.azurerm_key_vault.this"
MODEL = 'module.model.azurerm_cognitive_account.this["main"]'
POLICY = 'module.model.azurerm_cognitive_account_rai_policy.this["main"]'
OUTWARD = 'module.network[0].azurerm_network_security_group.this["applications"]'
INWARD = 'module.network[0].azurerm_network_security_group.this["endpoints"]'
APPLICATION = 'module.identity.azuread_application.this["production"]'
COMMAND_LINE = "module.identity.azuread_application.command_line[0]"
CREDENTIAL = 'module.identity.azuread_application_federated_identity_credential.this["production"]'


def at(found: list[Entry], address: str) -> dict[str, Any]:
    """Return the values of a resource."""
    values: dict[str, Any] = next(one for one in found if one["address"] == address)["values"]
    return values


def principal(found: list[Entry], name: str) -> str:
    """Return the principal of an identity."""
    address = f'module.identity.azurerm_user_assigned_identity.this["{name}"]'
    return str(at(found, address)["principal_id"])


def key_of(found: list[Entry]) -> str:
    """Return a key of the estate's database."""
    return str(at(found, COSMOS)["primary_key"])


def both(*changes: Change) -> Change:
    """Make several changes."""

    def change(found: list[Entry]) -> None:
        for one in changes:
            one(found)

    return change


def absent(address: str, name: str) -> Change:
    """Leave an argument out, as a state that was cut by hand does."""

    def change(found: list[Entry]) -> None:
        at(found, address).pop(name)

    return change


def of_command_line(kind: str, **values: Any) -> Change:
    """Add a resource that belongs to the command line's application."""

    def change(found: list[Entry]) -> None:
        application = at(found, COMMAND_LINE)["id"]
        resource(kind, "x", id="x", application_id=application, **values)(found)

    return change


def resource(kind: str, label: str, **values: Any) -> Change:
    """Add a resource under a label of its own."""

    def change(found: list[Entry]) -> None:
        address = f"{kind}.{label}"
        found.append({"address": address, "mode": "managed", "type": kind, "values": dict(values)})

    return change


def every(kind: str, **values: Any) -> Change:
    """Change every resource of a type."""

    def change(found: list[Entry]) -> None:
        for one in found:
            if one["type"] == kind:
                one["values"].update(values)

    return change


def narrowed(**values: Any) -> Change:
    """Have every alert ask for something more."""

    def change(found: list[Entry]) -> None:
        for one in found:
            if one["type"] == "azurerm_monitor_activity_log_alert":
                for criteria in one["values"]["criteria"]:
                    criteria.update(values)

    return change


def stored(address: str, name: str, wrap: Any) -> Change:
    """Put a key of the estate into a setting, wrapped."""

    def change(found: list[Entry]) -> None:
        at(found, address)["app_settings"][name] = wrap(key_of(found))

    return change


def rule(group: str, *, first: bool = True, **values: Any) -> Change:
    """Add a rule to a security group."""
    whole = {
        "access": "Allow",
        "destination_address_prefix": "*",
        "destination_address_prefixes": [],
        "destination_application_security_group_ids": [],
        "destination_port_range": "443",
        "destination_port_ranges": [],
        "direction": "Inbound",
        "name": "attack",
        "priority": 90 if first else 4001,
        "protocol": "Tcp",
        "source_address_prefix": "*",
        "source_address_prefixes": [],
        "source_application_security_group_ids": [],
        "source_port_range": "*",
        "source_port_ranges": [],
    } | values

    def change(found: list[Entry]) -> None:
        at(found, group)["security_rule"].append(whole)

    return change


def instead(group: str, name: str, **values: Any) -> Change:
    """Change a rule of a security group."""

    def change(found: list[Entry]) -> None:
        for one in at(found, group)["security_rule"]:
            if one["name"].startswith(name):
                one.update(values)

    return change


def assigned(role: str, scope: str, **values: Any) -> Change:
    """Assign a role to somebody by its number."""
    return added(
        "azurerm_role_assignment",
        id=f"{scope}/providers/Microsoft.Authorization/roleAssignments/attack",
        scope=scope,
        principal_id=SOMEBODY,
        role_definition_id=f"{ROLES}/{role}",
        **values,
    )


def machine(**values: Any) -> Change:
    """Add a machine."""
    return added(
        "azurerm_linux_virtual_machine", id=f"{GROUP}/vm", name="vm", **({"identity": []} | values)
    )


def wrapped(argument: str, wrap: Any) -> Change:
    """Add a machine that starts with a key of the estate, wrapped."""

    def change(found: list[Entry]) -> None:
        machine(**{argument: wrap(key_of(found))})(found)

    return change


def zone(name: str, *records: dict[str, Any], kind: str = "a") -> Change:
    """Add a private zone with records, linked to the estate's network."""
    key = f"{NETWORK}/privateDnsZones/{name}"
    return both(
        resource("azurerm_private_dns_zone", "attack", id=key, name=name),
        resource(
            "azurerm_private_dns_zone_virtual_network_link",
            "attack",
            id=f"{key}/virtualNetworkLinks/x",
            name="x",
            private_dns_zone_id=key,
            virtual_network_id=VNET,
            registration_enabled=False,
        ),
        *(
            resource(
                f"azurerm_private_dns_{kind}_record",
                f"attack_{number}",
                private_dns_zone_id=key,
                **one,
            )
            for number, one in enumerate(records)
        ),
    )


def record(zone_name: str, label: str, *, kind: str = "a", **values: Any) -> Change:
    """Add a record to a zone of the estate."""
    return resource(
        f"azurerm_private_dns_{kind}_record",
        "attack",
        name=label,
        private_dns_zone_id=f"{NETWORK}/privateDnsZones/{zone_name}",
        **values,
    )


def encoded(text: str) -> str:
    """Return a text in base64."""
    return base64.b64encode(text.encode()).decode()


def compressed(text: str) -> str:
    """Return a text as Terraform's base64gzip writes it."""
    return base64.b64encode(gzip.compress(text.encode())).decode()


def literal(name: str, value: str) -> Change:
    """Put a setting into the web application."""
    return put(WEB, f"app_settings/{name}", value)
