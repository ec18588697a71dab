"""Conversations in Cosmos DB: one partition an owner, each message an item of its own.

A conversation is an item that counts its messages; a message is an item with its place. Both carry
an etag of ours, which changes when the conversation is changed or the message is replaced: the
service's own changes with every message that is appended, and is compared beneath it.

Whatever must happen together is one transactional batch in the owner's partition: `messages.py`,
`deletions.py`. A conversation that its owner has discarded is there and found by nobody.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from secure_openai.errors import (
    AlreadyStored,
    LegalHold,
    LimitReached,
    NotFound,
    PreconditionFailed,
)
from secure_openai.store.continuation import token, values_of
from secure_openai.store.conversations import MOST_CONVERSATIONS, TOO_MANY, UNDO, Found
from secure_openai.store.cosmos.container import ETAG, Operation, Replace
from secure_openai.store.cosmos.contention import contended, until_decided
from secure_openai.store.cosmos.conversation_items import (
    NO_CONVERSATION,
    changed_item,
    conversation_in,
    conversation_item,
    conversation_key,
    plausible_end,
    plausible_part,
)
from secure_openai.store.cosmos.holds import HOLDS, covered, unchanged
from secure_openai.store.cosmos.messages import CosmosMessages
from secure_openai.store.cosmos.search import found_in
from secure_openai.store.cosmos.timeline import AFTER_ALL, KEPT_BY_ITS_OWNER, MINE, RECENT, end_of
from secure_openai.store.documents import new_etag, time_text
from secure_openai.store.holds import KEPT
from secure_openai.types import Conversation, ConversationId, JsonObject, Page, PrincipalId

PARTS = (
    f"{MINE} AND {KEPT_BY_ITS_OWNER} AND c.pinned = true {RECENT}",
    f"{MINE} AND {KEPT_BY_ITS_OWNER} AND (NOT IS_DEFINED(c.pinned) OR c.pinned = false) {RECENT}",
)
"""The list, in its order: those pinned, then the others."""

DISCARDED = (f"{MINE} AND NOT {KEPT_BY_ITS_OWNER} {RECENT}",)
COUNTED = "SELECT COUNT(1) AS kept FROM c WHERE c.owner = @owner AND c.kind = 'conversation'"
UNUSED = (
    "SELECT * FROM c WHERE c.kind = 'conversation' AND c.updated < @since"
    f" AND c.updated >= @updated AND {KEPT_BY_ITS_OWNER} ORDER BY c.updated"
)


class CosmosConversationStore(CosmosMessages):
    """Implements `ConversationStore`."""

    async def create(
        self,
        owner: PrincipalId,
        *,
        title: str,
        titled: bool = True,
        most: int = MOST_CONVERSATIONS,
    ) -> Conversation:
        """Begin a conversation; without `titled`, its title is one for the time being."""
        (counted,) = await self._container.query(
            COUNTED, {"owner": owner.key}, partition=owner.key, limit=1
        )
        if counted["kept"] >= most:
            raise LimitReached(TOO_MANY.format(most=most))
        now = self._clock()
        conversation = Conversation(
            id=ConversationId(secrets.token_urlsafe(16)),
            owner=owner,
            title=title,
            created=now,
            updated=now,
            titled=titled,
            etag=new_etag(),
        )
        item = conversation_item(conversation)

        async def attempt() -> Conversation:
            # The id was drawn for this call: where it is taken, an attempt before has stored it.
            with suppress(AlreadyStored), contended():
                await self._container.create(item)
            return conversation

        return await until_decided(attempt)

    async def list(
        self,
        owner: PrincipalId,
        *,
        limit: int = 50,
        continuation: str | None = None,
        discarded: bool = False,
    ) -> Page[Conversation]:
        """Return the owner's conversations, pinned ones first, each by its last update."""
        place = ("conversations", owner.key, discarded)
        first, *end = values_of(continuation, place, plausible_part) or (0,)
        parts = DISCARDED if discarded else PARTS
        shown: list[Conversation] = []
        for part in range(int(str(first)), len(parts)):
            updated, *seen = end or (AFTER_ALL,)
            room = limit - len(shown)
            found = await self._container.query(
                parts[part],
                {"owner": owner.key, "updated": updated},
                partition=owner.key,
                limit=room + 1 + len(seen),
            )
            items = [item for item in found if item["conversation"] not in seen]
            shown += [conversation_in(owner, item) for item in items[:room]]
            if len(items) > room:
                return Page(shown, token(place, (part, *end_of(items[:room], tuple(end)))))
            end = []
        return Page(shown)

    async def search(
        self,
        owner: PrincipalId,
        text: str,
        *,
        limit: int = 20,
        continuation: str | None = None,
    ) -> Page[Found]:
        """Return the owner's conversations that hold a text, the last updated first."""
        return await found_in(self._container, owner, text, limit=limit, continuation=continuation)

    async def get(self, owner: PrincipalId, conversation_id: ConversationId) -> Conversation:
        """Return one conversation."""
        return conversation_in(owner, await self._conversation(owner, conversation_id))

    async def change(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        etag: str,
        title: str | None = None,
        pinned: bool | None = None,
    ) -> Conversation:
        """Give a conversation another title, or pin it or not; what is `None` stays as it is."""

        def change(stored: Conversation) -> Conversation:
            if stored.etag != etag:
                raise PreconditionFailed
            if title is not None:
                stored = replace(stored, title=title, titled=True, updated=self._clock())
            return stored if pinned is None else replace(stored, pinned=pinned)

        return await self._changed(owner, conversation_id, change)

    async def entitle(
        self, owner: PrincipalId, conversation_id: ConversationId, *, title: str
    ) -> Conversation | None:
        """Give a conversation a title that nobody wrote, unless somebody gave it one."""
        given = False

        def change(stored: Conversation) -> Conversation | None:
            nonlocal given
            given = stored.titled
            if given:
                return None
            return replace(stored, title=title, titled=True, updated=self._clock())

        titled = await self._changed(owner, conversation_id, change)
        return None if given else titled

    async def discard(
        self, owner: PrincipalId, conversation_id: ConversationId, *, etag: str
    ) -> None:
        """Delete a conversation for its owner, who may take that back for `UNDO`."""

        def change(stored: Conversation) -> Conversation:
            if stored.discarded is not None:
                raise NotFound(NO_CONVERSATION)
            if stored.etag != etag:
                raise PreconditionFailed
            return replace(stored, discarded=self._clock())

        await self._changed(owner, conversation_id, change, unless_held=True)

    async def restore(self, owner: PrincipalId, conversation_id: ConversationId) -> Conversation:
        """Take a discarding back; a conversation that is not discarded is returned as it is."""

        def change(stored: Conversation) -> Conversation | None:
            if stored.discarded is None:
                return None
            if stored.discarded + UNDO <= self._clock():
                raise NotFound(NO_CONVERSATION)
            return replace(stored, discarded=None)

        return await self._changed(owner, conversation_id, change, discarded=True)

    async def _changed(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        change: Callable[[Conversation], Conversation | None],
        *,
        discarded: bool = False,
        unless_held: bool = False,
    ) -> Conversation:
        """Write a conversation over itself, as `change` makes it of what is stored.

        Args:
            owner: Whose.
            conversation_id: Which.
            change: Makes another of it, or returns `None` where it stays as it is.
            discarded: Whether one that is discarded is found too.
            unless_held: Whether a hold keeps it as it is.
        """
        following = new_etag()

        async def attempt() -> Conversation:
            item = await self._stored(owner, conversation_id)
            stored = conversation_in(owner, item)
            if stored.etag == following:
                return stored
            if stored.discarded is not None and not discarded:
                raise NotFound(NO_CONVERSATION)
            holds = None
            if unless_held:
                holds = await self._container.read_latest(HOLDS, owner.key)
                if covered(holds, conversation_id):
                    raise LegalHold(KEPT)
            made = change(stored)
            if made is None:
                return stored
            written = replace(made, etag=following)
            operations: list[Operation] = [Replace(changed_item(item, written), item[ETAG])]
            if unless_held:
                # A hold that was placed since it was looked at undoes this.
                operations.append(unchanged(holds, owner))
            with contended(AlreadyStored, NotFound):
                await self._container.batch(owner.key, operations)
            return written

        return await until_decided(attempt)

    async def _stored(self, owner: PrincipalId, conversation_id: ConversationId) -> JsonObject:
        item = await self._container.read_latest(conversation_key(conversation_id), owner.key)
        if item is None:
            raise NotFound(NO_CONVERSATION)
        return item

    async def delete(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        etag: str,
        unused_since: datetime | None = None,
    ) -> None:
        """Remove a conversation with all its messages, discarded or not, or nothing."""
        await self._deletions.delete(owner, conversation_id, etag=etag, unused_since=unused_since)

    async def unused(
        self, *, since: datetime, limit: int = 100, continuation: str | None = None
    ) -> Page[Conversation]:
        """Return conversations of all owners that were not used since, oldest first."""
        place = ("unused",)
        end = values_of(continuation, place, plausible_end)
        updated, *seen = end or ("",)
        found = await self._container.query(
            UNUSED,
            {"since": time_text(since), "updated": updated},
            limit=limit + 1 + len(seen),
        )
        items = [item for item in found if item["conversation"] not in seen]
        page = [conversation_in(PrincipalId.parse(item["owner"]), item) for item in items[:limit]]
        if len(items) <= limit:
            return Page(page)
        return Page(page, token(place, end_of(items[:limit], end)))

    async def finish_deletions(self, *, limit: int = 100) -> int:
        """Remove what was discarded longer ago than `UNDO`, and clear what is not cleared yet.

        Raises:
            StoreError: The store cannot be reached; the rest waits for the next call.
        """
        return await self._deletions.finish(before=self._clock() - UNDO, limit=limit)
