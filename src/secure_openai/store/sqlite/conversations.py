"""Conversations in SQLite."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import replace
from datetime import datetime

from secure_openai.errors import LegalHold, NotFound, PreconditionFailed
from secure_openai.store.continuation import token, values_of
from secure_openai.store.documents import (
    conversation_document,
    conversation_of,
    dumps,
    loads,
    merged,
    message_document,
    message_of,
    time_text,
)
from secure_openai.store.holds import KEPT
from secure_openai.store.sqlite.database import Database
from secure_openai.types import (
    Clock,
    Conversation,
    ConversationId,
    Message,
    MessageId,
    Page,
    PrincipalId,
    utc_now,
)

NO_CONVERSATION = "There is no such conversation."
NO_MESSAGE = "There is no such message."

AFTER_ALL = (float("inf"), "")
BEFORE_ALL = (float("-inf"), "")
OLDEST_FIRST = (
    "SELECT position, id, etag, document FROM message"
    " WHERE owner = ? AND conversation_id = ? AND position > ? ORDER BY position LIMIT ?",
    0,
)
NEWEST_FIRST = (
    "SELECT position, id, etag, document FROM message"
    " WHERE owner = ? AND conversation_id = ? AND position < ? ORDER BY position DESC LIMIT ?",
    2**63 - 1,
)


LARGEST_PLACE = 2**53
"""Beyond any time or place in a list."""


class SqliteConversationStore:
    """Implements `ConversationStore`."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def create(self, owner: PrincipalId, *, title: str) -> Conversation:
        """Begin a conversation."""
        now = self._clock()
        conversation = Conversation(
            id=ConversationId(secrets.token_urlsafe(16)),
            owner=owner,
            title=title,
            created=now,
            updated=now,
            etag=_etag(),
        )

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO conversation (owner, id, updated, etag, document)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    owner.key,
                    conversation.id,
                    now.timestamp(),
                    conversation.etag,
                    dumps(conversation_document(conversation)),
                ),
            )

        await self._database.write(work)
        return conversation

    async def list(
        self, owner: PrincipalId, *, limit: int = 50, continuation: str | None = None
    ) -> Page[Conversation]:
        """Return the owner's conversations, the most recently updated first."""
        place = ("conversations", owner.key)
        after = values_of(continuation, place, _plausible) or AFTER_ALL

        def work(connection: sqlite3.Connection) -> list[tuple[float, str, str, str]]:
            return connection.execute(
                "SELECT updated, id, etag, document FROM conversation"
                " WHERE owner = ? AND (updated, id) < (?, ?)"
                " ORDER BY updated DESC, id DESC LIMIT ?",
                (owner.key, *after, limit + 1),
            ).fetchall()

        rows = await self._database.read(work)
        items = [
            conversation_of(owner, conversation_id, etag, loads(document))
            for _, conversation_id, etag, document in rows[:limit]
        ]
        return Page(items, token(place, rows[limit - 1][:2]) if len(rows) > limit else None)

    async def get(self, owner: PrincipalId, conversation_id: ConversationId) -> Conversation:
        """Return one conversation."""

        def work(connection: sqlite3.Connection) -> Conversation:
            return _conversation(connection, owner, conversation_id)

        return await self._database.read(work)

    async def rename(
        self, owner: PrincipalId, conversation_id: ConversationId, *, title: str, etag: str
    ) -> Conversation:
        """Change the title."""

        def work(connection: sqlite3.Connection) -> Conversation:
            stored = _conversation(connection, owner, conversation_id)
            if stored.etag != etag:
                raise PreconditionFailed
            return _write(connection, replace(stored, title=title, updated=self._clock()))

        return await self._database.write(work)

    async def delete(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        etag: str,
        unused_since: datetime | None = None,
    ) -> None:
        """Remove a conversation with all its messages, or nothing."""

        def work(connection: sqlite3.Connection) -> None:
            stored = _conversation(connection, owner, conversation_id)
            if connection.execute(
                "SELECT 1 FROM hold WHERE owner = ? AND conversation_id IN ('', ?)",
                (owner.key, conversation_id),
            ).fetchone():
                raise LegalHold(KEPT)
            if stored.etag != etag or (unused_since and stored.updated >= unused_since):
                raise PreconditionFailed
            connection.execute(
                "DELETE FROM conversation WHERE owner = ? AND id = ?", (owner.key, conversation_id)
            )

        await self._database.write(work)

    async def unused(
        self, *, since: datetime, limit: int = 100, continuation: str | None = None
    ) -> Page[Conversation]:
        """Return conversations of all owners that were not used since, oldest first."""
        place = ("unused",)
        after = values_of(continuation, place, _plausible) or BEFORE_ALL

        def work(connection: sqlite3.Connection) -> list[tuple[float, str, str, str, str]]:
            return connection.execute(
                "SELECT updated, id, owner, etag, document FROM conversation"
                " WHERE updated < ? AND (updated, id) > (?, ?) ORDER BY updated, id LIMIT ?",
                (since.timestamp(), *after, limit + 1),
            ).fetchall()

        rows = await self._database.read(work)
        items = [
            conversation_of(PrincipalId.parse(owner), conversation_id, etag, loads(document))
            for _, conversation_id, owner, etag, document in rows[:limit]
        ]
        return Page(items, token(place, rows[limit - 1][:2]) if len(rows) > limit else None)

    async def finish_deletions(self, *, limit: int = 100) -> int:  # noqa: ARG002 - the interface's
        """Return 0: a transaction leaves nothing."""
        return 0

    async def append(self, owner: PrincipalId, *messages: Message) -> tuple[Message, ...]:
        """Store messages at the end of their conversation, all or none, and touch it."""

        def work(connection: sqlite3.Connection) -> tuple[Message, ...]:
            return tuple(_append(connection, owner, message, self._clock()) for message in messages)

        return await self._database.write(work)

    async def replace(self, owner: PrincipalId, message: Message) -> Message:
        """Write a message over itself, if its etag still stands; return it with its next."""

        def work(connection: sqlite3.Connection) -> Message:
            position, etag, document = _message_row(
                connection, owner, message.conversation_id, message.id
            )
            if etag != message.etag:
                raise PreconditionFailed
            written = replace(message, etag=_etag())
            connection.execute(
                "UPDATE message SET etag = ?, document = ?"
                " WHERE owner = ? AND conversation_id = ? AND position = ?",
                (
                    written.etag,
                    dumps(merged(loads(document), message_document(written))),
                    owner.key,
                    message.conversation_id,
                    position,
                ),
            )
            return written

        return await self._database.write(work)

    async def message(
        self, owner: PrincipalId, conversation_id: ConversationId, message_id: MessageId
    ) -> Message:
        """Return one message."""

        def work(connection: sqlite3.Connection) -> Message:
            _, etag, document = _message_row(connection, owner, conversation_id, message_id)
            return message_of(conversation_id, message_id, etag, loads(document))

        return await self._database.read(work)

    async def messages(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        limit: int = 100,
        continuation: str | None = None,
        newest_first: bool = False,
    ) -> Page[Message]:
        """Return a conversation's messages in the order in which they were stored."""
        place = ("messages", owner.key, conversation_id, newest_first)
        after = values_of(continuation, place, _plausible)
        statement, begin = NEWEST_FIRST if newest_first else OLDEST_FIRST

        def work(connection: sqlite3.Connection) -> list[tuple[int, str, str, str]]:
            _conversation(connection, owner, conversation_id)
            return connection.execute(
                statement, (owner.key, conversation_id, *(after or (begin,)), limit + 1)
            ).fetchall()

        rows = await self._database.read(work)
        items = [
            message_of(conversation_id, message_id, etag, loads(document))
            for _, message_id, etag, document in rows[:limit]
        ]
        return Page(items, token(place, rows[limit - 1][:1]) if len(rows) > limit else None)


