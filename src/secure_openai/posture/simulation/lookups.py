"""What data sources answer: stand-ins for a cloud in which everything asked for exists.

Everything here is invented, so a proof takes none of it as evidence. A location and an address
space are given, unlike in resources, because configurations compute with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from secure_openai.posture.simulation.azapi import output, overrides
from secure_openai.posture.simulation.cloud import Cloud, guid
from secure_openai.posture.simulation.values import Value, dynamic

Object = dict[str, Any]

LOCATION: Final = "westeurope"

WELL_KNOWN: Final = {
    "AzureActiveDirectoryGraph": "00000002-0000-0000-c000-000000000000",
    "AzureDataLake": "e9f49c6b-5ce5-44c8-925d-015017e9f7ad",
    "AzureKeyVault": "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
    "AzureServiceManagement": "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    "AzureStorage": "e406a681-f3d4-42a8-90b6-c2b029497af1",
    "MicrosoftGraph": "00000003-0000-0000-c000-000000000000",
    "Office365ExchangeOnline": "00000002-0000-0ff1-ce00-000000000000",
    "Office365SharePointOnline": "00000003-0000-0ff1-ce00-000000000000",
    "OfficeSpaceWebExtensions": "c606301c-f764-4e6b-aa45-7caaaea93c9a",
}
"""Client ids of Microsoft's own applications: public, and the same in every tenant."""

GRAPH_SCOPES: Final = {
    "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
    "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
    "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
    "openid": "37f7f235-527c-4136-accd-4a02d197296e",
    "profile": "14dad69e-099b-42c9-810b-d002981feec1",
}
"""Delegated permissions of Microsoft Graph. Source: Microsoft Graph, "Permissions reference"."""

_DEFAULTS: Final[Mapping[str, Value]] = {
    "address_prefixes": ["10.0.0.0/24"],
    "address_space": ["10.0.0.0/16"],
    "location": LOCATION,
}


def answer(cloud: Cloud, kind: str, config: Object) -> Object:
    """Return the values of a data source that are not simply invented, by attribute."""
    rule = _RULES.get(kind)
    found = dict(_DEFAULTS)
    if rule:
        found |= rule(cloud, config)
    return found


def _client(cloud: Cloud, _: Object) -> Object:
    return {
        "client_id": cloud.client_id,
        "id": guid("client_config"),
        "object_id": cloud.object_id,
        "subscription_id": cloud.subscription_id,
        "subscription_resource_id": f"/subscriptions/{cloud.subscription_id}",
        "tenant_id": cloud.tenant_id,
    }


def _subscription(cloud: Cloud, config: Object) -> Object:
    chosen = config.get("subscription_id") or cloud.subscription_id
    return {
        "display_name": "simulated",
        "id": f"/subscriptions/{chosen}",
        "state": "Enabled",
        "subscription_id": chosen,
        "tenant_id": cloud.tenant_id,
    }


def _role(_: Cloud, config: Object) -> Object:
    identifier = config.get("role_definition_id") or guid("role", config.get("name"))
    scope = config.get("scope") or ""
    path = f"/providers/Microsoft.Authorization/roleDefinitions/{identifier}"
    return {"id": scope + path, "role_definition_id": identifier, "name": config.get("name")}


def _published(_: Cloud, __: Object) -> Object:
    return {"id": "appIds", "result": dict(WELL_KNOWN)}


def _service_principal(cloud: Cloud, config: Object) -> Object:
    client = config.get("client_id") or guid("service_principal", repr(config))
    known = cloud.application(client)
    scopes = known.get("oauth2_permission_scope_ids", {})
    if client == WELL_KNOWN["MicrosoftGraph"]:
        scopes = dict(GRAPH_SCOPES)
    identifier = guid("service_principal", client)
    return {
        "app_role_ids": known.get("app_role_ids", {}),
        "client_id": client,
        "id": f"/servicePrincipals/{identifier}",
        "oauth2_permission_scope_ids": scopes,
        "object_id": identifier,
    }


def _directory_object(_: Cloud, config: Object) -> Object:
    names = ("object_id", "display_name", "mail_nickname", "user_principal_name", "client_id")
    known = next((config[name] for name in names if config.get(name)), "")
    identifier = config.get("object_id") or guid("directory", known)
    return {"id": identifier, "object_id": identifier}


def _domains(_: Cloud, __: Object) -> Object:
    name = "simulated.invalid"
    return {
        "domains": [
            {
                "admin_managed": True,
                "authentication_type": "Managed",
                "default": True,
                "domain_name": name,
                "initial": True,
                "root": True,
                "supported_services": [],
                "verified": True,
            }
        ]
    }


def _azapi(cloud: Cloud, config: Object) -> Object:
    return overrides(cloud, "azapi_resource", {**config, "body": None})


def _azapi_action(_: Cloud, config: Object) -> Object:
    identifier = config.get("resource_id")
    return {
        "id": identifier,
        "output": output(config, identifier),
        "sensitive_output": dynamic({}),
    }


def _azapi_list(_: Cloud, config: Object) -> Object:
    identifier = f"{config.get('parent_id')}/{config.get('type')}"
    return {"id": identifier, "output": dynamic({"value": []})}


_RULES: Final = {
    "azapi_client_config": _client,
    "azapi_resource": _azapi,
    "azapi_resource_action": _azapi_action,
    "azapi_resource_id": _azapi,
    "azapi_resource_list": _azapi_list,
    "azuread_application_published_app_ids": _published,
    "azuread_client_config": _client,
    "azuread_domains": _domains,
    "azuread_group": _directory_object,
    "azuread_service_principal": _service_principal,
    "azuread_user": _directory_object,
    "azurerm_client_config": _client,
    "azurerm_role_definition": _role,
    "azurerm_subscription": _subscription,
}
