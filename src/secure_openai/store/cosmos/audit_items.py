"""Audit records as items: which partition takes them, and what stands beside the document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from secure_openai.store.audit import StoredRecord
from secure_openai.store.chain import GENESIS, record_hash
from secure_openai.types import JsonObject

PARTITION_RECORDS = 250_000
"""Records in a partition, which holds 20 GB at most ("Azure Cosmos DB service quotas"): an event
takes 32 KiB, twice that as a quoted text, and a little for the item. Where a record lies follows
from this number, so it never changes."""

BATCH_BYTES = 900_000
"""How much is sent at once: 2 MB are taken, and aiohttp sends 1 MiB without holding up others."""

COPIES = {"time": "at", "principal": "principal", "subject": "subject", "action": "action"}
"""Members of an item to search by, and the members of the event that they repeat."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that is being written, and how far it has come.

    Attributes:
        id: Its identifier.
        began: When it did, aware UTC.
        sequence: Of its last record.
        hash: Of its last record.
    """

    id: str
    began: datetime
    sequence: int = 0
    hash: str = GENESIS


def item_id(number: int) -> str:
    """Return the id of a number: text that sorts as the number does."""
    return f"{number:015d}"


def part_after(sequence: int) -> int:
    """Return the number of the partition where the record after this one lies."""
    return sequence // PARTITION_RECORDS


def partition(chain: str, part: int) -> str:
    """Return the partition key of a part of a chain."""
    return f"{chain}.{part}"


def items_of(chain: Chain, documents: Sequence[str]) -> list[JsonObject]:
    """Return the items of the first documents: as many as go into one batch and one partition."""
    sequence, previous = chain.sequence, chain.hash
    where = partition(chain.id, part_after(sequence))
    room = PARTITION_RECORDS - sequence % PARTITION_RECORDS
    items: list[JsonObject] = []
    size = 0
    for document in documents[:room]:
        sequence += 1
        digest = record_hash(sequence, document, previous)
        item = {
            "id": item_id(sequence),
            "chain": where,
            "sequence": sequence,
            **_copies(document),
            "document": document,
            "previous": previous,
            "hash": digest,
        }
        size += len(json.dumps(item).encode())
        if items and size > BATCH_BYTES:
            break
        items.append(item)
        previous = digest
    return items


def place_of(item: JsonObject) -> tuple[int, str]:
    """Return sequence and hash of an item; sequence 0 for what is none of ours."""
    sequence = item.get("sequence")
    return sequence if isinstance(sequence, int) else 0, str(item.get("hash"))


def stored_record(item: JsonObject) -> StoredRecord:
    """Return an item as verification reads it, whatever it holds."""
    sequence, digest = place_of(item)
    document = str(item.get("document"))
    try:
        expected = {"id": item_id(sequence), **_copies(document)}
    except (ValueError, AttributeError, RecursionError):
        expected = {}
    there = {name: item[name] for name in ("id", *COPIES) if name in item}
    return StoredRecord(
        sequence, document, str(item.get("previous")), digest, agrees=there == expected
    )


def _copies(document: str) -> JsonObject:
    """Return what an event is searched by; the document alone is what the hash covers."""
    event: JsonObject = json.loads(document)
    found = {name: event.get(source) for name, source in COPIES.items()}
    return {name: value for name, value in found.items() if value is not None}
