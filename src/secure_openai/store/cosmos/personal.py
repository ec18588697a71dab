"""What principals keep beside their conversations, in Cosmos DB: an item each.

They lie in the owner's partition of `conversations`, as the owner's holds and conversations do. How
much an owner keeps of the kinds that are bounded is counted in one more item, which the batch that
adds or removes writes as well. A batch that changes or removes writes the owner's holds over
themselves, as a deletion of a conversation does; one that adds to a conversation reads that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from secure_openai.errors import (
    AlreadyStored,
    LegalHold,
    LimitReached,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
)
from secure_openai.store.continuation import Place, token, values_of
from secure_openai.store.cosmos.container import (
    ETAG,
    Create,
    Delete,
    Operation,
    Read,
    Replace,
)
from secure_openai.store.cosmos.contention import TryAgain, contended, until_decided
from secure_openai.store.cosmos.conversation_items import conversation_key
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.holds import HOLDS, covered, unchanged
from secure_openai.store.cosmos.personal_items import (
    COUNTS,
    count_in,
    counting,
    item_in,
    item_key,
    name_of,
    plausible_end,
    stored_item,
    written_over,
)
from secure_openai.store.documents import new_etag, time_text
from secure_openai.store.holds import KEPT
from secure_openai.store.personal import (
    ELSEWHERE,
    NO_CONVERSATION,
    NO_ITEM,
    Bound,
    PersonalItem,
    PersonalKind,
)
from secure_openai.types import ConversationId, JsonObject, Page, PrincipalId

LISTED = "c.owner = @owner AND c.kind = @kind"
WRITTEN = "c.kind = @kind AND c.changed >= @day AND c.changed < @next"
DUE = "SELECT * FROM c WHERE c.kind = @kind AND c.expires <= @now"
DUE_OF_ONE = f"{DUE} AND c.owner = @owner"
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,128}")


class CosmosPersonalStore:
    """Implements `PersonalStore`."""

    def __init__(self, database: CosmosDatabase) -> None:
        self._container = database.container("conversations")

    async def add(self, item: PersonalItem, bound: Bound | None = None) -> PersonalItem:
        """Store an item; return it with its etag."""
        written = replace(item, etag=new_etag())
        stored = stored_item(written, counted=bound is not None)

        async def attempt() -> PersonalItem:
            operations: list[Operation] = [Create(stored)]
            if written.conversation is not None:
                operations.append(Read(conversation_key(written.conversation)))
            if bound is not None:
                counts = await self._counts(written.owner)
                items, size = count_in(counts, written.kind)
                if not bound.leaves_room_for(items + 1, size + written.size):
                    # An attempt before may have counted this one.
                    if await self._is_stored(written):
                        return written
                    raise LimitReached(bound.in_words(written.kind))
                operations.append(counting(written.owner, counts, written, 1))
            try:
                with contended():
                    await self._container.batch(written.owner.key, operations)
            except AlreadyStored as error:
                if await self._is_stored(written):
                    return written
                if await self._container.read_latest(stored["id"], written.owner.key) is None:
                    # It is the counting item that someone else was first to make.
                    raise TryAgain(error) from error
                raise
            except NotFound:
                raise NotFound(NO_CONVERSATION) from None
            return written

        return await until_decided(attempt)

    async def get(self, owner: PrincipalId, kind: PersonalKind, item_id: str) -> PersonalItem:
        """Return one item."""
        return item_in(await self._read(owner, kind, item_id))

    async def list(
        self,
        owner: PrincipalId,
        kind: PersonalKind,
        *,
        conversation: ConversationId | None = None,
        limit: int = 100,
        continuation: str | None = None,
    ) -> Page[PersonalItem]:
        """Return an owner's items of a kind, in the order in which they were last written."""
        within: JsonObject = {} if conversation is None else {"conversation": conversation}
        return await self._page(
            ("personal", owner.key, kind, conversation),
            f"{LISTED} AND c.conversation = @conversation" if within else LISTED,
            {"owner": owner.key, "kind": kind.value, **within},
            limit=limit,
            continuation=continuation,
            partition=owner.key,
        )

    async def change(self, item: PersonalItem) -> PersonalItem:
        """Write what an item says over itself, if its etag still stands."""
        following = new_etag()

        async def attempt() -> PersonalItem:
            stored = await self._read(item.owner, item.kind, item.id)
            if stored["etag"] == following:
                return item_in(stored)
            unheld = await self._unheld(item.owner, stored)
            if stored["etag"] != item.etag:
                raise PreconditionFailed
            before = item_in(stored)
            written = replace(
                item,
                created=before.created,
                conversation=before.conversation,
                size=before.size,
                etag=following,
            )
            with contended(AlreadyStored, NotFound):
                await self._container.batch(
                    item.owner.key, [Replace(written_over(stored, written), stored[ETAG]), unheld]
                )
            return written

        return await until_decided(attempt)

    async def bind(
        self,
        owner: PrincipalId,
        kind: PersonalKind,
        item_ids: Sequence[str],
        conversation: ConversationId,
        *,
        now: datetime,
    ) -> Sequence[PersonalItem]:
        """Let items go with a conversation from here on, all or none."""

        async def attempt() -> list[PersonalItem]:
            operations: list[Operation] = [Read(conversation_key(conversation))]
            bound: list[PersonalItem] = []
            for item_id in dict.fromkeys(item_ids):
                stored = await self._read(owner, kind, item_id)
                item = item_in(stored)
                if item.expires is not None and item.expires <= now:
                    raise NotFound(NO_ITEM)
                if item.conversation not in {None, conversation}:
                    raise PreconditionFailed(ELSEWHERE)
                if item.conversation is None or item.expires is not None:
                    item = replace(item, conversation=conversation, expires=None, etag=new_etag())
                    operations.append(Replace(written_over(stored, item), stored[ETAG]))
                bound.append(item)
            try:
                with contended():
                    await self._container.batch(owner.key, operations)
            except NotFound as error:
                if await self._container.read_latest(operations[0].item_id, owner.key) is None:  # type: ignore[union-attr]
                    raise NotFound(NO_CONVERSATION) from None
                raise TryAgain(error) from error
            named = {one.id: one for one in bound}
            return [named[item_id] for item_id in item_ids]

        return await until_decided(attempt)

    async def remove(
        self, owner: PrincipalId, kind: PersonalKind, item_id: str, *, etag: str | None = None
    ) -> None:
        """Remove an item; with an etag, only one that still has it."""
        uncertain = False

        async def attempt() -> None:
            nonlocal uncertain
            try:
                stored = await self._read(owner, kind, item_id)
            except NotFound:
                if uncertain:
                    # Gone since an attempt before, whose own end is not known.
                    return
                raise
            unheld = await self._unheld(owner, stored)
            if etag is not None and stored["etag"] != etag:
                raise PreconditionFailed
            operations: list[Operation] = [Delete(stored["id"], stored[ETAG]), unheld]
            if stored["counted"]:
                counts = await self._counts(owner)
                operations.append(counting(owner, counts, item_in(stored), -1))
            try:
                with contended(AlreadyStored, NotFound):
                    await self._container.batch(owner.key, operations)
            except TryAgain as again:
                uncertain = uncertain or isinstance(again.reason, OutcomeUnknown)
                raise

        await until_decided(attempt)

    async def written(
        self, kind: PersonalKind, day: str, *, limit: int = 100, continuation: str | None = None
    ) -> Page[PersonalItem]:
        """Return items of all owners that were last written on a UTC day, oldest first."""
        following = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
        return await self._page(
            ("written", kind, day),
            WRITTEN,
            {"kind": kind.value, "day": day, "next": following},
            limit=limit,
            continuation=continuation,
        )

    async def due(
        self,
        kind: PersonalKind,
        *,
        now: datetime,
        limit: int = 100,
        owner: PrincipalId | None = None,
    ) -> Sequence[PersonalItem]:
        """Return items whose time has come: of one owner, or of all."""
        asked = {"kind": kind.value, "now": time_text(now)}
        if owner is None:
            found = await self._container.query(DUE, asked, limit=limit)
        else:
            found = await self._container.query(
                DUE_OF_ONE, {**asked, "owner": owner.key}, limit=limit, partition=owner.key
            )
        return [item_in(item) for item in found]

    async def _page(
        self,
        place: Place,
        where: str,
        values: JsonObject,
        *,
        limit: int,
        continuation: str | None,
        partition: str | None = None,
    ) -> Page[PersonalItem]:
        changed, *seen = values_of(continuation, place, plausible_end) or ("",)
        # Two may have been written at the same instant, in no certain order: those of the last
        # instant that were shown already are asked for again, and left out here.
        found = await self._container.query(
            f"SELECT * FROM c WHERE {where} AND c.changed >= @changed ORDER BY c.changed",
            {**values, "changed": changed},
            limit=limit + 1 + len(seen),
            partition=partition,
        )
        items = [item for item in found if name_of(item) not in seen]
        shown = items[:limit]
        page = [item_in(item) for item in shown]
        if len(items) <= limit:
            return Page(page)
        last = shown[-1]["changed"]
        shown_last = [name_of(item) for item in shown if item["changed"] == last]
        earlier = seen if last == changed else []
        return Page(page, token(place, (last, *earlier, *shown_last)))

    async def _read(self, owner: PrincipalId, kind: PersonalKind, item_id: str) -> JsonObject:
        item = None
        # Ours are of these characters; of the others, some would mean something in an address.
        if _IDENTIFIER.fullmatch(item_id):
            item = await self._container.read_latest(item_key(kind, item_id), owner.key)
        if item is None:
            raise NotFound(NO_ITEM)
        return item

    async def _is_stored(self, written: PersonalItem) -> bool:
        """Return whether an attempt before has stored an item, though nobody said so."""
        item = await self._container.read_latest(
            item_key(written.kind, written.id), written.owner.key
        )
        return item is not None and item["etag"] == written.etag

    async def _unheld(self, owner: PrincipalId, stored: JsonObject) -> Operation:
        """Return what fails a batch if a hold is placed meanwhile.

        Raises:
            LegalHold: One stands.
        """
        holds = await self._container.read_latest(HOLDS, owner.key)
        if covered(holds, stored["conversation"]):
            raise LegalHold(KEPT)
        return unchanged(holds, owner)

    async def _counts(self, owner: PrincipalId) -> JsonObject | None:
        return await self._container.read_latest(COUNTS, owner.key)
