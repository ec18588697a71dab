"""Rows of conversations and messages: found by their ids, or not there."""

from __future__ import annotations

import secrets
import sqlite3
from typing import TypeAlias

from secure_openai.errors import NotFound
from secure_openai.store.documents import conversation_of, loads, message_of
from secure_openai.types import Conversation, ConversationId, Message, MessageId, PrincipalId

NO_CONVERSATION = "There is no such conversation."
NO_MESSAGE = "There is no such message."

LARGEST_PLACE = 2**53
"""Beyond any time or place in a list."""

MESSAGE = "SELECT position, id, etag, parent, document FROM message"
MESSAGE_BY_ID = f"{MESSAGE} WHERE owner = ? AND conversation_id = ? AND id = ?"

MessageRow: TypeAlias = tuple[int, str, str, str, str]
"""Place, id, etag, parent (empty for none), document."""


def new_etag() -> str:
    """Return an etag that no other write has."""
    return secrets.token_hex(8)


def conversation_in(
    connection: sqlite3.Connection, owner: PrincipalId, conversation_id: ConversationId
) -> Conversation:
    """Return a conversation.

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


def plausible(values: list[object]) -> bool:
    """Return whether values could be the ones that a page ends with: a time or a place, an id."""
    kinds = [type(value) for value in values]
    in_range = all(
        abs(value) < LARGEST_PLACE for value in values if isinstance(value, (int, float))
    )
    return in_range and kinds in ([float, str], [int, str], [int])
