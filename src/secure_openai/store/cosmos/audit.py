"""The audit in Cosmos DB: a chain for each process, in partitions of bounded size.

    partition           items
    `chains`            one for each chain, its id being the chain's
    `CHAIN.0`           records 1 to 250000 of a chain; the id is the sequence
    `CHAIN.1`           those that follow: the first names the hash of the last in `CHAIN.0`
    `seals`             the notes of seals

A chain's identifier begins with the time of its start. It ends with its process, or after a day:
then nothing can be added to it that a later seal does not see, and seals need not list it for ever.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from secure_openai.errors import AlreadyStored, AuditUnavailable, NotFound
from secure_openai.store.audit import (
    AuditEvent,
    AuditRecord,
    ChainHead,
    SealNote,
    StoredRecord,
)
from secure_openai.store.audit_queue import QUEUE, AuditQueue
from secure_openai.store.chain import record_of
from secure_openai.store.cosmos.audit_items import (
    COPIES,
    Chain,
    item_id,
    items_of,
    part_after,
    partition,
    place_of,
    stored_record,
)
from secure_openai.store.cosmos.container import LARGEST_BATCH, Container, Create, Read
from secure_openai.types import Clock, JsonObject, Page, PrincipalId, utc_now

LIFETIME = timedelta(days=1)
"""How long a process adds to one chain."""

MARGIN = timedelta(hours=1)
"""How much later a write that was under way may arrive, and how much clocks may differ."""

PATIENCE_SECONDS = 20.0
"""How long the end of a process waits for a store that is away."""

PAGE = 500
CHAINS = "chains"
SEALS = "seals"
BY_PRINCIPAL = "SELECT * FROM c WHERE c.principal = @principal AND c.time >= @after ORDER BY c.time"
STAMP = "%Y%m%dT%H%M%SZ"


class CosmosAuditStore:
    """Implements `AuditStore`.

    The ids of records are their sequence numbers. A batch whose answer was lost is sent again as it
    was; if it is there with the same hashes, it is written. A record that stands in its place was
    written by someone else, and from then on nothing is accepted.
    """

    def __init__(self, container: Container, *, queue: int = QUEUE, clock: Clock = utc_now) -> None:
        self._container = container
        self._clock = clock
        self._chain = Chain("", datetime.min.replace(tzinfo=UTC))
        self._sent: list[JsonObject] = []
        self._queue = AuditQueue(
            self._write,
            size=queue,
            batch=LARGEST_BATCH,
            prepare=self._begin_chain,
            patience_seconds=PATIENCE_SECONDS,
        )

    @classmethod
    async def open(
        cls, container: Container, *, queue: int = QUEUE, clock: Clock = utc_now
    ) -> CosmosAuditStore:
        """Begin a chain; where the store is away, return and go on trying."""
        store = cls(container, queue=queue, clock=clock)
        await store._queue.opened()
        return store

    @property
    def queued(self) -> int:
        """Return how many events wait to be written."""
        return len(self._queue)

    def ensure_writable(self) -> None:
        """Return if a record could be queued now."""
        self._queue.ensure_writable()

    def append(self, event: AuditEvent) -> None:
        """Queue an event."""
        self._queue.append(event)

    async def flush(self) -> None:
        """Return when everything queued is written."""
        await self._queue.flush()

    async def aclose(self) -> None:
        """Write what is queued, then stop.

        Raises:
            AuditUnavailable: Some could not be written.
        """
        await self._queue.aclose()

    async def _begin_chain(self) -> None:
        # Listed before anything is accepted: a chain whose first record is older than its listing
        # would look like one that was added later.
        now = self._clock()
        chain = Chain(f"{_stamp(now)}-{secrets.token_hex(16)}", now)
        await self._container.create({"id": chain.id, "chain": CHAINS})
        self._chain, self._sent = chain, []

    async def _write(self, documents: Sequence[str]) -> int:
        age = self._clock() - self._chain.began
        # What may be written already is tried where it was for a while, and then looked for.
        if age >= LIFETIME + (MARGIN / 2 if self._sent else timedelta()):
            if self._sent and await self._is_written(self._sent):
                return self._advance()
            await self._begin_chain()
        if not self._sent:
            self._sent = items_of(self._chain, documents)
        try:
            await self._container.batch(
                self._sent[0]["chain"], [Create(item) for item in self._sent]
            )
        except AlreadyStored:
            if not await self._is_written(self._sent):
                raise _foreign(self._sent) from None
        return self._advance()

    def _advance(self) -> int:
        written, self._sent = self._sent, []
        self._chain = replace(
            self._chain, sequence=written[-1]["sequence"], hash=written[-1]["hash"]
        )
        return len(written)

    async def _is_written(self, items: list[JsonObject]) -> bool:
        """Return whether a batch is stored whose answer was lost, whole as it was sent.

        A batch is answered where writes are decided, so it is never behind.

        Raises:
            AuditUnavailable: Others stand in its place.
        """
        try:
            found = await self._container.batch(
                items[0]["chain"], [Read(item["id"]) for item in items]
            )
        except NotFound:
            return False
        if [item and item.get("hash") for item in found] != [item["hash"] for item in items]:
            raise _foreign(items)
        return True

    async def heads(self, *, since: datetime | None = None) -> list[ChainHead]:
        """Return the head of every chain with a record that may have grown since."""
        first = "" if since is None else _stamp(since - LIFETIME - MARGIN)
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

    async def note_seal(self, note: SealNote) -> None:
        """Note that a seal was made."""
        try:
            await self._container.create(
                {
                    "id": item_id(note.number),
                    "chain": SEALS,
                    "sequence": note.number,
                    "hash": note.digest,
                }
            )
        except AlreadyStored:
            return

    async def noted_seal(self) -> SealNote | None:
        """Return the note with the highest number."""
        found = await self._last_of(SEALS)
        return SealNote(*found) if found else None


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime(STAMP)


def _foreign(items: list[JsonObject]) -> AuditUnavailable:
    return AuditUnavailable(
        f"The audit holds records from {items[0]['id']} on in {items[0]['chain']} that this "
        "process did not write."
    )
