"""Roles: that what the code needs is granted, and nothing besides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from secure_openai.posture.applications import identities_of, is_ours, settings_of
from secure_openai.posture.estate import Resource, fold
from secure_openai.posture.private_link import APPS, FEDERATION, LOGIN, SLOTS, WEB
from secure_openai.posture.statements.statement import (
    Finding,
    Note,
    Outcome,
    Seen,
    Severity,
    Statement,
)
from secure_openai.posture.topology import Topology
from secure_openai.tables import table

_COSMOS_CONTRIBUTOR: Final = "00000000-0000-0000-0000-000000000002"
_GITHUB: Final = "https://token.actions.githubusercontent.com"

BROAD: Final = {
    "Contributor": "it may change everything, list keys and publish code",
    "Cognitive Services Contributor": "it may list keys",
    "Cognitive Services OpenAI Contributor": "it may change deployments and filters",
    "Cosmos DB Operator": "it may open the firewall",
    "DocumentDB Account Contributor": "it may list keys",
    "Key Vault Administrator": "it may read every secret and key",
    "Key Vault Contributor": "it may change the vault",
    "Owner": "it may give itself every right",
    "Reader and Data Access": "it may list keys",
    "Role Based Access Control Administrator": "it may give itself every right",
    "Storage Account Contributor": "it may list keys",
    "Storage Account Key Operator Service Role": "it may list keys",
    "User Access Administrator": "it may give itself every right",
    "Website Contributor": "it may publish code",
}
"""Built-in roles that no application needs, and what makes them too broad."""

_ACTIONS: Final = ("*", "*/write", "*/action", "microsoft.authorization/*", "microsoft.authorization/roleassignments/*", "microsoft.authorization/*/write")  # fmt: skip
_TAKING: Final = ("listkeys", "listconnectionstrings", "publish", "regeneratekey", "listaccountsas")


def _slot(app: Resource) -> str:
    return app.name if app.type in SLOTS else "production"


def _principals(topology: Topology) -> dict[str, list[Resource]]:
    """Return the applications and slots by the principal that they act as."""
    found: dict[str, list[Resource]] = defaultdict(list)
    for app in topology.apps:
        for identifier in identities_of(app):
            identity = topology.estate.known(identifier)
            if identity:
                found[fold(identity.values.get("principal_id"))].append(app)
        for block in app.blocks("identity"):
            if block.get("principal_id"):
                found[fold(block["principal_id"])].append(app)
    return found


def _needed(topology: Topology, app: Resource) -> dict[tuple[str, str], str]:
    """Return what an application of ours needs: role and scope, with the reason."""
    kind = "web" if app.type in WEB else "functions"
    settings = settings_of(app)
    slot = _slot(app)
    found = {}
    for row in table("roles").values():
        if kind in row["identities"]:
            for scope in _scopes(
                topology,
                app,
                row["scope"],
                slot,
                str(settings.get("SECURE_OPENAI_COSMOS_DATABASE") or ""),
            ):
                found[row["role"], scope] = row["why"]
    return found


def _scopes(topology: Topology, app: Resource, kind: str, slot: str, database: str) -> list[str]:
    if kind == "model_account":
        return [fold(one.id) for one in topology.in_group_of(app, "azurerm_cognitive_account")]
    if kind == "application_insights":
        return [fold(one.id) for one in topology.in_group_of(app, "azurerm_application_insights")]
    if kind == "cosmos_database":
        return [
            f"{fold(one.id)}/dbs/{fold(database)}"
            for one in topology.in_group_of(app, "azurerm_cosmosdb_account")
        ]
    if kind == "host_storage":
        names = (app.values.get("storage_account_name"),)
        return [
            fold(one.id)
            for one in topology.in_group_of(app, "azurerm_storage_account")
            if one.name in names
        ]
    if kind == "seal_key":
        keys = [
            one
            for one in topology.in_group_of(app, "azapi_resource")
            if one.name == f"audit-seal-{slot}"
        ]
        return [fold(one.id) for one in keys]
    name = kind.removesuffix("_container")
    return [
        fold(one.id)
        for one in topology.in_group_of(app, "azurerm_storage_container")
        if one.name == f"{name}-{slot}"
    ]


def _granted(topology: Topology) -> dict[str, list[tuple[str, str, Resource]]]:
    """Return what each principal holds: role, scope, and what grants it."""
    found: dict[str, list[tuple[str, str, Resource]]] = defaultdict(list)
    for one in topology.estate.every("azurerm_role_assignment"):
        role = str(
            one.values.get("role_definition_name") or one.values.get("role_definition_id") or ""
        )
        found[one.refers("principal_id")].append((role, one.refers("scope"), one))
    for one in topology.estate.every("azurerm_cosmosdb_sql_role_assignment"):
        definition = one.refers("role_definition_id").rpartition("/")[2]
        role = (
            "Cosmos DB Built-in Data Contributor"
            if definition == _COSMOS_CONTRIBUTOR
            else definition
        )
        found[one.refers("principal_id")].append((role, one.refers("scope"), one))
    return found


def _missing(topology: Topology) -> Iterator[Outcome]:
    granted = _granted(topology)
    for principal, apps in sorted(_principals(topology).items()):
        held = {(role, scope) for role, scope, _ in granted.get(principal, ())}
        for app in apps:
            if not is_ours(app):
                continue
            for (role, scope), why in sorted(_needed(topology, app).items()):
                if (role, scope) not in held:
                    says = f"{app.name} lacks {role} on {scope.rpartition('/')[2]}, which it needs to {why}"
                    yield Finding(
                        app.address,
                        "",
                        says,
                        f'resource "azurerm_role_assignment" "need" {{\n  role_definition_name = "{role}"\n}}',
                    )
                else:
                    says = f"holds {role} on {scope.rpartition('/')[2]}, to {why}"
                    yield Seen(app.address, says)


def _beyond(topology: Topology) -> Iterator[Outcome]:
    granted = _granted(topology)
    principals = _principals(topology)
    for principal, apps in sorted(principals.items()):
        if not all(is_ours(app) for app in apps):
            continue
        needed = {pair for app in apps for pair in _needed(topology, app)}
        seen = set()
        for role, scope, source in granted.get(principal, ()):
            if (role, scope) in needed and (role, scope) not in seen:
                seen.add((role, scope))
                yield Seen(source.address, f"{role}, which {apps[0].address} needs")
                continue
            where = scope.rpartition("/")[2]
            says = f"{apps[0].name} holds {role} on {where}, which nothing in its code needs"
            yield Finding(
                source.address,
                "scope" if any(role == one for one, _ in needed) else "role_definition_name",
                says,
                "# remove the assignment, or narrow it to what tables/roles.json asks for",
            )


def _too_broad(topology: Topology) -> Iterator[Outcome]:
    custom = {
        fold(one.values.get("role_definition_resource_id") or one.id): one
        for one in topology.estate.every("azurerm_role_definition")
    }
    for one in topology.estate.every("azurerm_role_assignment"):
        role = str(one.values.get("role_definition_name") or "")
        if role in BROAD:
            if one.values.get("condition"):
                yield Note(one.address, f"{role}, limited by a condition")
            elif _deployer(topology, one) and role == "Contributor":
                yield Note(one.address, f"{role} for the identity that deploys")
            else:
                yield Finding(
                    one.address,
                    "role_definition_name",
                    f"{role} is too broad: {BROAD[role]}",
                    "# a data role on the one resource",
                )
        scope = one.refers("scope")
        if (
            scope.count("/") <= 2
            and role not in BROAD
            and not _deployer(topology, one)
            and not custom.get(one.refers("role_definition_id"))
            and "/policyassignments/" not in scope
        ):
            yield Finding(
                one.address,
                "scope",
                f"{role or 'a role'} is granted on a whole subscription",
                "# the scope of the one resource",
            )
    for one in topology.estate.every("azurerm_role_definition"):
        for block in one.blocks("permissions"):
            for action in (block.get("actions") or []) + (block.get("data_actions") or []):
                low = str(action).casefold()
                if low in _ACTIONS or low.endswith("/*"):
                    yield Finding(
                        one.address,
                        "permissions",
                        f"the role may {action}",
                        "# name the actions one by one",
                    )
                elif any(word in low for word in _TAKING):
                    yield Note(
                        one.address,
                        f"the role may {action}, which is worth nothing while no key is taken",
                    )
    for one in topology.estate.every("azurerm_cosmosdb_sql_role_assignment"):
        if "/dbs/" not in one.refers("scope"):
            yield Finding(
                one.address,
                "scope",
                "the role reaches every database of the account",
                'scope = "${azurerm_cosmosdb_account.this.id}/dbs/${azurerm_cosmosdb_sql_database.this.name}"',
            )


def _deployer(topology: Topology, assignment: Resource) -> bool:
    principal = assignment.refers("principal_id")
    for one in topology.estate.every("azurerm_federated_identity_credential"):
        identity = topology.estate.known(
            one.values.get("user_assigned_identity_id") or one.values.get("parent_id")
        )
        if identity and fold(identity.values.get("principal_id")) == principal:
            return True
    return False


def _shared(topology: Topology) -> Iterator[Outcome]:
    holders: dict[str, list[Resource]] = defaultdict(list)
    for kind in (*APPS, *SLOTS, "azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine"):
        for one in topology.estate.every(kind):
            for identifier in identities_of(one):
                holders[identifier].append(one)
    for identifier, found in sorted(holders.items()):
        if len(found) > 1:
            names = " and ".join(one.address.rpartition(".module.")[2] for one in found)
            yield Finding(
                found[1].address,
                "identity.0.identity_ids",
                f"{names} act as one identity, {identifier.rpartition('/')[2]}",
                "# an identity for each application and slot",
            )
    for app in topology.apps:
        settings = settings_of(app)
        client = settings.get("AZURE_CLIENT_ID")
        own = [topology.estate.known(one) for one in identities_of(app)]
        if client and own and not any(one and one.values.get("client_id") == client for one in own):
            yield Finding(
                app.address,
                "app_settings.AZURE_CLIENT_ID",
                "it asks for tokens as an identity that it does not have",
                "AZURE_CLIENT_ID = azurerm_user_assigned_identity.this.client_id",
            )
        if is_ours(app) and not own:
            yield Finding(
                app.address,
                "identity",
                "it has no identity to call services with",
                'identity {\n  type         = "UserAssigned"\n  identity_ids = [azurerm_user_assigned_identity.this.id]\n}',
            )


def _federated(topology: Topology) -> Iterator[Outcome]:
    audience = FEDERATION[topology.cloud]
    identities = {
        fold(one.values.get("principal_id")): one
        for one in topology.estate.every("azurerm_user_assigned_identity")
    }
    issuers = {
        f"https://{LOGIN[topology.cloud]}/{one.values.get('tenant_id')}/v2.0"
        for one in identities.values()
    }
    for one in topology.estate.every("azuread_application_federated_identity_credential"):
        if one.values.get("audiences") != [audience]:
            yield Finding(
                one.address,
                "audiences",
                "its audience is not this cloud's",
                f'audiences = ["{audience}"]',
            )
        if one.values.get("issuer") not in issuers and one.values.get("issuer") != _GITHUB:
            yield Finding(
                one.address,
                "issuer",
                "its issuer is not this tenant in this cloud",
                f'issuer = "https://{LOGIN[topology.cloud]}/${{var.tenant_id}}/v2.0"',
            )
        if (
            fold(one.values.get("subject")) not in identities
            and one.values.get("issuer") != _GITHUB
        ):
            yield Finding(
                one.address,
                "subject",
                "its subject is no identity of the estate",
                "subject = azurerm_user_assigned_identity.this.principal_id",
            )
    bound: dict[str, list[Resource]] = defaultdict(list)
    for one in topology.estate.every("azurerm_federated_identity_credential"):
        subject = str(one.values.get("subject") or "")
        bound[subject].append(one)
        if one.values.get("audience") not in ([audience], audience):
            yield Finding(
                one.address,
                "audience",
                "its audience is not this cloud's",
                f'audience = ["{audience}"]',
            )
        if one.values.get("issuer") != _GITHUB:
            yield Finding(
                one.address, "issuer", "its issuer is not GitHub's", f'issuer = "{_GITHUB}"'
            )
        if ":environment:" not in subject or "*" in subject or not subject.startswith("repo:"):
            yield Finding(
                one.address,
                "subject",
                "its subject is not bound to one environment of one repository",
                'subject = "repo:owner/name:environment:production"',
            )
    for _, found in sorted(bound.items()):
        if len(found) > 1:
            yield Finding(
                found[1].address,
                "subject",
                "two identities trust one subject",
                "# an environment for each identity",
            )


STATEMENTS: Final = (
    Statement(
        "ROLES-01",
        "Every role that the code needs is granted",
        Severity.HIGH,
        "What is missing is granted in a hurry, and too broadly.",
        ("MCSB PA-7",),
        _missing,
        ("azurerm_role_assignment", "azurerm_cosmosdb_sql_role_assignment", "azurerm_user_assigned_identity"),
        relations=True,
    ),
    Statement(
        "ROLES-02",
        "No application holds a role that its code does not need",
        Severity.HIGH,
        "What an application may do, whoever takes it over may do.",
        ("MCSB PA-7",),
        _beyond,
        ("azurerm_role_assignment", "azurerm_cosmosdb_sql_role_assignment"),
        relations=True,
    ),
    Statement(
        "ROLES-03",
        "No role reaches further than one resource's data, nor lists its keys",
        Severity.CRITICAL,
        "Who may list keys or assign roles has every right, under another name.",
        ("MCSB PA-1", "MCSB PA-7", "checkov CKV_AZURE_39"),
        _too_broad,
        ("azurerm_role_assignment", "azurerm_role_definition", "azurerm_cosmosdb_sql_role_assignment"),
        relations=True,
    ),
    Statement(
        "ROLES-04",
        "Each application and slot acts as an identity of its own",
        Severity.HIGH,
        "A shared identity makes the weakest door the door to everything.",
        ("MCSB IM-3", "Azure Policy 2b9ad585", "checkov CKV_AZURE_71"),
        _shared,
        ("azurerm_user_assigned_identity", *APPS, *SLOTS),
        relations=True,
    ),
    Statement(
        "ROLES-05",
        "Each federated credential trusts exactly one identity or one environment",
        Severity.CRITICAL,
        "A wildcard, a pull request or another cloud's audience lets a stranger in, or nobody.",
        ("MCSB IM-3", "checkov CKV_AZURE_249"),
        _federated,
        ("azuread_application_federated_identity_credential", "azurerm_federated_identity_credential"),
        relations=True,
    ),
)  # fmt: skip
