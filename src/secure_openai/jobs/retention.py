"""Delete conversations past their retention, and end what others have left half done."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from secure_openai.errors import LegalHold, NotFound, PreconditionFailed
from secure_openai.jobs.recording import record
from secure_openai.store.audit import AuditStore
from secure_openai.store.conversations import ConversationStore
from secure_openai.types import Clock, Conversation, JsonObject, utc_now

logger = logging.getLogger(__name__)

PAGE = 100


async def expire(
    conversations: ConversationStore,
    audit: AuditStore,
    purge: Callable[[], Awaitable[int]],
    clear: Callable[[], Awaitable[int]],
    *,
    days: int | None,
    clock: Clock = utc_now,
) -> JsonObject:
    """Delete what was not used for `days`, clear deletions under way, and drop ended sessions.

    A conversation under legal hold stays, and so does one that is used at that moment: the store
    compares both as it deletes. Run twice, killed anywhere and run again, or run by several at
    once, it leaves the same behind; each deletion is recorded by whoever did it.

    Args:
        conversations: Where they are.
        audit: Where it is recorded.
        purge: Drops sessions that have ended and returns how many.
        clear: Drops attachments that nobody sent, or whose conversation is gone; the same.
        days: How long an unused conversation is kept; `None` keeps it.
        clock: Tells the time.

    Returns:
        What was done: `conversations` deleted, `held` and so kept, deletions `cleared`,
        `attachments` and `sessions` dropped.

    Raises:
        AuditUnavailable: Nothing can be recorded, so nothing more is deleted.
        StoreError: A store cannot be reached; the next run goes on.
    """
    deleted = held = 0
    if days is not None:
        since = clock() - timedelta(days=days)
        continuation = None
        while True:
            page = await conversations.unused(since=since, limit=PAGE, continuation=continuation)
            for conversation in page.items:
                audit.ensure_writable()
                try:
                    await conversations.delete(
                        conversation.owner,
                        conversation.id,
                        etag=conversation.etag,
                        unused_since=since,
                    )
                except LegalHold:
                    held += 1
                except (NotFound, PreconditionFailed):
                    # Another run was faster, or its owner has come back to it.
                    continue
                else:
                    deleted += 1
                    _record(audit, conversation, clock)
            # The audit's queue is bounded: a page is written before the next is deleted.
            await audit.flush()
            continuation = page.continuation
            if continuation is None:
                break
    return {
        "conversations": deleted,
        "held": held,
        "cleared": await _cleared(conversations),
        # Behind the deletions: what went with them is due now.
        "attachments": await clear(),
        "sessions": await purge(),
    }


async def _cleared(conversations: ConversationStore) -> int:
    count = 0
    while cleared := await conversations.finish_deletions(limit=PAGE):
        count += cleared
    return count


def _record(audit: AuditStore, conversation: Conversation, clock: Clock) -> None:
    record(
        audit,
        "conversation.expired",
        of=conversation.owner,
        reason="retention",
        facts={"conversation": conversation.id},
        clock=clock,
    )
