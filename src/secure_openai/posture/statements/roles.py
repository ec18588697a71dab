"""Roles: that what the code needs is granted, and nothing besides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from secure_openai.posture.applications import identities_of, is_ours, settings_of
from secure_openai.posture.built_in_roles import ASSIGNING, BROAD, KNOWN, named, service_of
from secure_openai.posture.estate import Resource, Values, fold
from secure_openai.posture.needs import needed
from secure_openai.posture.own_roles import looked_up, names, number_of
from secure_openai.posture.private_link import SITES
from secure_openai.posture.role_rights import (
    ASSIGNMENTS,
    MASTERING,
    TAKING,
    bound_to,
    custom_roles,
    matching,
    providers,
    reach,
    role_of,
    unlimited,
)
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Note,
    Outcome,
    Seen,
    Severity,
    Statement,
    witnessed,
)
from secure_openai.posture.topology import Topology

_COSMOS_ROLES: Final = {
    "00000000-0000-0000-0000-000000000001": "Cosmos DB Built-in Data Reader",
    "00000000-0000-0000-0000-000000000002": "Cosmos DB Built-in Data Contributor",
}
_COSMOS: Final = "azurerm_cosmosdb_sql_role_assignment"
_COSMOS_ROLE: Final = "azurerm_cosmosdb_sql_role_definition"
# Sign-in to a machine is for people, whom no configuration makes.
_FOR_PEOPLE: Final = ("Virtual Machine Administrator Login", "Virtual Machine User Login")
# What a role of the table's own may do is known, as soon as it is told from others.
_OURS: Final = names()
_VOUCH: Final = "prove a state or a plan, which looked it up, or vouch for it (kind role): what may"
_NARROW: Final = "# a data role on the one resource"
# Services hold an identity to open the key that encrypts them, and act for nobody with it.
_KEEPERS: Final = (
    "azurerm_cognitive_account",
    "azurerm_container_registry",
    "azurerm_cosmosdb_account",
    "azurerm_disk_encryption_set",
    "azurerm_key_vault",
    "azurerm_search_service",
    "azurerm_storage_account",
)


def _unknown(topology: Topology, assignment: Resource) -> bool:
    """Return whether an assignment's role is neither built in, nor defined here, nor looked up."""
    number = _number(assignment)
    return bool(number) and not (
        named(number) in KNOWN
        or number in looked_up(topology)
        or number in custom_roles(topology.estate)
    )


def _granted(topology: Topology) -> dict[str, list[tuple[str, str, Resource]]]:
    """Return what each principal holds: role, scope, and what grants it."""
    found: dict[str, list[tuple[str, str, Resource]]] = defaultdict(list)
    for one in topology.estate.every(*ASSIGNMENTS):
        found[one.refers("principal_id")].append((role_of(topology, one), one.refers("scope"), one))
    for one in topology.estate.every(_COSMOS):
        definition = one.refers("role_definition_id").rpartition("/")[2]
        role = _COSMOS_ROLES.get(definition, definition)
        found[one.refers("principal_id")].append((role, one.refers("scope"), one))
    return found


def _missing(topology: Topology) -> Iterator[Outcome]:
    granted = _granted(topology)
    for app in topology.apps:
        if not is_ours(app):
            yield Doubt(app.address, "what its code needs is not known: it is not this framework's")
    for principal, apps in sorted(topology.acting.items()):
        held = {(role, scope) for role, scope, _ in granted.get(principal, ())}
        for app in apps:
            if not is_ours(app):
                continue
            for (role, scope), why in sorted(needed(topology, app).items()):
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
    principals = topology.acting
    for principal, apps in sorted(principals.items()):
        foreign = [app for app in apps if not is_ours(app)]
        if foreign:
            for app in foreign if granted.get(principal) else ():
                says = (
                    "whether its code needs what it holds is not known: it is not this framework's"
                )
                yield Doubt(app.address, says)
            continue
        asked = {pair for app in apps for pair in needed(topology, app, handed_over=True)}
        handed_over = {scope for role, scope in asked if role in _OURS}
        seen = set()
        for role, scope, source in granted.get(principal, ()):
            if (role, scope) in asked and (role, scope) not in seen:
                seen.add((role, scope))
                yield Seen(source.address, f"{role}, which {apps[0].address} needs")
                continue
            where = scope.rpartition("/")[2]
            if scope in handed_over and _unknown(topology, source):
                yield Doubt(source.address, f"{_VOUCH} {role} on {where}")
                continue
            says = f"{apps[0].name} holds {role} on {where}, which nothing in its code needs"
            yield Finding(
                source.address,
                "scope" if any(role == one for one, _ in asked) else "role_definition_name",
                says,
                "# remove the assignment, or narrow it to what tables/roles.json asks for",
            )
    inside = _inside(topology)
    for principal, found in granted.items():
        for role, scope, source in found:
            service = "microsoft.documentdb" if source.type == _COSMOS else service_of(role)
            there = providers(scope)
            if service and there and service not in there:
                says = (
                    f"{role} opens nothing on {scope.rpartition('/')[2]}, which is another service"
                )
                yield Finding(
                    source.address, "scope", says, "# the scope of the service that it is for"
                )
            elif principal not in inside and role in _FOR_PEOPLE:
                yield Note(source.address, f"{role}, for people outside the estate")
            elif principal not in inside and role not in BROAD:
                says = f"{role} is held by somebody outside the estate: for what cannot be told"
                yield Doubt(source.address, says)


