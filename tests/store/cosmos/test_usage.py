"""Usage in Cosmos DB."""

from __future__ import annotations

import pytest

from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.usage import CosmosUsageStore
from secure_openai.testing.usage_contract import NOON, UsageStoreContract


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosUsageStore:
    """Return the store under test."""
    return CosmosUsageStore(cosmos, clock=lambda: NOON)


class TestCosmosUsageStore(UsageStoreContract):
    """The contract, on Cosmos DB."""
