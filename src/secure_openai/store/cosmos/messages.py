"""The messages of conversations in Cosmos DB: how they are stored, and how read in their order.

- *append* creates the messages and moves the conversation's counter, or does neither;
- *replace* and *message* read the conversation too, so that a message is never there without it.

A list of messages is asked for first and its conversation read afterwards: if it is still there,
no message of the list was being cleared. How branches are read stands in `branches.py`.
"""

from __future__ import annotations

from dataclasses import replace

from secure_openai.errors import (
    AlreadyStored,
    Conflict,
    NotFound,
    PreconditionFailed,
    StoreError,
    TooLarge,
)
from secure_openai.store.continuation import token, values_of
from secure_openai.store.conversations import FULL, MOST_SIBLINGS, End, Parent, Turn
from secure_openai.store.cosmos.branches import AFTER_ALL, NEWEST_FIRST, OLDEST_FIRST, Branches
from secure_openai.store.cosmos.container import ETAG, LARGEST_BATCH, Read, Replace
from secure_openai.store.cosmos.contention import contended, until_decided
from secure_openai.store.cosmos.conversation_items import (
    NO_CONVERSATION,
    NO_MESSAGE,
    appended,
    conversation_key,
    message_in,
    message_key,
    newest_noted,
    plausible_place,
    replaced_item,
)
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.deletions import Deletions
from secure_openai.store.cosmos.translation import BUSY
from secure_openai.store.documents import new_etag
from secure_openai.types import (
    Clock,
    ConversationId,
    JsonObject,
    Message,
    MessageId,
    Page,
    PrincipalId,
    utc_now,
)

TOO_MANY_MESSAGES = f"At most {LARGEST_BATCH - 1} messages are stored together."


