"""Tallies in Cosmos DB."""

from __future__ import annotations

import pytest

from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.tallies import CosmosTallyStore
from secure_openai.testing.tallies_contract import TallyStoreContract


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosTallyStore:
    """Return the store under test."""
    return CosmosTallyStore(cosmos)


class TestCosmosTallyStore(TallyStoreContract):
    """The contract, on Cosmos DB."""
