"""What people and models said, kept by owner."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeAlias

from secure_openai.types import (
    Conversation,
    ConversationId,
    Message,
    MessageId,
    Page,
    PrincipalId,
)

UNDO = timedelta(minutes=10)
"""How long whoever discards a conversation may have it back."""

MOST_CONVERSATIONS = 10_000
"""How many one owner has: more than anybody looks through, and few enough for a job to read."""

TOO_MANY = "You keep {most} conversations, as many as anyone may: delete some first."

MOST_SIBLINGS = 100
"""How many messages may follow the same one: whoever edits more often begins another conversation.
"""

FULL = f"A message is followed by {MOST_SIBLINGS} others at most: edit another one, or begin anew."


class End(enum.Enum):
    """Where messages go that name no parent."""

    NEWEST = "newest"


Parent: TypeAlias = MessageId | Literal[End.NEWEST] | None
"""What messages follow: one, the newest of their conversation, or none."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of a branch.

    Attributes:
        message: What was said.
        siblings: Those that follow the same message, in the order in which they were stored, itself
            included; empty where they were not asked for.
    """

    message: Message
    siblings: tuple[MessageId, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A conversation that a search has found.

    Attributes:
        conversation: Which.
        message: The newest message that holds the text; `None` where only the title does.
        excerpt: What stands around it there, on one line.
    """

    conversation: Conversation
    message: MessageId | None
    excerpt: str | None