class CosmosMessages:
    """Implements the part of `ConversationStore` that is about messages."""

    def __init__(self, database: CosmosDatabase, *, clock: Clock = utc_now) -> None:
        self._container = database.container("conversations")
        self._branches = Branches(self._container)
        self._deletions = Deletions(self._container)
        self._clock = clock

    async def _conversation(
        self, owner: PrincipalId, conversation_id: ConversationId, *, discarded: bool = False
    ) -> JsonObject:
        item = await self._container.read_latest(conversation_key(conversation_id), owner.key)
        if item is None or (item.get("discarded") and not discarded):
            raise NotFound(NO_CONVERSATION)
        return item

    async def append(
        self, owner: PrincipalId, *messages: Message, parent: Parent = End.NEWEST
    ) -> tuple[Message, ...]:
        """Store messages, each following the one before, and touch what they are of."""
        if not messages:
            return ()
        etags = [new_etag() for _ in messages]
        firsts = {one.conversation_id: one.id for one in reversed(messages)}
        named = list(dict.fromkeys(message.conversation_id for message in messages))
        if len(messages) + len(named) > LARGEST_BATCH:
            raise TooLarge(TOO_MANY_MESSAGES)

        async def attempt() -> tuple[Message, ...]:
            stored = {each: await self._conversation(owner, each) for each in named}
            last = {
                each: await self._parent(owner, item, parent, firsts[each])
                for each, item in stored.items()
            }
            written: list[Message] = []
            for message, etag in zip(messages, etags, strict=True):
                follows = last[message.conversation_id]
                written.append(replace(message, etag=etag, parent=follows))
                last[message.conversation_id] = message.id
            try:
                with contended():
                    await self._container.batch(
                        owner.key, appended(owner, stored, written, self._clock())
                    )
            except AlreadyStored:
                return await self._stored_before(owner, written)
            except NotFound:
                raise NotFound(NO_CONVERSATION) from None
            return tuple(written)

        return await until_decided(attempt)

    async def _parent(
        self, owner: PrincipalId, conversation: JsonObject, parent: Parent, first: MessageId
    ) -> MessageId | None:
        """Return what the first message of a conversation follows, if it may.

        Raises:
            Conflict: As many follow it as may.
            NotFound: There is no such message.
        """
        named, newest = conversation["conversation"], newest_noted(conversation)
        if parent is End.NEWEST:
            if newest is not None or conversation["next_sequence"] == 1:
                return newest
            found = await self._branches.above(owner, named, (AFTER_ALL, None), 1)
            if not found:
                # The list is behind what another instance has just stored.
                raise StoreError(BUSY, retry_after=1.0)
            return MessageId(found[0]["message"])
        if parent is not None and parent == newest:
            return parent
        if parent is not None:
            await self._item(owner, named, parent)
        if await self._branches.followers(owner, named, parent, besides=first) >= MOST_SIBLINGS:
            raise Conflict(FULL)
        return parent

    async def _stored_before(
        self, owner: PrincipalId, written: list[Message]
    ) -> tuple[Message, ...]:
        """Return messages as an attempt before has stored them.

        Raises:
            AlreadyStored: Somebody else's are.
        """
        found: list[Message] = []
        for message in written:
            key = message_key(message.conversation_id, message.id)
            item = await self._container.read_latest(key, owner.key)
            if item is None or item["etag"] != message.etag:
                raise AlreadyStored
            found.append(message_in(item))
        return tuple(found)

    async def _item(
        self, owner: PrincipalId, conversation_id: ConversationId, message_id: MessageId
    ) -> JsonObject:
        """Return a message's item, if its conversation is there too."""
        item_id = message_key(conversation_id, message_id)
        try:
            conversation, item = await self._container.batch(
                owner.key, [Read(conversation_key(conversation_id)), Read(item_id)]
            )
        except NotFound:
            raise NotFound(NO_MESSAGE) from None
        if conversation.get("discarded"):
            raise NotFound(NO_MESSAGE)
        return item

    async def replace(self, owner: PrincipalId, message: Message) -> Message:
        """Write a message over itself, if its etag still stands; return it with its next."""
        etag = new_etag()
        item_id = message_key(message.conversation_id, message.id)
        conversation_id = conversation_key(message.conversation_id)

        async def attempt() -> Message:
            stored = await self._container.read_latest(item_id, owner.key)
            if stored is None:
                raise NotFound(NO_MESSAGE)
            (known,) = await self._branches.joined(owner, message.conversation_id, [stored])
            written = replace(message, etag=etag, parent=known["parent"])
            if stored["etag"] == etag:
                return written
            if stored["etag"] != message.etag:
                raise PreconditionFailed
            item = replaced_item(stored, written)
            try:
                with contended():
                    conversation, _ = await self._container.batch(
                        owner.key, [Read(conversation_id), Replace(item, stored[ETAG])]
                    )
            except NotFound:
                raise NotFound(NO_MESSAGE) from None
            if conversation.get("discarded"):
                # It is in what may be restored; for who asked there is none.
                raise NotFound(NO_MESSAGE)
            return written

        return await until_decided(attempt)

    async def message(
        self, owner: PrincipalId, conversation_id: ConversationId, message_id: MessageId
    ) -> Message:
        """Return one message."""
        item = await self._item(owner, conversation_id, message_id)
        (joined,) = await self._branches.joined(owner, conversation_id, [item])
        return message_in(joined)

    async def messages(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        limit: int = 100,
        continuation: str | None = None,
        newest_first: bool = False,
        discarded: bool = False,
    ) -> Page[Message]:
        """Return a conversation's messages in the order in which they were stored."""
        place = ("messages", owner.key, conversation_id, newest_first)
        text, begin = (NEWEST_FIRST, AFTER_ALL) if newest_first else (OLDEST_FIRST, 0)
        (after,) = values_of(continuation, place, plausible_place) or (begin,)
        conversation_key(conversation_id)
        found = await self._container.query(
            text,
            {"owner": owner.key, "conversation": conversation_id, "after": after},
            partition=owner.key,
            limit=limit + 1,
        )
        joined = await self._branches.joined(owner, conversation_id, found)
        await self._conversation(owner, conversation_id, discarded=discarded)
        shown = joined[:limit]
        return Page(
            [message_in(item) for item in shown],
            token(place, (shown[-1]["sequence"],)) if len(found) > limit else None,
        )

    async def branch(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        leaf: MessageId | None = None,
        limit: int = 100,
        continuation: str | None = None,
        siblings: bool = False,
    ) -> Page[Turn]:
        """Return the messages from `leaf` up to a first one, the last said first."""
        place = ("branch", owner.key, conversation_id)
        conversation_key(conversation_id)
        start: tuple[int, str | None] = (AFTER_ALL, None)
        if following := values_of(continuation, place, plausible_place):
            start = (int(str(following[0])), str(following[1]))
        elif leaf is not None:
            item = await self._item(owner, conversation_id, leaf)
            start = (item["sequence"] + 1, leaf)
        found = await self._branches.above(owner, conversation_id, start, limit + 1)
        shown = found[:limit]
        alike = (
            await self._branches.siblings(owner, conversation_id, found)
            if siblings
            else {item["message"]: () for item in shown}
        )
        await self._conversation(owner, conversation_id)
        return Page(
            [Turn(message_in(item), alike[item["message"]]) for item in shown],
            token(place, (shown[-1]["sequence"], shown[-1]["parent"]))
            if len(found) > limit
            else None,
        )

    async def leaf(
        self, owner: PrincipalId, conversation_id: ConversationId, message_id: MessageId
    ) -> MessageId:
        """Return the newest of a message and all that follow it."""
        item = await self._item(owner, conversation_id, message_id)
        return await self._branches.newest_below(owner, item)
