"""Facts of azapi and random, which have no facts file: written from their documentation.

Sources: azapi 2.12, `azapi_resource` and `azapi_update_resource`; random 3.9, every resource
("keepers", and the statement that a changed argument makes a new resource).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_REPLACED: Final[Mapping[str, Any]] = {"force_new": True}
_TRUE: Final[Mapping[str, Any]] = {"default": True}
_FALSE: Final[Mapping[str, Any]] = {"default": False}

_DRAWN: Final[Mapping[str, Any]] = {"default": True, **_REPLACED}
_LEAST: Final[Mapping[str, Any]] = {"default": 0, **_REPLACED}

_CHARACTERS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("lower", "number", "numeric", "special", "upper"), _DRAWN),
    **dict.fromkeys(("min_lower", "min_numeric", "min_special", "min_upper"), _LEAST),
    **dict.fromkeys(("keepers", "length", "override_special"), _REPLACED),
}


def _always(*names: str) -> dict[str, Any]:
    return {"args": dict.fromkeys(("keepers", *names), _REPLACED)}


NOT_ONLY: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    # Takes "UserAssignedIdentity=ID" too (azurerm, `azurerm_cosmosdb_account`, documentation).
    "azurerm": (("azurerm_cosmosdb_account", "default_identity_type"),),
}
"""Arguments whose list of allowed values is not the whole truth, by provider and type."""

HANDMADE: Final[Mapping[str, Mapping[str, Any]]] = {
    "azapi": {
        "azapi_resource": {
            "args": {
                "ignore_casing": _FALSE,
                "ignore_missing_property": _TRUE,
                "ignore_null_property": _FALSE,
                "location": _REPLACED,
                "name": _REPLACED,
                "parent_id": _REPLACED,
                "schema_validation_enabled": _TRUE,
                "identity": {"computed_block": False},
                "identity.type": {
                    "values": [
                        "SystemAssigned",
                        "UserAssigned",
                        "SystemAssigned, UserAssigned",
                        "None",
                    ]
                },
            }
        },
        "azapi_update_resource": {
            "args": {
                "ignore_casing": _FALSE,
                "ignore_missing_property": _TRUE,
                "name": _REPLACED,
                "parent_id": _REPLACED,
                "resource_id": _REPLACED,
            }
        },
        "azapi_data_plane_resource": {
            "args": {
                "ignore_casing": _FALSE,
                "ignore_missing_property": _TRUE,
                "name": _REPLACED,
                "parent_id": _REPLACED,
            }
        },
        "azapi_resource_action": {
            "args": {
                "method": {
                    "default": "POST",
                    "values": ["POST", "PATCH", "PUT", "DELETE", "GET", "HEAD"],
                },
                "resource_id": _REPLACED,
                "type": _REPLACED,
                "when": {"default": "apply", "values": ["apply", "destroy"]},
            }
        },
    },
    "random": {
        "random_bytes": _always("length"),
        "random_id": _always("byte_length", "prefix"),
        "random_integer": _always("max", "min", "seed"),
        "random_password": {"args": _CHARACTERS},
        "random_shuffle": _always("input", "result_count", "seed"),
        "random_string": {"args": _CHARACTERS},
        "random_uuid": _always(),
        "random_uuid4": _always(),
        "random_uuid7": _always(),
    },
}
