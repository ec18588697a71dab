"""Conversations in Cosmos DB."""

from __future__ import annotations

import pytest

from secure_openai.store.cosmos.conversations import CosmosConversationStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.testing.conversations_contract import ConversationStoreContract


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosConversationStore:
    """Return the store under test."""
    return CosmosConversationStore(cosmos)


class TestCosmosConversationStore(ConversationStoreContract):
    """The contract, on Cosmos DB."""
