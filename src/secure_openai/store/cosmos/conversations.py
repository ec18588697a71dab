"""Conversations in Cosmos DB: one partition an owner, each message an item of its own.

A conversation is an item that counts its messages; a message is an item with its place. Both carry
an etag of ours, which changes when the conversation is renamed or the message is replaced: the
service's own changes with every message that is appended, and is compared beneath it.

Whatever must happen together is one transactional batch in the owner's partition:

- *append*, *replace* and *message* stand in `messages.py`;
- *delete* removes the conversation and leaves a note of what is to be cleared, if the owner's holds
  are as they were when they were looked at. From then on nobody can reach or add a message.
  Clearing removes the messages a hundred at a time, then the note; `finish_deletions` goes on with
  what a process that died has left.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from secure_openai.errors import (
    AlreadyStored,
    LegalHold,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    StoreError,
)
from secure_openai.store.continuation import token, values_of
from secure_openai.store.cosmos.container import (
    ETAG,
    LARGEST_BATCH,
    Create,
    Delete,
    Operation,
)
from secure_openai.store.cosmos.contention import TryAgain, contended, until_decided
from secure_openai.store.cosmos.conversation_items import (
    conversation_in,
    conversation_item,
    new_etag,
    plausible_end,
    renamed_item,
)
from secure_openai.store.cosmos.holds import HOLDS, covered, unchanged
from secure_openai.store.cosmos.messages import CosmosMessages
from secure_openai.store.cosmos.personal import clear_items
from secure_openai.store.documents import time_text
from secure_openai.store.holds import KEPT
from secure_openai.types import Conversation, ConversationId, JsonObject, Page, PrincipalId

logger = logging.getLogger(__name__)

LISTED = (
    "SELECT * FROM c WHERE c.owner = @owner AND c.kind = 'conversation'"
    " AND c.updated <= @updated ORDER BY c.updated DESC"
)
AFTER_ALL = "9999"
"""Later than any time as stored."""

MESSAGE_IDS = (
    "SELECT c.id FROM c WHERE c.owner = @owner AND c.kind = 'message'"
    " AND c.conversation = @conversation"
)
UNUSED = (
    "SELECT * FROM c WHERE c.kind = 'conversation' AND c.updated < @since"
    " AND c.updated >= @updated ORDER BY c.updated"
)
DELETIONS = "SELECT * FROM c WHERE c.kind = 'deletion'"


class CosmosConversationStore(CosmosMessages):
    """Implements `ConversationStore`."""

    async def create(self, owner: PrincipalId, *, title: str) -> Conversation:
        """Begin a conversation."""
        now = self._clock()
        conversation = Conversation(
            id=ConversationId(secrets.token_urlsafe(16)),
            owner=owner,
            title=title,
            created=now,
            updated=now,
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
        self, owner: PrincipalId, *, limit: int = 50, continuation: str | None = None
    ) -> Page[Conversation]:
        """Return the owner's conversations, the most recently updated first."""
        place = ("conversations", owner.key)
        updated, *seen = values_of(continuation, place, plausible_end) or (AFTER_ALL,)
        # Two may have been updated at the same instant, in no certain order: the ones of the last
        # instant that were shown already are asked for again, and left out here.
        found = await self._container.query(
            LISTED,
            {"owner": owner.key, "updated": updated},
            partition=owner.key,
            limit=limit + 1 + len(seen),
        )
        items = [item for item in found if item["conversation"] not in seen]
        shown = items[:limit]
        if len(items) <= limit:
            return Page([conversation_in(owner, item) for item in shown])
        last = shown[-1]["updated"]
        shown_last = [item["conversation"] for item in shown if item["updated"] == last]
        earlier = seen if last == updated else []
        return Page(
            [conversation_in(owner, item) for item in shown],
            token(place, (last, *earlier, *shown_last)),
        )

    async def get(self, owner: PrincipalId, conversation_id: ConversationId) -> Conversation:
        """Return one conversation."""
        return conversation_in(owner, await self._conversation(owner, conversation_id))

    async def rename(
        self, owner: PrincipalId, conversation_id: ConversationId, *, title: str, etag: str
    ) -> Conversation:
        """Change the title."""
        following = new_etag()

        async def attempt() -> Conversation:
            stored = await self._conversation(owner, conversation_id)
            if stored["etag"] == following:
                return conversation_in(owner, stored)
            if stored["etag"] != etag:
                raise PreconditionFailed
            renamed = replace(
                conversation_in(owner, stored),
                title=title,
                updated=self._clock(),
                etag=following,
            )
            item = renamed_item(stored, renamed)
            with contended():
                await self._container.replace(item, etag=stored[ETAG])
            return renamed

        return await until_decided(attempt)

    async def delete(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        etag: str,
        unused_since: datetime | None = None,
    ) -> None:
        """Remove a conversation with all its messages, or nothing."""
        uncertain = False
        note = {
            "id": f"deletion.{conversation_id}",
            "owner": owner.key,
            "kind": "deletion",
            "conversation": conversation_id,
        }

        async def attempt() -> None:
            nonlocal uncertain
            try:
                stored = await self._conversation(owner, conversation_id)
            except NotFound:
                if uncertain:
                    # Gone since an attempt before, whose own end is not known.
                    return
                raise
            holds = await self._container.read_latest(HOLDS, owner.key)
            if covered(holds, conversation_id):
                raise LegalHold(KEPT)
            updated = conversation_in(owner, stored).updated
            if stored["etag"] != etag or (unused_since and updated >= unused_since):
                raise PreconditionFailed
            operations: list[Operation] = [
                Delete(stored["id"], stored[ETAG]),
                Create(note),
                # A hold that was placed since it was looked at undoes all of this.
                unchanged(holds, owner),
            ]
            try:
                with contended(AlreadyStored, NotFound):
                    await self._container.batch(owner.key, operations)
            except TryAgain as again:
                uncertain = uncertain or isinstance(again.reason, OutcomeUnknown)
                raise

        await until_decided(attempt)
        try:
            await self._clear(note)
        except StoreError:
            logger.warning("a deleted conversation is not cleared yet")

    async def unused(
        self, *, since: datetime, limit: int = 100, continuation: str | None = None
    ) -> Page[Conversation]:
        """Return conversations of all owners that were not used since, oldest first."""
        place = ("unused",)
        updated, *seen = values_of(continuation, place, plausible_end) or ("",)
        found = await self._container.query(
            UNUSED,
            {"since": time_text(since), "updated": updated},
            limit=limit + 1 + len(seen),
        )
        items = [item for item in found if item["conversation"] not in seen]
        shown = items[:limit]
        page = [conversation_in(PrincipalId.parse(item["owner"]), item) for item in shown]
        if len(items) <= limit:
            return Page(page)
        last = shown[-1]["updated"]
        shown_last = [item["conversation"] for item in shown if item["updated"] == last]
        earlier = seen if last == updated else []
        return Page(page, token(place, (last, *earlier, *shown_last)))

    async def finish_deletions(self, *, limit: int = 100) -> int:
        """Clear what deletions of processes that died have left; return how many were cleared.

        Raises:
            StoreError: The store cannot be reached; the rest waits for the next call.
        """
        notes = await self._container.query(DELETIONS, {}, limit=limit)
        for note in notes:
            await self._clear(note)
        return len(notes)

    async def _clear(self, note: JsonObject) -> None:
        owner = str(note["owner"])

        async def attempt() -> None:
            while True:
                found = await self._container.query(
                    MESSAGE_IDS,
                    {"owner": owner, "conversation": note["conversation"]},
                    partition=owner,
                    limit=LARGEST_BATCH,
                )
                if not found:
                    break
                # Another process may be clearing the same.
                with contended(NotFound):
                    await self._container.batch(owner, [Delete(item["id"]) for item in found])

        await until_decided(attempt)
        await clear_items(self._container, owner, note["conversation"], now=self._clock())
        with suppress(NotFound):
            await self._container.delete(note["id"], owner)
