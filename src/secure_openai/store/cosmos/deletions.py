"""How conversations go from Cosmos DB for good.

*delete* removes the conversation and leaves a note of what is to be cleared, in one transactional
batch, if the owner's holds are as they were when they were looked at. From then on nobody can reach
or add a message. Clearing removes the messages a hundred at a time, and what is kept beside them,
then the note; `finish` goes on with what a process that died has left, and deletes what was
discarded and not restored.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime

from secure_openai.errors import (
    AlreadyStored,
    LegalHold,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    StoreError,
)
from secure_openai.store.cosmos.container import (
    ETAG,
    LARGEST_BATCH,
    Container,
    Create,
    Delete,
    Operation,
)
from secure_openai.store.cosmos.contention import TryAgain, contended, until_decided
from secure_openai.store.cosmos.conversation_items import (
    NO_CONVERSATION,
    conversation_in,
    conversation_key,
)
from secure_openai.store.cosmos.holds import HOLDS, covered, unchanged
from secure_openai.store.cosmos.personal_items import clear_items
from secure_openai.store.documents import time_text
from secure_openai.store.holds import KEPT
from secure_openai.types import ConversationId, JsonObject, PrincipalId

logger = logging.getLogger(__name__)

MESSAGE_IDS = (
    "SELECT c.id FROM c WHERE c.owner = @owner AND c.kind = 'message'"
    " AND c.conversation = @conversation"
)
DELETIONS = "SELECT * FROM c WHERE c.kind = 'deletion'"
ENDED = (
    "SELECT * FROM c WHERE c.kind = 'conversation' AND c.discarded >= @after"
    " AND c.discarded < @before ORDER BY c.discarded"
)


class Deletions:
    """Removes conversations with all that is in them.

    Args:
        container: Of conversations.
    """

    def __init__(self, container: Container) -> None:
        self._container = container

    async def delete(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        etag: str,
        unused_since: datetime | None = None,
    ) -> None:
        """Remove a conversation with all its messages, or nothing.

        Raises:
            As `ConversationStore.delete` does.
        """
        uncertain = False
        note = {
            "id": f"deletion.{conversation_id}",
            "owner": owner.key,
            "kind": "deletion",
            "conversation": conversation_id,
        }

        async def attempt() -> None:
            nonlocal uncertain
            key = conversation_key(conversation_id)
            stored = await self._container.read_latest(key, owner.key)
            if stored is None:
                if uncertain:
                    # Gone since an attempt before, whose own end is not known.
                    return
                raise NotFound(NO_CONVERSATION)
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

    async def finish(self, *, before: datetime, limit: int) -> int:
        """Remove what was discarded before a moment, and clear what is not cleared yet.

        Raises:
            StoreError: The store cannot be reached; the rest waits for the next call.
        """
        removed, after, seen = 0, "", set[str]()
        while removed < limit:
            found = await self._container.query(
                ENDED,
                {"after": after, "before": time_text(before)},
                limit=limit + len(seen),
            )
            unseen = [item for item in found if item["conversation"] not in seen]
            if not unseen:
                break
            for item in unseen:
                removed += await self._ended(item)
            # What a hold keeps is met again by the next query, if it was discarded last.
            after = unseen[-1]["discarded"]
            seen = {item["conversation"] for item in found if item["discarded"] == after}
        notes = await self._container.query(DELETIONS, {}, limit=limit)
        for note in notes:
            await self._clear(note)
        return removed + len(notes)

    async def _ended(self, item: JsonObject) -> bool:
        owner = PrincipalId.parse(item["owner"])
        try:
            await self.delete(owner, item["conversation"], etag=item["etag"])
        except (LegalHold, NotFound, PreconditionFailed):
            # It is held, or another process was faster: with removing it, or its owner with having
            # it back.
            return False
        return True

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
        await clear_items(self._container, owner, note["conversation"])
        with suppress(NotFound):
            await self._container.delete(note["id"], owner)
