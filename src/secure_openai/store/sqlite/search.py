"""Search in SQLite: what signatures leave over is looked through, so many messages a call."""

from __future__ import annotations

import re
import sqlite3

from secure_openai.store.continuation import token, values_of
from secure_openai.store.conversations import Found
from secure_openai.store.documents import loads
from secure_openai.store.excerpts import excerpt, place_of
from secure_openai.store.sqlite.rows import conversation_in, ending
from secure_openai.store.sqlite.signatures import may_hold, places_in
from secure_openai.types import ConversationId, MessageId, Page, PrincipalId

LOOKED_THROUGH = 5_000
"""Messages that one call looks through, and the rest of the conversation that it is in."""

AFTER_ALL = (float("inf"), "")
CONVERSATIONS = (
    "SELECT updated, id, json_extract(document, '$.title'), next_position - 1, place, bits"
    " FROM conversation"
    " LEFT JOIN signature ON signature.owner = conversation.owner AND conversation_id = id"
    " WHERE conversation.owner = ? AND discarded IS NULL AND (updated, id) < (?, ?)"
    " ORDER BY updated DESC, id DESC"
)
MESSAGES = (
    "SELECT id, document FROM message WHERE owner = ? AND conversation_id = ?"
    " AND document LIKE ? ESCAPE '!' ORDER BY position DESC"
)
_RUNS = re.compile(r"[ !#-\[\]-~]+")
"""What stands in a stored document as it was written, and whose case `LIKE` knows."""


def found_in(
    connection: sqlite3.Connection,
    owner: PrincipalId,
    text: str,
    *,
    limit: int,
    continuation: str | None,
) -> Page[Found]:
    """Return a page of a search; see `ConversationStore.search`."""
    place = ("search", owner.key, text)
    after = values_of(continuation, place, ending(float, str)) or AFTER_ALL
    wanted, like = places_in(text), _pattern(text)
    found: list[Found] = []
    looked = 0
    for updated, conversation_id, title, last, signed, bits in connection.execute(
        CONVERSATIONS, (owner.key, *after)
    ):
        hit = None
        if signed != last or may_hold(bits, wanted):
            hit = _hit(connection, owner, conversation_id, text, like)
            looked += last
        if hit is not None or place_of(text, title) is not None:
            conversation = conversation_in(connection, owner, conversation_id)
            found.append(Found(conversation, *(hit or (None, None))))
        if len(found) == limit or looked >= LOOKED_THROUGH:
            return Page(found, token(place, (updated, conversation_id)))
    return Page(found)


def _hit(
    connection: sqlite3.Connection,
    owner: PrincipalId,
    conversation_id: ConversationId,
    text: str,
    like: str,
) -> tuple[MessageId, str] | None:
    for message_id, document in connection.execute(MESSAGES, (owner.key, conversation_id, like)):
        said = excerpt(text, loads(document)["text"])
        if said is not None:
            return MessageId(message_id), said
    return None


def _pattern(text: str) -> str:
    """Return a pattern of every document that may hold a text, of one piece: two could be slow."""
    longest = max(_RUNS.findall(text), key=len, default="")
    return f"%{re.sub('[!%_]', lambda found: f'!{found.group()}', longest)}%"
