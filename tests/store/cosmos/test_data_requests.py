"""Requests of principals in Cosmos DB."""

from __future__ import annotations

import pytest

from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.requests import CosmosRequestStore
from secure_openai.store.requests import RequestKind, RequestState
from secure_openai.testing.requests_contract import ANNA, BEN, NOW, RequestStoreContract


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosRequestStore:
    """Return the store under test."""
    return CosmosRequestStore(cosmos)


class TestCosmosRequestStore(RequestStoreContract):
    """The contract, on Cosmos DB."""


async def test_requests_of_a_later_program(
    store: CosmosRequestStore, cosmos: CosmosDatabase
) -> None:
    """What only a later program can do is left to it, and keeps nobody else waiting."""
    moved = await store.ask(ANNA, RequestKind.EXPORT, by=ANNA, now=NOW)
    paused = await store.ask(ANNA, RequestKind.ERASURE, by=ANNA, now=NOW)
    mine = await store.ask(BEN, RequestKind.EXPORT, by=BEN, now=NOW)
    container = cosmos.container("principals")
    for request, change in ((moved, {"request": "transfer"}), (paused, {"state": "paused"})):
        item = await container.read_latest(f"request.{request.id}", ANNA.key)
        assert item is not None
        await container.upsert({**item, **change})

    assert await store.due(now=NOW) == [mine]
    assert [(one.id, one.state) for one in await store.list(ANNA)] == [
        (paused.id, RequestState.ASKED)
    ]
    assert (await store.ask(ANNA, RequestKind.ERASURE, by=ANNA, now=NOW)).id == paused.id
