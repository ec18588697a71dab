"""Search in Cosmos DB: so many conversations a call, in their owner's partition.

Texts have no index: the service reads every message of the conversations that a call is about. So
a call is about a bounded number of them, and costs what their messages weigh.
"""

from __future__ import annotations

from secure_openai.store.continuation import token, values_of
from secure_openai.store.conversations import Found
from secure_openai.store.cosmos.container import Container
from secure_openai.store.cosmos.conversation_items import (
    conversation_in,
    message_key,
    plausible_end,
)
from secure_openai.store.cosmos.timeline import AFTER_ALL, KEPT_BY_ITS_OWNER, MINE, RECENT, end_of
from secure_openai.store.excerpts import excerpt, place_of
from secure_openai.types import JsonObject, MessageId, Page, PrincipalId

LOOKED_THROUGH = 50
"""Conversations that one call looks through."""

CONVERSATIONS = f"{MINE} AND {KEPT_BY_ITS_OWNER} {RECENT}"
MESSAGES = (
    "SELECT c.conversation, c.message, c.sequence FROM c WHERE c.owner = @owner"
    " AND c.kind = 'message' AND ARRAY_CONTAINS(@conversations, c.conversation)"
    " AND CONTAINS(LOWER(c.text), @lower)"
)
MOST_MESSAGES = 100_000


async def found_in(
    container: Container,
    owner: PrincipalId,
    text: str,
    *,
    limit: int,
    continuation: str | None,
) -> Page[Found]:
    """Return a page of a search; see `ConversationStore.search`."""
    place = ("search", owner.key, text)
    end = values_of(continuation, place, plausible_end)
    updated, *seen = end or (AFTER_ALL,)
    listed = await container.query(
        CONVERSATIONS,
        {"owner": owner.key, "updated": updated},
        partition=owner.key,
        limit=LOOKED_THROUGH + 1 + len(seen),
    )
    unseen = [item for item in listed if item["conversation"] not in seen]
    items = unseen[:LOOKED_THROUGH]
    hits = await _hits(container, owner, text, items)
    found: list[Found] = []
    for looked, item in enumerate(items, start=1):
        conversation = conversation_in(owner, item)
        hit = hits.get(conversation.id)
        if hit is not None or place_of(text, conversation.title) is not None:
            found.append(Found(conversation, *(hit or (None, None))))
        if len(found) == limit and looked < len(unseen):
            return Page(found, token(place, end_of(items[:looked], end)))
    more = len(unseen) > len(items)
    return Page(found, token(place, end_of(items, end)) if more else None)


async def _hits(
    container: Container, owner: PrincipalId, text: str, items: list[JsonObject]
) -> dict[str, tuple[MessageId, str | None]]:
    """Return the newest message that holds a text, by its conversation, with what it says there."""
    named = [item["conversation"] for item in items]
    if not named:
        return {}
    holding = await container.query(
        MESSAGES,
        {"owner": owner.key, "conversations": named, "lower": text.lower()},
        partition=owner.key,
        limit=MOST_MESSAGES,
    )
    newest: dict[str, JsonObject] = {}
    for one in holding:
        before = newest.get(one["conversation"])
        if before is None or before["sequence"] < one["sequence"]:
            newest[one["conversation"]] = one
    hits: dict[str, tuple[MessageId, str | None]] = {}
    for conversation, one in newest.items():
        item = await container.read(message_key(conversation, one["message"]), owner.key)
        if item is not None:
            hits[conversation] = (MessageId(one["message"]), excerpt(text, item["text"]))
    return hits
