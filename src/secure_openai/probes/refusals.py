"""Why a service refuses: its network, or a role that our identity lacks.

Both come as 403. What tells them apart is each service's own code or sentence.
"""

from __future__ import annotations

BY_NETWORK = (
    # Azure Storage, "Common REST API error codes": a firewall's is AuthorizationFailure, a missing
    # role's AuthorizationPermissionMismatch.
    "authorizationfailure<",
    "publicaccessnotpermitted",
    # Azure Key Vault, "Common error codes".
    "forbiddenbyfirewall",
    "forbiddenbyconnection",
    # Azure Cosmos DB, "Troubleshoot forbidden exceptions".
    "firewall settings",
    "through public internet",
    # Azure AI services, "Configure virtual networks".
    "public access is disabled",
    "virtual network/firewall rules",
    # Azure App Service, "Set up access restrictions".
    "has blocked your access",
)
"""What a refusal by a firewall says, in lower case."""


def by_network(code: str, text: str) -> bool:
    """Return whether a refusal is the network's.

    Args:
        code: The error code in the answer's headers.
        text: The answer's body.
    """
    said = f"{code}<{text}".lower()
    return any(sign in said for sign in BY_NETWORK)