def _inside(topology: Topology) -> frozenset[str]:
    """Return every principal that the estate itself makes."""
    return frozenset(
        fold(value)
        for one in topology.estate.resources
        for steps, value in topology.estate.leaves_of(one)
        if value
        and (
            (steps == ("principal_id",) and one.type == "azurerm_user_assigned_identity")
            or (steps[-1] == "principal_id" and steps[0] == "identity")
            or (
                steps[-1] == "object_id"
                and (one.type.startswith("azuread_") or steps[0] == "kubelet_identity")
            )
        )
    )


def _too_broad(topology: Topology) -> Iterator[Outcome]:
    deployers = _deployers(topology)
    theirs = looked_up(topology)
    custom = custom_roles(topology.estate) | theirs
    for one in topology.estate.every(*ASSIGNMENTS):
        role = role_of(topology, one)
        deploys = one.refers("principal_id") in deployers
        own = custom.get(role.casefold()) or custom.get(_number(one))
        if role in BROAD:
            yield from _broad(topology, one, role, deploys=deploys)
        elif role in _OURS:
            yield Seen(one.address, f"{role}: what the table lists, and nothing else")
        elif own is not None:
            yield from _own(own, one, deploys=deploys, elsewhere=own in theirs.values())
        elif role not in KNOWN:
            yield Doubt(one.address, f"what role {role or 'of no name'} may do is not known here")
        wide = reach(one.refers("scope"))
        if wide and not deploys and role not in BROAD:
            says = f"{own.name if own else role or 'a role'} is granted on {wide}"
            severity = Severity.MEDIUM if "group" in wide and "resource" in wide else None
            yield Finding(one.address, "scope", says, "# the scope of the one resource", severity)
    yield from _defined(topology)
    for one in topology.estate.every(_COSMOS):
        if "/dbs/" not in one.refers("scope"):
            yield Finding(
                one.address,
                "scope",
                "the role reaches every database of the account",
                'scope = "${azurerm_cosmosdb_account.this.id}/dbs/${azurerm_cosmosdb_sql_database.this.name}"',
            )


def _number(assignment: Resource) -> str:
    return number_of(assignment.values.get("role_definition_id"))


def _own(own: Resource, one: Resource, *, deploys: bool, elsewhere: bool) -> Iterator[Outcome]:
    """Judge the assignment of a role that somebody defined, in the estate or elsewhere."""
    name = own.name or _number(one)
    for block in own.blocks("permissions"):
        if _actions(block, TAKING) and not deploys:
            says = f"{name} lists keys, and is held by more than what deploys"
            yield Finding(one.address, "role_definition_id", says, _NARROW)
        # What the estate defines itself is judged where it is defined.
        for action in _mastering(block) if elsewhere else ():
            yield Finding(one.address, "role_definition_id", f"{name} may {action}", _NARROW)


def _mastering(block: Values) -> list[str]:
    every = map(str, (*(block.get("actions") or ()), *(block.get("data_actions") or ())))
    return list(dict.fromkeys((*filter(unlimited, every), *_actions(block, MASTERING))))


def _broad(topology: Topology, one: Resource, role: str, *, deploys: bool) -> Iterator[Outcome]:
    condition = str(one.values.get("condition") or "")
    if role in ASSIGNING and condition:
        allowed = bound_to(condition)
        if allowed is None:
            says = f"{role}: its condition does not bind which roles it hands out"
            yield Finding(
                one.address, "condition", says, "# only the numbers of the roles that it needs"
            )
            return
        custom = custom_roles(topology.estate)
        names = [topology.looked_up_roles.get(number, named(number)) for number in allowed]
        wrong = [name for name in names if name in BROAD]
        unknown = [name for name in names if name not in KNOWN and name not in custom]
        if wrong:
            says = f"{role} may hand out {wrong[0]}: {BROAD[wrong[0]]}"
            yield Finding(one.address, "condition", says, "# leave that role out")
        elif unknown:
            says = f"{role} may hand out {unknown[0]}, of which it is not known what it may do"
            yield Doubt(one.address, says)
        else:
            yield Note(one.address, f"{role}, limited by a condition to {len(names)} roles")
    elif deploys and role == "Contributor":
        yield Note(one.address, f"{role} for the identity that deploys")
    else:
        yield Finding(
            one.address, "role_definition_name", f"{role} is too broad: {BROAD[role]}", _NARROW
        )


