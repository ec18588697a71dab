"""The audit in Cosmos DB as it is read: by seals, verification, exports, and whoever only looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from secure_openai.store.audit import (
    AuditAnswer,
    AuditQuestion,
    AuditRecord,
    ChainHead,
    SealNote,
    StoredRecord,
)
from secure_openai.store.chain import record_of
from secure_openai.store.cosmos.audit_items import (
    COPIES,
    item_id,
    part_after,
    partition,
    place_of,
    stored_record,
)
from secure_openai.store.cosmos.audit_search import search
from secure_openai.store.cosmos.container import Container
from secure_openai.types import JsonObject, Page, PrincipalId

LIFETIME = timedelta(days=1)
"""How long a process adds to one chain."""

MARGIN = timedelta(hours=1)
"""How much later a write that was under way may arrive, and how much clocks may differ."""

PAGE = 500
CHAINS = "chains"
SEALS = "seals"
BY_PRINCIPAL = "SELECT * FROM c WHERE c.principal = @principal AND c.time >= @after ORDER BY c.time"
STAMP = "%Y%m%dT%H%M%SZ"


class CosmosAuditReader:
    """Implements `AuditReader`, and what else is read of every chain; it writes nothing."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def heads(self, *, since: datetime | None = None) -> list[ChainHead]:
        """Return the head of every chain with a record that may have grown since."""
        first = "" if since is None else stamp_of(since - LIFETIME - MARGIN)
        heads = []
        async for chain in self._listed(first):
            head = await self._head(chain)
            if head is not None:
                heads.append(head)
        return heads

    async def _head(self, chain: str) -> ChainHead | None:
        head, part = None, 0
        while True:
            found = await self._last_of(partition(chain, part))
            if found is None:
                return head
            head = ChainHead(chain, *found)
            # A part that is full may have another behind it.
            if part_after(head.sequence) == part:
                return head
            part += 1

    async def _last_of(self, where: str) -> tuple[int, str] | None:
        found = await self._container.query(
            "SELECT TOP 1 c.sequence, c.hash FROM c WHERE c.chain = @chain ORDER BY c.id DESC",
            {"chain": where},
            limit=1,
            partition=where,
        )
        return place_of(found[0]) if found else None

    async def records(self, chain: str, *, after: int = 0, limit: int = 500) -> Page[AuditRecord]:
        """Return records of a chain in order of sequence, those after `after`."""
        items: list[AuditRecord] = []
        async for item in self._items(chain, after):
            if len(items) == limit:
                return Page(items, str(items[-1].sequence))
            found = stored_record(item)
            items.append(record_of(found.sequence, found.document, found.previous, found.hash))
        return Page(items)

    async def chains(self) -> AsyncIterator[str]:
        """Yield the identifier of every chain, in the order of their beginning."""
        async for chain in self._listed(""):
            yield chain

    async def stored(self, chain: str) -> AsyncIterator[StoredRecord]:
        """Yield the records of a chain in the order of their ids, which are their sequences."""
        async for item in self._items(chain):
            yield stored_record(item)

    async def _listed(self, first: str) -> AsyncIterator[str]:
        async for item in self._pages("c.id", CHAINS, first, inclusive=True):
            yield item["id"]

    async def _items(self, chain: str, after: int = 0) -> AsyncIterator[JsonObject]:
        """Yield a chain's items, partition after partition until one is empty.

        A whole partition that was removed is a tail that was cut off.
        """
        part = part_after(after)
        last = item_id(after) if after else ""
        names = ("id", "sequence", "document", "previous", "hash", *COPIES)
        members = ", ".join(f"c.{name}" for name in names)
        found = True
        while found:
            found = False
            async for item in self._pages(members, partition(chain, part), last):
                found = True
                yield item
            part += 1
            last = ""

    async def _pages(
        self, members: str, where: str, last: str, *, inclusive: bool = False
    ) -> AsyncIterator[JsonObject]:
        """Yield the items of a partition after an id, in the order of ids."""
        comparison = ">=" if inclusive else ">"
        while True:
            page = await self._container.query(
                f"SELECT {members} FROM c WHERE c.chain = @chain AND c.id {comparison} @last"
                " ORDER BY c.id",
                {"chain": where, "last": last},
                limit=PAGE,
                partition=where,
            )
            for item in page:
                yield item
            if len(page) < PAGE:
                return
            last, comparison = page[-1]["id"], ">"

    async def of(self, principal: PrincipalId) -> AsyncIterator[AuditRecord]:
        """Yield the records of what a principal did, by time."""
        after = ""
        seen: set[tuple[str, str]] = set()
        while True:
            limit = PAGE + len(seen)
            page = await self._container.query(
                BY_PRINCIPAL, {"principal": principal.key, "after": after}, limit=limit
            )
            for item in page:
                if (item["chain"], item["id"]) not in seen:
                    found = stored_record(item)
                    yield record_of(found.sequence, found.document, found.previous, found.hash)
            if len(page) < limit:
                return
            # Several may be of one instant: those of the last are asked for again, and passed over.
            last = page[-1]["time"]
            earlier = seen if last == after else set()
            seen = earlier | {(one["chain"], one["id"]) for one in page if one["time"] == last}
            after = last

    async def search(
        self, question: AuditQuestion, *, limit: int = 100, continuation: str | None = None
    ) -> AuditAnswer:
        """Return records of all chains that answer a question, the latest first."""
        return await search(self._container, question, limit, continuation)

    async def noted_seal(self) -> SealNote | None:
        """Return the note with the highest number."""
        found = await self._last_of(SEALS)
        return SealNote(*found) if found else None


def stamp_of(at: datetime) -> str:
    """Return what the identifier of a chain begins with that began then."""
    return at.astimezone(UTC).strftime(STAMP)
