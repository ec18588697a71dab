"""Rows of conversations and messages: found by their ids, or not there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeAlias

from secure_openai.errors import NotFound
from secure_openai.store.documents import conversation_of, loads, message_of
from secure_openai.types import Conversation, ConversationId, Message, MessageId, PrincipalId

NO_CONVERSATION = "There is no such conversation."
NO_MESSAGE = "There is no such message."

LARGEST_PLACE = 2**53
"""Beyond any time or place in a list."""

MESSAGE = "SELECT position, id, etag, parent, document FROM message"
MESSAGE_BY_ID = (
    f"{MESSAGE} WHERE owner = ?1 AND conversation_id = ?2 AND id = ?3 AND EXISTS"
    " (SELECT 1 FROM conversation WHERE owner = ?1 AND id = ?2 AND discarded IS NULL)"
)

MessageRow: TypeAlias = tuple[int, str, str, str, str]
"""Place, id, etag, parent (empty for none), document."""


def conversation_in(
    connection: sqlite3.Connection, owner: PrincipalId, conversation_id: ConversationId
) -> Conversation:
    """Return a conversation that is not discarded.

    Raises:
        NotFound: The owner has none of that id.
    """
    found = stored_conversation(connection, owner, conversation_id)
    if found.discarded is not None:
        raise NotFound(NO_CONVERSATION)
    return found


def stored_conversation(
    connection: sqlite3.Connection, owner: PrincipalId, conversation_id: ConversationId
) -> Conversation:
    """Return a conversation, discarded or not.

    Raises:
        NotFound: The owner has none of that id.
    """
    row = connection.execute(
        "SELECT etag, document FROM conversation WHERE owner = ? AND id = ?",
        (owner.key, conversation_id),
    ).fetchone()
    if row is None:
        raise NotFound(NO_CONVERSATION)
    return conversation_of(owner, conversation_id, row[0], loads(row[1]))


def message_row(
    connection: sqlite3.Connection,
    owner: PrincipalId,
    conversation_id: ConversationId,
    message_id: str,
) -> MessageRow:
    """Return a message's row.

    Raises:
        NotFound: The owner has no such message.
    """
    row: MessageRow | None = connection.execute(
        MESSAGE_BY_ID, (owner.key, conversation_id, message_id)
    ).fetchone()
    if row is None:
        raise NotFound(NO_MESSAGE)
    return row


def message_in(conversation_id: ConversationId, row: MessageRow) -> Message:
    """Return the message of a row."""
    _, message_id, etag, parent, document = row
    # The column knows also what a program appended that knew no branches.
    return message_of(
        conversation_id, MessageId(message_id), etag, {**loads(document), "parent": parent or None}
    )


def ending(*kinds: type[int] | type[float] | type[str]) -> Callable[[list[object]], bool]:
    """Return what says whether a page of a list could end with values: times, places, ids."""

    def plausible(values: list[object]) -> bool:
        if len(values) != len(kinds):
            return False
        return all(map(_of_kind, values, kinds))

    return plausible


def _of_kind(value: object, kind: type[int] | type[float] | type[str]) -> bool:
    if isinstance(value, (int, float)) and abs(value) >= LARGEST_PLACE:
        return False
    return type(value) is kind or (type(value) is int and kind is float)
