"""Search in Cosmos DB: so many messages a call, in their owner's partition.

Texts have no index: the service reads every message of the conversations that a call is about, and
charges what they weigh. So a call is about so many messages: those of some conversations, or, where
one alone has more, some of that one's, the newest first. It takes two queries, and reads the one
message that is shown of each conversation on its page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

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
from secure_openai.types import Conversation, JsonObject, MessageId, Page, PrincipalId

LOOKED_THROUGH = 5_000
"""Messages that one call looks through."""

CONVERSATIONS_AT_ONCE = 50
"""Of which these are, at most: their titles are looked through, too."""

READ_AT_ONCE = 8
"""Messages that are read at the same time, for what stands around the text."""

CONVERSATIONS = f"{MINE} AND {KEPT_BY_ITS_OWNER} {RECENT}"
MESSAGES = (
    "SELECT c.conversation, c.message, c.sequence FROM c WHERE c.owner = @owner"
    " AND c.kind = 'message' AND ARRAY_CONTAINS(@conversations, c.conversation)"
    " AND c.sequence >= @first AND c.sequence < @end AND CONTAINS(LOWER(c.text), @lower)"
)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one call looks through.

    Attributes:
        items: Of which conversations.
        first: The first place in them.
        end: The place behind the last one.
    """

    items: Sequence[JsonObject]
    first: int
    end: int


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
    reached, within, *end = values_of(continuation, place, _plausible) or (0, "", AFTER_ALL)
    updated, *seen = end
    listed = await container.query(
        CONVERSATIONS,
        {"owner": owner.key, "updated": updated},
        partition=owner.key,
        limit=CONVERSATIONS_AT_ONCE + 1 + len(seen),
    )
    unseen = [item for item in listed if item["conversation"] not in seen]
    part = _part(unseen, str(within), int(str(reached)))
    hits = await _hits(container, owner, text, part)
    if not hits and part.first > 1:
        # The one that has more messages than a call looks through: its earlier ones come next.
        (item,) = part.items
        return Page([], token(place, (part.first, item["conversation"], *end)))
    chosen: list[tuple[Conversation, MessageId | None]] = []
    looked = 0
    while looked < len(part.items) and len(chosen) < limit:
        conversation = conversation_in(owner, part.items[looked])
        hit = hits.get(conversation.id)
        if hit is not None or place_of(text, conversation.title) is not None:
            chosen.append((conversation, hit))
        looked += 1
    found = await _shown(container, owner, text, chosen)
    if looked == len(unseen):
        return Page(found)
    return Page(found, token(place, (0, "", *end_of(part.items[:looked], tuple(end)))))


def _part(unseen: Sequence[JsonObject], within: str, reached: int) -> _Part:
    """Return the conversations that are looked through together, or the part of a long one."""
    items: list[JsonObject] = []
    left = LOOKED_THROUGH
    for item in unseen[:CONVERSATIONS_AT_ONCE]:
        left -= item["next_sequence"] - 1
        if items and left < 0:
            break
        items.append(item)
    end = max((item["next_sequence"] for item in items), default=1)
    if len(items) == 1 and items[0]["conversation"] == within:
        end = min(end, reached)
    return _Part(items, max(1, end - LOOKED_THROUGH) if len(items) == 1 else 1, end)


async def _hits(
    container: Container, owner: PrincipalId, text: str, part: _Part
) -> dict[str, MessageId]:
    """Return the newest message that holds a text, by its conversation."""
    if part.end <= part.first:
        return {}
    holding = await container.query(
        MESSAGES,
        {
            "owner": owner.key,
            "conversations": [item["conversation"] for item in part.items],
            "first": part.first,
            "end": part.end,
            "lower": text.lower(),
        },
        partition=owner.key,
        limit=LOOKED_THROUGH,
    )
    newest: dict[str, JsonObject] = {}
    for one in holding:
        before = newest.get(one["conversation"])
        if before is None or before["sequence"] < one["sequence"]:
            newest[one["conversation"]] = one
    return {conversation: MessageId(one["message"]) for conversation, one in newest.items()}


async def _shown(
    container: Container,
    owner: PrincipalId,
    text: str,
    chosen: Sequence[tuple[Conversation, MessageId | None]],
) -> list[Found]:
    """Return what was found with what stands around it, without what went meanwhile."""

    async def shown(conversation: Conversation, hit: MessageId | None) -> Found | None:
        if hit is None:
            return Found(conversation, None, None)
        item = await container.read(message_key(conversation.id, hit), owner.key)
        if item is not None:
            return Found(conversation, hit, excerpt(text, item["text"]))
        titled = place_of(text, conversation.title) is not None
        return Found(conversation, None, None) if titled else None

    found: list[Found | None] = []
    for at in range(0, len(chosen), READ_AT_ONCE):
        few = chosen[at : at + READ_AT_ONCE]
        found += await asyncio.gather(*(shown(*one) for one in few))
    return [one for one in found if one is not None]


def _plausible(values: list[object]) -> bool:
    """Return whether a page of a search could end so: within a conversation or behind some."""
    match values:
        case [int(reached), str(), *end]:
            begun = end == [AFTER_ALL] or plausible_end(end)
            return type(reached) is int and 0 <= reached < 2**53 and begun
    return False
