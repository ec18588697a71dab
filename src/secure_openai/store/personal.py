"""What principals keep beside their conversations: small items of a few kinds.

An item belongs to its owner alone, and perhaps to one of the owner's conversations: then it goes
when that does. What it says is a document of a few members, which the room that uses it writes and
reads.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from secure_openai.store.documents import VERSION, time_of, time_text
from secure_openai.types import ConversationId, JsonObject, Page, PrincipalId

NO_ITEM = "There is no such item."
NO_CONVERSATION = "There is no such conversation."
ELSEWHERE = "It belongs to another conversation: send it again for this one."

FULL = "You keep {kept} here already, which is the most: remove some first."


class PersonalKind(enum.StrEnum):
    """What an item is."""

    ACCEPTANCE = "acceptance"
    ATTACHMENT = "attachment"
    FEEDBACK = "feedback"
    INSTRUCTION = "instruction"
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class PersonalItem:
    """One item.

    Attributes:
        owner: Whose.
        kind: What it is.
        id: Unique among the owner's items of this kind.
        document: What it says: members of JSON; those of a later program are kept.
        created: When it was first stored, aware UTC.
        changed: When it was last written.
        conversation: The conversation that it goes with.
        expires: When it goes by itself; `None` where it stays.
        size: How many bytes elsewhere it stands for.
        etag: Changes with every write.
    """

    owner: PrincipalId
    kind: PersonalKind
    id: str
    document: JsonObject
    created: datetime
    changed: datetime
    conversation: ConversationId | None = None
    expires: datetime | None = None
    size: int = 0
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """How much an owner may keep of a kind.

    Attributes:
        items: How many.
        size: How many bytes they may stand for together.
    """

    items: int
    size: int = 2**53

    def leaves_room_for(self, items: int, size: int) -> bool:
        """Return whether so much may be kept."""
        return items <= self.items and size <= self.size

    def in_words(self, kind: PersonalKind) -> str:
        """Return the sentence for whoever has no room left."""
        kept = f"{self.items} {kind}s"
        if self.size < 2**53:
            kept += f" or {self.size // 1_000_000} MB of them"
        return FULL.format(kept=kept)


class PersonalStore(Protocol):
    """Keeps items, by owner and kind.

    The owner is part of every key: a foreign id raises the same `NotFound` as one that never was.
    What a legal hold covers (the owner's everything, or the item's conversation) is neither changed
    nor removed; a hold that was placed before that was decided wins. Each method raises
    `StoreError` when the store cannot be reached and `StorageFull` when it has no room.

    An item whose conversation is deleted goes with it. An attachment stands for bytes that lie
    elsewhere, so that it stays, of no conversation, and is due at once.
    """

    async def add(self, item: PersonalItem, bound: Bound | None = None) -> PersonalItem:
        """Store an item; return it with its etag.

        However many are added at once, no more than `bound` are ever kept.

        Raises:
            AlreadyStored: The owner has one of this kind and id.
            LimitReached: There is no room within `bound`.
            NotFound: Its conversation is not there.
        """
        ...

    async def get(self, owner: PrincipalId, kind: PersonalKind, item_id: str) -> PersonalItem:
        """Return one item.

        Raises:
            NotFound: The owner has none of this kind and id.
        """
        ...

    async def list(
        self,
        owner: PrincipalId,
        kind: PersonalKind,
        *,
        conversation: ConversationId | None = None,
        limit: int = 100,
        continuation: str | None = None,
    ) -> Page[PersonalItem]:
        """Return an owner's items of a kind, in the order in which they were last written.

        With a conversation, only those that go with it.

        Raises:
            RequestError: `continuation` is not one that this store gave for this list.
        """
        ...

    async def change(self, item: PersonalItem) -> PersonalItem:
        """Write what an item says over itself, if its etag still stands; return it with its next.

        Its conversation, its size and when it was created stay as they were.

        Raises:
            LegalHold: It is held.
            NotFound: It is gone.
            PreconditionFailed: It was written since its etag was read.
        """
        ...

    async def bind(
        self,
        owner: PrincipalId,
        kind: PersonalKind,
        item_ids: Sequence[str],
        conversation: ConversationId,
        *,
        now: datetime,
    ) -> Sequence[PersonalItem]:
        """Let items go with a conversation from here on, all or none; they expire no more.

        Those that go with it already stay as they are.

        Raises:
            NotFound: One of them is not there or has expired, or the conversation is not there.
            PreconditionFailed: One of them goes with another conversation.
        """
        ...

    async def remove(
        self, owner: PrincipalId, kind: PersonalKind, item_id: str, *, etag: str | None = None
    ) -> None:
        """Remove an item; with an etag, only one that still has it.

        Raises:
            LegalHold: It is held.
            NotFound: It is gone.
            PreconditionFailed: It was written since its etag was read.
        """
        ...

    async def written(
        self, kind: PersonalKind, day: str, *, limit: int = 100, continuation: str | None = None
    ) -> Page[PersonalItem]:
        """Return items of all owners that were last written on a UTC day, oldest first.

        It asks every partition.

        Args:
            kind: What they are.
            day: Which day: `2030-01-02`.
            limit: How many to return.
            continuation: Where the page before ended.

        Raises:
            RequestError: `continuation` is not one that this store gave for this day.
        """
        ...

    async def due(
        self,
        kind: PersonalKind,
        *,
        now: datetime,
        limit: int = 100,
        owner: PrincipalId | None = None,
    ) -> Sequence[PersonalItem]:
        """Return items whose time has come: of one owner, or of all, which asks every partition."""
        ...


async def every_item(
    store: PersonalStore, owner: PrincipalId, kind: PersonalKind
) -> AsyncIterator[PersonalItem]:
    """Yield an owner's items of a kind, those written meanwhile perhaps not, or twice."""
    continuation = None
    while True:
        page = await store.list(owner, kind, continuation=continuation)
        for item in page.items:
            yield item
        continuation = page.continuation
        if continuation is None:
            return


RESERVED = frozenset(
    {
        "changed",
        "conversation",
        "counted",
        "created",
        "etag",
        "expires",
        "id",
        "kind",
        "owner",
        "size",
        "version",
    }
)
"""Members that the stores write; the rest is what an item says."""


def personal_document(item: PersonalItem) -> JsonObject:
    """Return an item as stored."""
    return {
        **item.document,
        "version": VERSION,
        "conversation": item.conversation,
        "created": time_text(item.created),
        "changed": time_text(item.changed),
        "expires": time_text(item.expires),
        "size": item.size,
    }


def personal_of(
    owner: PrincipalId, kind: PersonalKind, item_id: str, etag: str, document: JsonObject
) -> PersonalItem:
    """Return a stored item."""
    conversation = document["conversation"]
    return PersonalItem(
        owner=owner,
        kind=kind,
        id=item_id,
        document={name: one for name, one in document.items() if name not in RESERVED},
        created=datetime.fromisoformat(document["created"]),
        changed=datetime.fromisoformat(document["changed"]),
        conversation=None if conversation is None else ConversationId(conversation),
        expires=time_of(document["expires"]),
        size=document["size"],
        etag=etag,
    )
