"""Conversations in Cosmos DB: one partition an owner, each message an item of its own.

A conversation is an item that counts its messages; a message is an item with its place. Both carry
an etag of ours, which changes when the conversation is renamed or the message is replaced: the
service's own changes with every message that is appended, and is compared beneath it.

Whatever must happen together is one transactional batch in the owner's partition:

- *append* creates the messages and moves the conversation's counter, or does neither;
- *replace* and *message* read the conversation too, so that a message is never there without it;
- *delete* removes the conversation and leaves a note of what is to be cleared, if the owner's holds
  are as they were when they were looked at. From then on nobody can reach or add a message.
  Clearing removes the messages a hundred at a time, then the note; `finish_deletions` goes on with
  what a process that died has left.

A list of messages is asked for first and its conversation read afterwards: if it is still there,
no message of the list was being cleared.
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
    TooLarge,
)
from secure_openai.store.continuation import token, values_of
from secure_openai.store.cosmos.container import (
    ETAG,
    LARGEST_BATCH,
    Create,
    Delete,
    Operation,
    Read,
    Replace,
)
from secure_openai.store.cosmos.contention import TryAgain, contended, until_decided
from secure_openai.store.cosmos.conversation_items import (
    NO_CONVERSATION,
    NO_MESSAGE,
    appended,
    conversation_in,
    conversation_item,
    conversation_key,
    message_in,
    message_key,
    new_etag,
    plausible_end,
    plausible_place,
    renamed_item,
    replaced_item,
)
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.holds import HOLDS, covered, unchanged
from secure_openai.store.cosmos.personal import clear_items
from secure_openai.store.documents import time_text
from secure_openai.store.holds import KEPT
from secure_openai.types import (
    Clock,
    Conversation,
    ConversationId,
    JsonObject,
    Message,
    MessageId,
    Page,
    PrincipalId,
    utc_now,
)

logger = logging.getLogger(__name__)

TOO_MANY_MESSAGES = f"At most {LARGEST_BATCH - 1} messages are stored together."

LISTED = (
    "SELECT * FROM c WHERE c.owner = @owner AND c.kind = 'conversation'"
    " AND c.updated <= @updated ORDER BY c.updated DESC"
)
AFTER_ALL = "9999"
"""Later than any time as stored."""

OLDEST_FIRST = (
    "SELECT * FROM c WHERE c.owner = @owner AND c.kind = 'message'"
    " AND c.conversation = @conversation AND c.sequence > @after ORDER BY c.sequence",
    0,
)
NEWEST_FIRST = (
    "SELECT * FROM c WHERE c.owner = @owner AND c.kind = 'message'"
    " AND c.conversation = @conversation AND c.sequence < @after ORDER BY c.sequence DESC",
    2**53,
)
MESSAGE_IDS = (
    "SELECT c.id FROM c WHERE c.owner = @owner AND c.kind = 'message'"
    " AND c.conversation = @conversation"
)
UNUSED = (
    "SELECT * FROM c WHERE c.kind = 'conversation' AND c.updated < @since"
    " AND c.updated >= @updated ORDER BY c.updated"
)
DELETIONS = "SELECT * FROM c WHERE c.kind = 'deletion'"


class CosmosConversationStore:
    """Implements `ConversationStore`."""

    def __init__(self, database: CosmosDatabase, *, clock: Clock = utc_now) -> None:
        self._container = database.container("conversations")
        self._clock = clock

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

    async def _conversation(
        self, owner: PrincipalId, conversation_id: ConversationId
    ) -> JsonObject:
        item = await self._container.read_latest(conversation_key(conversation_id), owner.key)
        if item is None:
            raise NotFound(NO_CONVERSATION)
        return item

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

    async def append(self, owner: PrincipalId, *messages: Message) -> tuple[Message, ...]:
        """Store messages at the end of their conversation, all or none, and touch it."""
        if not messages:
            return ()
        written = tuple(replace(message, etag=new_etag()) for message in messages)
        named = list(dict.fromkeys(message.conversation_id for message in messages))
        if len(messages) + len(named) > LARGEST_BATCH:
            raise TooLarge(TOO_MANY_MESSAGES)

        async def attempt() -> tuple[Message, ...]:
            stored = {each: await self._conversation(owner, each) for each in named}
            try:
                with contended():
                    await self._container.batch(
                        owner.key, appended(owner, stored, written, self._clock())
                    )
            except AlreadyStored:
                first = await self._container.read_latest(
                    message_key(written[0].conversation_id, written[0].id), owner.key
                )
                if first is None or first["etag"] != written[0].etag:
                    raise
            except NotFound:
                raise NotFound(NO_CONVERSATION) from None
            return written

        return await until_decided(attempt)

    async def replace(self, owner: PrincipalId, message: Message) -> Message:
        """Write a message over itself, if its etag still stands; return it with its next."""
        written = replace(message, etag=new_etag())
        item_id = message_key(message.conversation_id, message.id)
        conversation_id = conversation_key(message.conversation_id)

        async def attempt() -> Message:
            stored = await self._container.read_latest(item_id, owner.key)
            if stored is None:
                raise NotFound(NO_MESSAGE)
            if stored["etag"] == written.etag:
                return written
            if stored["etag"] != message.etag:
                raise PreconditionFailed
            item = replaced_item(stored, written)
            try:
                with contended():
                    await self._container.batch(
                        owner.key, [Read(conversation_id), Replace(item, stored[ETAG])]
                    )
            except NotFound:
                raise NotFound(NO_MESSAGE) from None
            return written

        return await until_decided(attempt)

    async def message(
        self, owner: PrincipalId, conversation_id: ConversationId, message_id: MessageId
    ) -> Message:
        """Return one message."""
        item_id = message_key(conversation_id, message_id)
        try:
            _, item = await self._container.batch(
                owner.key, [Read(conversation_key(conversation_id)), Read(item_id)]
            )
        except NotFound:
            raise NotFound(NO_MESSAGE) from None
        return message_in(item)

    async def messages(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        limit: int = 100,
        continuation: str | None = None,
        newest_first: bool = False,
    ) -> Page[Message]:
        """Return a conversation's messages in the order in which they were stored."""
        place = ("messages", owner.key, conversation_id, newest_first)
        text, begin = NEWEST_FIRST if newest_first else OLDEST_FIRST
        (after,) = values_of(continuation, place, plausible_place) or (begin,)
        conversation_key(conversation_id)
        found = await self._container.query(
            text,
            {"owner": owner.key, "conversation": conversation_id, "after": after},
            partition=owner.key,
            limit=limit + 1,
        )
        await self._conversation(owner, conversation_id)
        shown = found[:limit]
        return Page(
            [message_in(item) for item in shown],
            token(place, (shown[-1]["sequence"],)) if len(found) > limit else None,
        )
