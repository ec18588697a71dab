"""What people and models said, kept by owner."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from secure_openai.types import (
    Conversation,
    ConversationId,
    Message,
    MessageId,
    Page,
    PrincipalId,
)


class ConversationStore(Protocol):
    """Keeps conversations and their messages.

    The owner is part of every key, so no call can name another principal's conversation: a foreign
    id raises the same `NotFound` as one that never existed. Etags change with every write and are
    compared by the store itself. Stored documents carry a version; unknown members of a later
    version survive being read and written by this one.

    Every method raises `StoreError` when the store cannot be reached and `StorageFull` when it has
    no room.
    """

    async def create(self, owner: PrincipalId, *, title: str) -> Conversation:
        """Begin a conversation."""
        ...

    async def list(
        self, owner: PrincipalId, *, limit: int = 50, continuation: str | None = None
    ) -> Page[Conversation]:
        """Return the owner's conversations, the most recently updated first.

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

    async def rename(
        self, owner: PrincipalId, conversation_id: ConversationId, *, title: str, etag: str
    ) -> Conversation:
        """Change the title.

        Raises:
            NotFound: The owner has none of that id.
            PreconditionFailed: It was written since `etag` was read.
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
        """Remove a conversation with all its messages, or nothing.

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

        For jobs: it asks every partition.

        Raises:
            RequestError: `continuation` is not one that this store gave.
        """
        ...

    async def finish_deletions(self, *, limit: int = 100) -> int:
        """Clear what deletions of processes that died have left; return how many were cleared.

        For jobs: it asks every partition.
        """
        ...

    async def append(self, owner: PrincipalId, *messages: Message) -> tuple[Message, ...]:
        """Store messages at the end of their conversation, all or none, and touch it.

        `Message.etag` is ignored; the stored messages are returned with theirs. When the call
        returns, the messages survive the death of the process.

        Raises:
            NotFound: The owner has no such conversation.
        """
        ...

    async def replace(self, owner: PrincipalId, message: Message) -> Message:
        """Write a message over itself, if its etag still stands; return it with its next.

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
    ) -> Page[Message]:
        """Return a conversation's messages in the order in which they were stored.

        Raises:
            NotFound: The owner has no such conversation.
            RequestError: `continuation` is not one that this store gave.
        """
        ...
