"""Sightings in Cosmos DB."""

from __future__ import annotations

import pytest

from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.sightings import CosmosSightingStore
from secure_openai.testing.sightings_contract import SightingStoreContract


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosSightingStore:
    """Return the store under test."""
    return CosmosSightingStore(cosmos)


class TestCosmosSightingStore(SightingStoreContract):
    """The contract, on Cosmos DB."""
