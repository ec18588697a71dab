"""Requests of principals in Cosmos DB."""

from __future__ import annotations

import pytest

from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.requests import CosmosRequestStore
from secure_openai.testing.requests_contract import RequestStoreContract


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosRequestStore:
    """Return the store under test."""
    return CosmosRequestStore(cosmos)


class TestCosmosRequestStore(RequestStoreContract):
    """The contract, on Cosmos DB."""
