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
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from secure_openai.errors import AlreadyStored, AuditUnavailable, NotFound
from secure_openai.store.audit import SealNote
from secure_openai.store.audit_queue import QUEUE, AuditQueue, QueuedAudit
from secure_openai.store.cosmos.audit_items import Chain, item_id, items_of
from secure_openai.store.cosmos.audit_reader import (
    CHAINS,
    LIFETIME,
    MARGIN,
    SEALS,
    CosmosAuditReader,
    stamp_of,
)
from secure_openai.store.cosmos.container import LARGEST_BATCH, Container, Create, Read
from secure_openai.types import Clock, JsonObject, utc_now

PATIENCE_SECONDS = 20.0
"""How long the end of a process waits for a store that is away."""


class CosmosAuditStore(QueuedAudit, CosmosAuditReader):
    """Implements `AuditStore`.

    The ids of records are their sequence numbers. A batch whose answer was lost is sent again as it
    was; if it is there with the same hashes, it is written. A record that stands in its place was
    written by someone else, and from then on nothing is accepted.
    """

    def __init__(self, container: Container, *, queue: int = QUEUE, clock: Clock = utc_now) -> None:
        super().__init__(container)
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

    async def _begin_chain(self) -> None:
        # Listed before anything is accepted: a chain whose first record is older than its listing
        # would look like one that was added later.
        now = self._clock()
        chain = Chain(f"{stamp_of(now)}-{secrets.token_hex(16)}", now)
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


def _foreign(items: list[JsonObject]) -> AuditUnavailable:
    return AuditUnavailable(
        f"The audit holds records from {items[0]['id']} on in {items[0]['chain']} that this "
        "process did not write."
    )
