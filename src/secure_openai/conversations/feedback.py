"""What people say of an answer: a rating, a reason out of a table, and a comment.

The comment is written for administrators, who see it with the rating, and nothing of the
conversation. It goes with the conversation.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from secure_openai.errors import (
    AlreadyStored,
    NotFound,
    PreconditionFailed,
    RequestError,
    StoreError,
)
from secure_openai.store.conversations import ConversationStore
from secure_openai.store.personal import PersonalItem, PersonalKind, PersonalStore
from secure_openai.tables import table
from secure_openai.types import (
    Author,
    Clock,
    ConversationId,
    JsonObject,
    MessageId,
    MessageStatus,
    Page,
    PrincipalId,
    utc_now,
)

COMMENT_CHARACTERS = 1_000

NO_FEEDBACK = "There is no feedback of yours on this message."
ATTEMPTS = 5


class Rating(enum.StrEnum):
    """Whether an answer was of use."""

    UP = "up"
    DOWN = "down"


REASONS: Mapping[str, Rating] = MappingProxyType(
    {slug: Rating(one["rating"]) for slug, one in table("feedback").items()}
)
"""The reasons that may be given, and which rating each is one for."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What one person says of one answer.

    Attributes:
        owner: Who.
        conversation: Of which conversation.
        message: Of which answer.
        deployment: The deployment that answered.
        rating: Whether it was of use.
        reason: A slug of `REASONS`.
        comment: In the person's own words, for administrators.
        given: When it was last written, aware UTC.
    """

    owner: PrincipalId
    conversation: ConversationId
    message: MessageId
    deployment: str | None
    rating: Rating
    reason: str | None
    comment: str | None
    given: datetime


class Feedbacks:
    """Keeps what people say of answers; each method raises `StoreError` where it cannot."""

    def __init__(
        self,
        store: PersonalStore,
        conversations: ConversationStore,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._conversations = conversations
        self._clock = clock

    async def give(
        self,
        owner: PrincipalId,
        conversation: ConversationId,
        message: MessageId,
        *,
        rating: Rating,
        reason: str | None,
        comment: str | None,
    ) -> Feedback:
        """Say what one thinks of an answer, in the place of what one said before.

        Raises:
            LegalHold: What was said before is held.
            NotFound: The owner has no such message.
            RequestError: It is no answer, or the reason is none for this rating.
        """
        if reason is not None and REASONS.get(reason) is not rating:
            known = ", ".join(slug for slug, of in REASONS.items() if of is rating)
            raise RequestError(f"Write a reason out of {known}.", pointer="/reason")
        answer = await self._conversations.message(owner, conversation, message)
        now = self._clock()
        if answer.author is not Author.ASSISTANT:
            raise RequestError("Only an answer can be rated.")
        if answer.status_at(now) is MessageStatus.STREAMING:
            raise RequestError("The answer is not at its end yet: rate it then.")
        return await self._written(
            PersonalItem(
                owner=owner,
                kind=PersonalKind.FEEDBACK,
                id=message,
                document={
                    "deployment": answer.deployment,
                    "rating": rating.value,
                    "reason": reason,
                    "comment": comment,
                },
                created=now,
                changed=now,
                conversation=conversation,
            )
        )

    async def _written(self, item: PersonalItem) -> Feedback:
        """Store an item over the one before, whoever writes at the same time."""
        for _ in range(ATTEMPTS):
            try:
                before = await self._store.get(item.owner, item.kind, item.id)
            except NotFound:
                try:
                    return _feedback(await self._store.add(item))
                except AlreadyStored:
                    continue
            try:
                return _feedback(await self._store.change(replace(item, etag=before.etag)))
            except (NotFound, PreconditionFailed):
                continue
        raise StoreError("It was written by somebody else each time: try again.", retry_after=1.0)

    async def withdraw(
        self, owner: PrincipalId, conversation: ConversationId, message: MessageId
    ) -> None:
        """Take back what one said of an answer.

        Raises:
            LegalHold: It is held.
            NotFound: Nothing was said.
        """
        found = await self._store.get(owner, PersonalKind.FEEDBACK, message)
        if found.conversation != conversation:
            raise NotFound(NO_FEEDBACK)
        await self._store.remove(owner, PersonalKind.FEEDBACK, message)

    async def of(
        self,
        owner: PrincipalId,
        conversation: ConversationId,
        *,
        limit: int = 100,
        continuation: str | None = None,
    ) -> Page[Feedback]:
        """Return what one said of the answers of a conversation.

        Raises:
            NotFound: The owner has no such conversation.
        """
        await self._conversations.get(owner, conversation)
        page = await self._store.list(
            owner,
            PersonalKind.FEEDBACK,
            conversation=conversation,
            limit=limit,
            continuation=continuation,
        )
        return Page([_feedback(one) for one in page.items], page.continuation)

    async def day(
        self, day: str, *, limit: int = 100, continuation: str | None = None
    ) -> Page[Feedback]:
        """Return what was said on a UTC day, by everybody; it asks every partition."""
        page = await self._store.written(
            PersonalKind.FEEDBACK, day, limit=limit, continuation=continuation
        )
        return Page([_feedback(one) for one in page.items], page.continuation)


def reasons() -> Sequence[JsonObject]:
    """Return the reasons, in the order in which they are shown."""
    return [{"slug": slug, **one} for slug, one in table("feedback").items()]


def _feedback(item: PersonalItem) -> Feedback:
    assert item.conversation is not None  # noqa: S101 - feedback goes with its conversation
    document = item.document
    return Feedback(
        owner=item.owner,
        conversation=item.conversation,
        message=MessageId(item.id),
        deployment=document["deployment"],
        rating=Rating(document["rating"]),
        reason=document["reason"],
        comment=document["comment"],
        given=item.changed,
    )
