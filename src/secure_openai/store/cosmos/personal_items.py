"""What principals keep, as items of Cosmos DB: their ids, their members, their count, their end."""

from __future__ import annotations

from datetime import datetime

from secure_openai.errors import NotFound
from secure_openai.store.cosmos.container import (
    ETAG,
    LARGEST_BATCH,
    Container,
    Create,
    Delete,
    Operation,
    Replace,
    without_system,
)
from secure_openai.store.cosmos.contention import contended, until_decided
from secure_openai.store.documents import VERSION, merged, new_etag
from secure_openai.store.personal import (
    PersonalItem,
    PersonalKind,
    personal_document,
    personal_of,
)
from secure_openai.types import JsonObject, PrincipalId

COUNTS = "personal"
"""The id of the item that counts."""

LONG_AGO = "1970-01-01T00:00:00+00:00"
"""When what lost its conversation has expired."""

GOING = (
    "SELECT * FROM c WHERE c.owner = @owner AND c.conversation = @conversation"
    " AND (c.kind = 'attachment' OR c.kind = 'feedback')"
)
"""What goes with a conversation."""


def item_key(kind: PersonalKind, item_id: str) -> str:
    """Return the id of an item, among all that its owner has."""
    return f"{kind.value}.{item_id}"


def name_of(item: JsonObject) -> str:
    """Return what tells an item from those of all owners."""
    return f"{item['owner']}/{item['id']}"


def stored_item(item: PersonalItem, *, counted: bool) -> JsonObject:
    """Return an item as it is stored; `counted` where a bound was given for it."""
    return {
        **personal_document(item),
        "id": item_key(item.kind, item.id),
        "owner": item.owner.key,
        "kind": item.kind.value,
        "etag": item.etag,
        "counted": counted,
    }


def written_over(stored: JsonObject, item: PersonalItem) -> JsonObject:
    """Return an item as it is written over the stored one."""
    return merged(stored, stored_item(item, counted=stored["counted"]))


def item_in(item: JsonObject) -> PersonalItem:
    """Return a stored item."""
    return personal_of(
        PrincipalId.parse(item["owner"]),
        PersonalKind(item["kind"]),
        str(item["id"]).partition(".")[2],
        item["etag"],
        without_system(item),
    )


def count_in(counts: JsonObject | None, kind: PersonalKind) -> tuple[int, int]:
    """Return how many of a kind an owner keeps, and what they stand for."""
    items, size = (counts or {"counts": {}})["counts"].get(kind.value, (0, 0))
    return items, size


def counting(
    owner: PrincipalId, counts: JsonObject | None, item: PersonalItem, sign: int
) -> Operation:
    """Return what counts an item, or counts it no more, if nobody has counted meanwhile."""
    items, size = count_in(counts, item.kind)
    document = {
        "id": COUNTS,
        "owner": owner.key,
        "kind": "counts",
        "version": VERSION,
        "counts": {
            **(counts or {"counts": {}})["counts"],
            item.kind.value: [max(0, items + sign), max(0, size + sign * item.size)],
        },
    }
    if counts is None:
        return Create(document)
    return Replace(merged(counts, document), counts[ETAG])


def plausible_end(values: list[object]) -> bool:
    """Return whether a page could end so: at a time, and those shown of it."""
    match values:
        case [str(changed), str(), *_] if all(isinstance(value, str) for value in values):
            return bool(datetime.fromisoformat(changed))
    return False


async def clear_items(container: Container, owner: str, conversation: str) -> None:
    """Let go what goes with a conversation that is deleted; done again, it does nothing more.

    Raises:
        StoreError: It cannot be done, or not wholly.
    """

    async def attempt() -> None:
        while True:
            found = await container.query(
                GOING,
                {"owner": owner, "conversation": conversation},
                partition=owner,
                limit=LARGEST_BATCH,
            )
            if not found:
                return
            operations: list[Operation] = [
                Replace(_let_go(item), item[ETAG])
                if item["kind"] == PersonalKind.ATTACHMENT
                else Delete(item["id"])
                for item in found
            ]
            # Another process may be clearing the same.
            with contended(NotFound):
                await container.batch(owner, operations)

    await until_decided(attempt)


def _let_go(item: JsonObject) -> JsonObject:
    return {**item, "conversation": None, "expires": LONG_AGO, "etag": new_etag()}
