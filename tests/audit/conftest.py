"""The servers that stand in for Cosmos DB, Storage and Key Vault, together."""

from __future__ import annotations

from tests.store.azure.conftest import (  # noqa: F401 - fixtures
    azure_certificate,
    azurite,
    blobs,
    key_vault_signer,
    network,
    opened,
    place,
    vault,
)
from tests.store.cosmos.conftest import (  # noqa: F401 - fixtures
    bridge,
    certificate,
    cosmos,
    cosmos_server,
    database_name,
)
