"""Sessions in Cosmos DB."""

from __future__ import annotations

import pytest

from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.sessions import CosmosSessionStore
from secure_openai.testing.sessions_contract import SessionStoreContract


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosSessionStore:
    """Return the store under test."""
    return CosmosSessionStore(cosmos)


class TestCosmosSessionStore(SessionStoreContract):
    """The contract, on Cosmos DB."""
