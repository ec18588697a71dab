"""Azure's built-in roles, as far as a model's estate meets them: which of them reach too far.

A role that stands in neither table is not known: nothing is proven of whoever holds it.

Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
"""

from __future__ import annotations

import re
from typing import Final

BROAD: Final = {
    "API Management Service Contributor": "it may change the gateway, and read its secrets",
    "Azure AI Developer": "it may read keys and connections of a project",
    "Cognitive Services Contributor": "it may list keys",
    "Cognitive Services OpenAI Contributor": "it may change deployments and filters",
    "Cognitive Services User": "it may list keys",
    "Contributor": "it may change everything, list keys and publish code",
    "Cosmos DB Account Reader Role": "it may list read-only keys",
    "Cosmos DB Operator": "it may open the firewall",
    "DocumentDB Account Contributor": "it may list keys",
    "Key Vault Administrator": "it may read every secret and key",
    "Key Vault Contributor": "it may change the vault",
    "Key Vault Data Access Administrator": "it may give itself every secret and key",
    "Log Analytics Contributor": "it may list keys of storage accounts",
    "Logic App Contributor": "it may run what it likes as the workflow",
    "Managed Identity Contributor": "it may make anybody vouch for an identity",
    "Managed Identity Operator": "it may act as the identity",
    "Network Contributor": "it may open the network",
    "Owner": "it may give itself every right",
    "Private DNS Zone Contributor": "it may lead every name elsewhere",
    "Reader and Data Access": "it may list keys",
    "Role Based Access Control Administrator": "it may give itself every right",
    "Search Service Contributor": "it may list keys",
    "Storage Account Contributor": "it may list keys",
    "Storage Account Key Operator Service Role": "it may list keys",
    "User Access Administrator": "it may give itself every right",
    "Virtual Machine Contributor": "it may run what it likes on the machine",
    "Website Contributor": "it may publish code",
}
"""Built-in roles that no application needs, and what makes them too broad."""

ASSIGNING: Final = ("Role Based Access Control Administrator", "User Access Administrator")
"""Roles that do nothing but hand out roles, so that a condition can bind all that they do."""

_SERVICES: Final = {
    "acr": "microsoft.containerregistry",
    "azure ai": "microsoft.cognitiveservices",
    "cognitive services": "microsoft.cognitiveservices",
    "cosmos db": "microsoft.documentdb",
    "documentdb": "microsoft.documentdb",
    "key vault": "microsoft.keyvault",
    "search": "microsoft.search",
    "storage": "microsoft.storage",
    "virtual machine": "microsoft.compute",
}
"""Which service a role opens, by how its name begins."""

_IDS: Final = {
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "8311e382-0749-4cb8-b61a-304f252e45ec": "AcrPush",
    "312a565d-c81f-4fd8-895a-4e21e48d571c": "API Management Service Contributor",
    "64702f94-c441-49e6-a78b-ef80e0188fee": "Azure AI Developer",
    "25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68": "Cognitive Services Contributor",
    "a001fd3d-188f-4b5d-821b-7da978bf7442": "Cognitive Services OpenAI Contributor",
    "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd": "Cognitive Services OpenAI User",
    "a97b65f3-24c7-4388-baec-2e87135dc908": "Cognitive Services User",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "fbdf93bf-df7d-467e-a4d2-9458aa1360c8": "Cosmos DB Account Reader Role",
    "230815da-be43-4aae-9cb4-875f7bd000aa": "Cosmos DB Operator",
    "5bd9cd88-fe45-4216-938b-f97437e15450": "DocumentDB Account Contributor",
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": "Key Vault Administrator",
    "a4417e6f-fecd-4de8-b567-7b0420556985": "Key Vault Certificates Officer",
    "f25e0fa2-a7c8-4377-a976-54943a77a395": "Key Vault Contributor",
    "14b46e9e-c2b7-41b4-b07b-48a6ebf60603": "Key Vault Crypto Officer",
    "e147488a-f6f5-4113-8e2d-b22465e65bf6": "Key Vault Crypto Service Encryption User",
    "12338af0-0e69-4776-bea7-57ae8d297424": "Key Vault Crypto User",
    "8b54135c-b56d-4d72-a534-26097cfdc8d8": "Key Vault Data Access Administrator",
    "21090545-7ca7-4776-b22c-e363652d74d2": "Key Vault Reader",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "92aaf0da-9dab-42b6-94a3-d43ce8d16293": "Log Analytics Contributor",
    "73c42c96-874c-492b-b04d-ab87d138a893": "Log Analytics Reader",
    "87a39d53-fc1b-424a-814c-f7e04687dc9e": "Logic App Contributor",
    "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59": "Managed Identity Contributor",
    "f1a07417-d97a-45cb-824c-7a7467783830": "Managed Identity Operator",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "4d97b98b-1d4f-4787-a291-c67834d212e7": "Network Contributor",
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b12aa53e-6015-4669-85d0-8515ebb3ae7f": "Private DNS Zone Contributor",
    "c12c1c16-33a1-487b-954d-41c89c60f349": "Reader and Data Access",
    "36243c78-bf99-498c-9df9-86d9f8d28608": "Resource Policy Contributor",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
    "8ebe5a00-799e-43f5-93ac-243d3dce84a7": "Search Index Data Contributor",
    "1407120a-92aa-4202-b7e9-c0e197c71c8f": "Search Index Data Reader",
    "7ca78c08-252a-4471-8644-bb5ff32d4ba0": "Search Service Contributor",
    "17d1049b-9a84-46fb-8f53-869881c3d3ab": "Storage Account Contributor",
    "81a9662b-bebf-436f-a333-f67b29880f12": "Storage Account Key Operator Service Role",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "1c0163c0-47e6-4577-8991-ea5c82e286e4": "Virtual Machine Administrator Login",
    "9980e02c-c2be-4d73-94e8-173b1dc7cf3c": "Virtual Machine Contributor",
    "fb879df8-f326-4884-b1cf-06f3ad86be52": "Virtual Machine User Login",
    "de139f84-1756-47ae-9be6-808fbbe84772": "Website Contributor",
}
"""Built-in roles by their number, which is the same in every tenant."""

KNOWN: Final = frozenset(_IDS.values()) | BROAD.keys()
"""Every built-in role of which it is known what it may do."""

_GUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def named(text: str) -> str:
    """Return the name of a role by its name in any case, its number, or an id that ends with it.

    What is not known is handed back as it is.
    """
    folded = text.casefold()
    number = folded.rpartition("/")[2].partition("|")[0]
    if _GUID.fullmatch(number):
        return _IDS.get(number, text)
    return _FOLDED.get(folded, text)


_FOLDED: Final = {one.casefold(): one for one in KNOWN}


def number_of(name: str) -> str:
    """Return the number of a built-in role; its name where that is not known."""
    return next((number for number, one in _IDS.items() if one == name), name)


def service_of(role: str) -> str:
    """Return the provider of the resources that a role opens; empty where it is not known."""
    folded = role.casefold()
    return next((one for start, one in _SERVICES.items() if folded.startswith(start)), "")