class ConversationStore(Protocol):
    """Keeps conversations and their messages.

    The messages of a conversation form a tree: each follows one that was stored before it, or none.
    A branch is read from its end, from parent to parent. Messages that a program stored which knew
    no branches form a line: each follows the one before.

    The owner is part of every key, so no call can name another principal's conversation: a foreign
    id raises the same `NotFound` as one that never existed. Etags change with every write and are
    compared by the store itself. Stored documents carry a version; unknown members of a later
    version survive being read and written by this one.

    Every method raises `StoreError` when the store cannot be reached and `StorageFull` when it has
    no room.
    """

    async def create(
        self,
        owner: PrincipalId,
        *,
        title: str,
        titled: bool = True,
        most: int = MOST_CONVERSATIONS,
    ) -> Conversation:
        """Begin a conversation; without `titled`, its title is one for the time being.

        Of several that are begun at the same moment, some may be more than `most`.

        Raises:
            LimitReached: The owner has `most`, discarded ones included.
        """
        ...

    async def list(
        self,
        owner: PrincipalId,
        *,
        limit: int = 50,
        continuation: str | None = None,
        discarded: bool = False,
    ) -> Page[Conversation]:
        """Return the owner's conversations, pinned ones first, the last updated first.

        Args:
            owner: Whose.
            limit: How many to return at most.
            continuation: Where the page before ended.
            discarded: Return those that were discarded, and only them.

        Raises:
            RequestError: `continuation` is not one that this store gave to this owner.
        """
        ...

    async def search(
        self,
        owner: PrincipalId,
        text: str,
        *,
        limit: int = 20,
        continuation: str | None = None,
    ) -> Page[Found]:
        """Return the owner's conversations that hold a text in any case, the last updated first.

        Title and messages are looked through, of every branch. One call looks through no more than
        it can in a moment: a page may be short, even empty, and yet go on.

        Raises:
            RequestError: `continuation` is not one that this store gave to this owner.
        """
        ...

    async def get(self, owner: PrincipalId, conversation_id: ConversationId) -> Conversation:
        """Return one conversation.

        Raises:
            NotFound: The owner has none of that id.
        """
        ...

    async def change(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        etag: str,
        title: str | None = None,
        pinned: bool | None = None,
    ) -> Conversation:
        """Give a conversation another title, or pin it or not; what is `None` stays as it is.

        Raises:
            NotFound: The owner has none of that id.
            PreconditionFailed: It was changed since `etag` was read.
        """
        ...

    async def entitle(
        self, owner: PrincipalId, conversation_id: ConversationId, *, title: str
    ) -> Conversation | None:
        """Give a conversation a title that nobody wrote, unless somebody gave it one.

        There is no etag: whatever else is changed at the same moment stays changed, and a title
        that somebody gives stands, whichever comes first.

        Returns:
            The conversation with this title; `None` where somebody has given it theirs.

        Raises:
            NotFound: The owner has none of that id.
        """
        ...

    async def discard(
        self, owner: PrincipalId, conversation_id: ConversationId, *, etag: str
    ) -> None:
        """Delete a conversation for its owner, who may take that back for `UNDO`.

        From here on every call finds it missing but `restore`, `delete`, and `list` and `messages`
        where they are asked for what is discarded. It goes for good with `finish_deletions`, unless
        a hold keeps it.

        Raises:
            LegalHold: A hold keeps it, whose placing had ended before.
            NotFound: The owner has none of that id.
            PreconditionFailed: It was changed since `etag` was read.
        """
        ...

    async def restore(self, owner: PrincipalId, conversation_id: ConversationId) -> Conversation:
        """Take a discarding back; a conversation that is not discarded is returned as it is.

        Raises:
            NotFound: The owner has none of that id, or it was discarded longer ago than `UNDO`.
        """
        ...

    async def delete(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        etag: str,
        unused_since: datetime | None = None,
    ) -> None:
        """Remove a conversation with all its messages, discarded or not, or nothing.

        Args:
            owner: Whose.
            conversation_id: Which.
            etag: As it was read.
            unused_since: Remove it only if nothing was said in it at or after this moment.

        Raises:
            LegalHold: A hold keeps it, whose placing had ended before.
            NotFound: The owner has none of that id.
            PreconditionFailed: It was written since `etag` was read, or used since `unused_since`.
        """
        ...

    async def unused(
        self, *, since: datetime, limit: int = 100, continuation: str | None = None
    ) -> Page[Conversation]:
        """Return conversations of all owners that were not used at or after `since`, oldest first.

        Discarded ones are not among them.

        For jobs: it asks every partition.

        Raises:
            RequestError: `continuation` is not one that this store gave.
        """
        ...

    async def finish_deletions(self, *, limit: int = 100) -> int:
        """Remove what was discarded longer ago than `UNDO`, and what cut off deletions have left.

        What a hold keeps stays. For jobs: it asks every partition.

        Returns:
            How many were removed or cleared; 0 when nothing is left to do.
        """
        ...

    async def append(
        self, owner: PrincipalId, *messages: Message, parent: Parent = End.NEWEST
    ) -> tuple[Message, ...]:
        """Store messages, each following the one before, all or none, and touch what they are of.

        `Message.etag` and `Message.parent` are ignored; the stored messages are returned with
        theirs. When the call returns, the messages survive the death of the process.

        Args:
            owner: Whose.
            messages: In their order.
            parent: What the first of a conversation follows.

        Raises:
            Conflict: `MOST_SIBLINGS` follow `parent` already.
            NotFound: The owner has no such conversation, or it has no message `parent`.
        """
        ...

    async def replace(self, owner: PrincipalId, message: Message) -> Message:
        """Write a message over itself, if its etag still stands; return it with its next.

        It keeps its place and its parent.

        Raises:
            NotFound: The owner has no such message.
            PreconditionFailed: It was written since `message.etag` was read.
        """
        ...

    async def message(
        self, owner: PrincipalId, conversation_id: ConversationId, message_id: MessageId
    ) -> Message:
        """Return one message.

        Raises:
            NotFound: The owner has no such message.
        """
        ...

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
        """Return a conversation's messages in the order in which they were stored.

        Args:
            owner: Whose.
            conversation_id: Which conversation.
            limit: How many to return at most.
            continuation: Where the page before ended.
            newest_first: The other way round.
            discarded: Find one that was discarded too.

        Raises:
            NotFound: The owner has no such conversation.
            RequestError: `continuation` is not one that this store gave.
        """
        ...

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
        """Return the messages from `leaf` up to a first one, the last said first.

        Args:
            owner: Whose.
            conversation_id: Which conversation.
            leaf: Where the branch ends; the newest message unless given.
            limit: How many to return at most.
            continuation: Where the page before ended; `leaf` does not matter then.
            siblings: Whether each comes with its siblings.

        Raises:
            NotFound: The owner has no such conversation, or it has no message `leaf`.
            RequestError: `continuation` is not one that this store gave.
        """
        ...

    async def leaf(
        self, owner: PrincipalId, conversation_id: ConversationId, message_id: MessageId
    ) -> MessageId:
        """Return the newest of a message and all that follow it: where its branch is shown to.

        Raises:
            NotFound: The owner has no such message.
        """
        ...