def _actions(block: Values, operations: tuple[str, ...]) -> list[str]:
    return list(matching(block.get("actions") or (), operations, block.get("not_actions") or ()))


def _defined(topology: Topology) -> Iterator[Outcome]:
    mend = "# name the actions one by one"
    for one in topology.estate.every("azurerm_role_definition"):
        for block in one.blocks("permissions"):
            wrong = _mastering(block)
            for action in wrong:
                yield Finding(one.address, "permissions", f"the role may {action}", mend)
            for action in _actions(block, TAKING):
                if action not in wrong:
                    says = f"the role may {action}, which is worth nothing while no key is taken"
                    yield Note(one.address, says)
    for one in topology.estate.every(_COSMOS_ROLE):
        for block in one.blocks("permissions"):
            for action in map(str, block.get("data_actions") or ()):
                if action.casefold() in (
                    "*",
                    "microsoft.documentdb/*",
                    "microsoft.documentdb/databaseaccounts/*",
                ):
                    yield Finding(one.address, "permissions", f"the role may {action}", mend)


def _deployers(topology: Topology) -> frozenset[str]:
    """Return the principals of the identities that pipelines deploy as, and nothing else acts as."""
    acting = set(topology.acting)
    for kind in topology.estate.types - set(_KEEPERS):
        for one in topology.estate.every(kind):
            for identifier in identities_of(one):
                identity = topology.estate.known(identifier)
                acting.add(fold(identity.values.get("principal_id")) if identity else "")
    found = set()
    for one in topology.estate.every("azurerm_federated_identity_credential"):
        identity = topology.estate.known(
            one.values.get("user_assigned_identity_id") or one.values.get("parent_id")
        )
        if identity:
            found.add(fold(identity.values.get("principal_id")))
    return frozenset(found - acting - {""})


def _shared(topology: Topology) -> Iterator[Outcome]:
    holders: dict[str, list[Resource]] = defaultdict(list)
    for one in sorted(topology.estate.resources, key=lambda one: one.address):
        for identifier in identities_of(one):
            holders[identifier].append(one)
    for identifier, found in sorted(holders.items()):
        acting = [one for one in found if one.type not in _KEEPERS]
        if len(found) > 1 and acting:
            names = " and ".join(one.address.rpartition(".module.")[2] for one in found)
            yield Finding(
                acting[-1].address,
                "identity.0.identity_ids",
                f"{names} act as one identity, {identifier.rpartition('/')[2]}",
                "# an identity for each application and slot",
            )
        if topology.estate.known(identifier) is None:
            for one in acting:
                says = f"it acts as {identifier.rpartition('/')[2]}, which lies outside: what that may do cannot be told"
                yield Doubt(one.address, says)
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
        if (is_ours(app) and not own) or not app.blocks("identity"):
            yield Finding(
                app.address,
                "identity",
                "it has no identity to call services with",
                'identity {\n  type         = "UserAssigned"\n  identity_ids = [azurerm_user_assigned_identity.this.id]\n}',
            )


def _narrow(topology: Topology) -> Iterator[Outcome]:
    seen = (
        Seen(one.address, f"it reaches {one.refers('scope').rpartition('/')[2]} and what is in it")
        for one in topology.estate.every(*ASSIGNMENTS, _COSMOS)
    )
    return witnessed(_too_broad(topology), *seen)


def _alone(topology: Topology) -> Iterator[Outcome]:
    found = list(_shared(topology))
    yield from found
    if not found:
        yield from (Seen(one.address, "its identities are nobody else's") for one in topology.apps)


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
        "No application holds a role that its code does not need, and nobody outside holds one",
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
        _narrow,
        (*ASSIGNMENTS, "azurerm_role_definition", _COSMOS, _COSMOS_ROLE),
        relations=True,
    ),
    Statement(
        "ROLES-04",
        "Each application and slot acts as an identity of its own",
        Severity.HIGH,
        "A shared identity makes the weakest door the door to everything.",
        ("MCSB IM-3", "Azure Policy 2b9ad585-36bc-4615-b300-fd4435808332", "checkov CKV_AZURE_71"),
        _alone,
        ("azurerm_user_assigned_identity", *SITES),
        relations=True,
        everything=True,
    ),
)  # fmt: skip
