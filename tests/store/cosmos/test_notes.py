"""Notes in Cosmos DB."""

from __future__ import annotations

import pytest

from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.notes import CosmosNoteStore
from secure_openai.testing.notes_contract import NoteStoreContract
from tests.cosmosdb.bridge import Bridge
from tests.cosmosdb.faults import UNANSWERED, first


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosNoteStore:
    """Return the store under test."""
    return CosmosNoteStore(cosmos)


class TestCosmosNoteStore(NoteStoreContract):
    """The contract, on Cosmos DB."""


async def test_an_answer_that_is_lost(store: CosmosNoteStore, bridge: Bridge) -> None:
    """Where the answer to a first note is lost, its writer is told all the same that it is new."""
    bridge.fault = first(UNANSWERED)

    assert await store.note("x")
    assert not await store.note("x")
