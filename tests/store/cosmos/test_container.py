"""Items of a container, on the real client."""

from __future__ import annotations

import pytest

from secure_openai.errors import AlreadyStored, NotFound, PreconditionFailed, StoreError, TooLarge
from secure_openai.store.cosmos.container import (
    ETAG,
    LARGEST_BATCH,
    LARGEST_BYTES,
    Container,
    Create,
    Delete,
    Operation,
    Read,
    Replace,
)
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.types import JsonObject


@pytest.fixture
def container(cosmos: CosmosDatabase) -> Container:
    """Return the container under test."""
    return cosmos.container("conversations")


def item(item_id: str = "one", **members: object) -> JsonObject:
    """Return an item of Anna's."""
    return {"id": item_id, "owner": "tenant/anna", "kind": "note", **members}


async def test_missing(container: Container) -> None:
    """What is not there is nothing to a reader and `NotFound` to a writer."""
    assert await container.read("none", "tenant/anna") is None
    for call in (
        container.replace(item("none"), etag="x"),
        container.delete("none", "tenant/anna"),
        container.batch("tenant/anna", [Read("none")]),
    ):
        with pytest.raises(NotFound):
            await call


async def test_partitions_are_apart(container: Container) -> None:
    """An item is there for its partition only."""
    await container.create(item())

    assert await container.read("one", "tenant/ben") is None
    with pytest.raises(NotFound):
        await container.delete("one", "tenant/ben")


async def test_twice(container: Container) -> None:
    """An id is given once in a partition."""
    await container.create(item())

    with pytest.raises(AlreadyStored):
        await container.create(item())
    await container.upsert(item(text="over it"))
    found = await container.read("one", "tenant/anna")
    assert found is not None
    assert found["text"] == "over it"


async def test_etags(container: Container) -> None:
    """A write with an etag of before is refused, and each write makes another etag."""
    first = await container.create(item())
    second = await container.replace({**first, "text": "a"}, etag=first[ETAG])

    assert second[ETAG] != first[ETAG]
    with pytest.raises(PreconditionFailed):
        await container.replace({**first, "text": "late"}, etag=first[ETAG])
    with pytest.raises(PreconditionFailed):
        await container.delete("one", "tenant/anna", etag=first[ETAG])
    await container.delete("one", "tenant/anna", etag=second[ETAG])
    assert await container.read("one", "tenant/anna") is None


async def test_batch_is_all_or_none(container: Container) -> None:
    """A batch whose last operation fails leaves nothing of the others."""
    stored = await container.create(item())
    failing: list[tuple[Operation, type[Exception]]] = [
        (Create(item("one")), AlreadyStored),
        (Read("none"), NotFound),
        (Replace(item("one"), "stale"), PreconditionFailed),
        (Delete("none"), NotFound),
    ]
    for last, error in failing:
        with pytest.raises(error):
            await container.batch("tenant/anna", [Create(item("two")), last])
        assert await container.read("two", "tenant/anna") is None

    written = await container.batch(
        "tenant/anna",
        [Create(item("two")), Read("one"), Replace({**stored, "text": "b"}, stored[ETAG])],
    )
    assert [found["id"] for found in written if found] == ["two", "one", "one"]


async def test_too_large(container: Container) -> None:
    """What is larger than the service keeps is refused with a sentence and never sent."""
    large = item(text="x" * LARGEST_BYTES)
    for call in (
        container.create(large),
        container.upsert(large),
        container.replace(large, etag="x"),
        container.batch("tenant/anna", [Create(large)]),
        container.batch("tenant/anna", [Read("one")] * (LARGEST_BATCH + 1)),
    ):
        with pytest.raises(TooLarge) as raised:
            await call
        assert raised.value.detail.endswith(".")


async def test_query(container: Container) -> None:
    """A query returns items of its partition, at most as many as were asked for."""
    for number in range(5):
        await container.create(item(str(number), sequence=number))
    await container.create({**item("other"), "owner": "tenant/ben", "sequence": 9})

    found = await container.query(
        "SELECT * FROM c WHERE c.owner = @owner AND c.sequence > @after ORDER BY c.sequence",
        {"owner": "tenant/anna", "after": 0},
        partition="tenant/anna",
        limit=3,
    )
    assert [one["sequence"] for one in found] == [1, 2, 3]
    everything = await container.query("SELECT * FROM c WHERE c.kind = 'note'", {}, limit=100)
    assert len(everything) == 6


async def test_closed(container: Container, cosmos: CosmosDatabase) -> None:
    """A closed database says so."""
    await cosmos.aclose()
    await cosmos.aclose()

    with pytest.raises(StoreError):
        await container.read("one", "tenant/anna")