def _etag() -> str:
    return secrets.token_hex(8)


def _conversation(
    connection: sqlite3.Connection, owner: PrincipalId, conversation_id: ConversationId
) -> Conversation:
    row = connection.execute(
        "SELECT etag, document FROM conversation WHERE owner = ? AND id = ?",
        (owner.key, conversation_id),
    ).fetchone()
    if row is None:
        raise NotFound(NO_CONVERSATION)
    return conversation_of(owner, conversation_id, row[0], loads(row[1]))


def _write(connection: sqlite3.Connection, conversation: Conversation) -> Conversation:
    key = (conversation.owner.key, conversation.id)
    (stored,) = connection.execute(
        "SELECT document FROM conversation WHERE owner = ? AND id = ?", key
    ).fetchone()
    written = replace(conversation, etag=_etag())
    connection.execute(
        "UPDATE conversation SET updated = ?, etag = ?, document = ? WHERE owner = ? AND id = ?",
        (
            written.updated.timestamp(),
            written.etag,
            dumps(merged(loads(stored), conversation_document(written))),
            *key,
        ),
    )
    return written


def _append(
    connection: sqlite3.Connection, owner: PrincipalId, message: Message, now: datetime
) -> Message:
    row = connection.execute(
        "UPDATE conversation SET next_position = next_position + 1, updated = ?,"
        " document = json_set(document, '$.updated', ?)"
        " WHERE owner = ? AND id = ? RETURNING next_position - 1",
        (now.timestamp(), time_text(now), owner.key, message.conversation_id),
    ).fetchone()
    if row is None:
        raise NotFound(NO_CONVERSATION)
    written = replace(message, etag=_etag())
    connection.execute(
        "INSERT INTO message (owner, conversation_id, position, id, etag, document)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            owner.key,
            message.conversation_id,
            row[0],
            message.id,
            written.etag,
            dumps(message_document(written)),
        ),
    )
    return written


def _message_row(
    connection: sqlite3.Connection,
    owner: PrincipalId,
    conversation_id: ConversationId,
    message_id: MessageId,
) -> tuple[int, str, str]:
    row: tuple[int, str, str] | None = connection.execute(
        "SELECT position, etag, document FROM message"
        " WHERE owner = ? AND conversation_id = ? AND id = ?",
        (owner.key, conversation_id, message_id),
    ).fetchone()
    if row is None:
        raise NotFound(NO_MESSAGE)
    return row


def _plausible(values: list[object]) -> bool:
    """Return whether values could be the ones that a page ends with: a time or a place, an id."""
    kinds = [type(value) for value in values]
    in_range = all(
        abs(value) < LARGEST_PLACE for value in values if isinstance(value, (int, float))
    )
    return in_range and kinds in ([float, str], [int, str], [int])
