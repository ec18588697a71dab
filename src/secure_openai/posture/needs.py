"""What each application of ours needs, by `tables/roles.json`: roles, each on its scope."""

from __future__ import annotations

from typing import Final

from secure_openai.posture.applications import settings_of
from secure_openai.posture.estate import Resource, fold
from secure_openai.posture.private_link import SLOTS, WEB
from secure_openai.posture.topology import Topology
from secure_openai.tables import table

_KEYS: Final = {"evidence_key": "estate-evidence", "seal_key": "audit-seal"}
"""What the keys of the vault are called, before the slot."""


def _slot(app: Resource) -> str:
    return app.name if app.type in SLOTS else "production"


def needed(
    topology: Topology, app: Resource, *, handed_over: bool = False
) -> dict[tuple[str, str], str]:
    """Return what an application of ours needs: role and scope, with the reason.

    Args:
        topology: The estate.
        app: The application.
        handed_over: Whether roles of our own count, which are used where they are handed over.
    """
    kind = "web" if app.type in WEB else "functions"
    database = str(settings_of(app).get("SECURE_OPENAI_COSMOS_DATABASE") or "")
    slot = _slot(app)
    found = {}
    for row in table("roles").values():
        if "actions" in row and not handed_over:
            continue
        if kind in row["identities"] and slot in row.get("slots", (slot,)):
            for scope in _scopes(topology, app, row["scope"], slot, database):
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
    if kind in _KEYS:
        keys = [
            one
            for one in topology.in_group_of(app, "azapi_resource")
            if one.name == f"{_KEYS[kind]}-{slot}"
        ]
        return [fold(one.id) for one in keys]
    name = kind.removesuffix("_container")
    return [
        fold(one.id)
        for one in topology.in_group_of(app, "azurerm_storage_container")
        if one.name == f"{name}-{slot}"
    ]
