"""Conversations in SQLite."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import replace
from datetime import datetime

from secure_openai.errors import LegalHold, PreconditionFailed
from secure_openai.store.continuation import token, values_of
from secure_openai.store.documents import (
    conversation_document,
    conversation_of,
    dumps,
    loads,
    merged,
)
from secure_openai.store.holds import KEPT
from secure_openai.store.sqlite.messages import SqliteMessages
from secure_openai.store.sqlite.rows import conversation_in, new_etag, plausible
from secure_openai.types import Conversation, ConversationId, Page, PrincipalId

AFTER_ALL = (float("inf"), "")
BEFORE_ALL = (float("-inf"), "")


class SqliteConversationStore(SqliteMessages):
    """Implements `ConversationStore`."""

    async def create(self, owner: PrincipalId, *, title: str) -> Conversation:
        """Begin a conversation."""
        now = self._clock()
        conversation = Conversation(
            id=ConversationId(secrets.token_urlsafe(16)),
            owner=owner,
            title=title,
            created=now,
            updated=now,
            etag=new_etag(),
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
        after = values_of(continuation, place, plausible) or AFTER_ALL

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
            return conversation_in(connection, owner, conversation_id)

        return await self._database.read(work)

    async def rename(
        self, owner: PrincipalId, conversation_id: ConversationId, *, title: str, etag: str
    ) -> Conversation:
        """Change the title."""

        def work(connection: sqlite3.Connection) -> Conversation:
            stored = conversation_in(connection, owner, conversation_id)
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
            stored = conversation_in(connection, owner, conversation_id)
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
        after = values_of(continuation, place, plausible) or BEFORE_ALL

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


def _write(connection: sqlite3.Connection, conversation: Conversation) -> Conversation:
    key = (conversation.owner.key, conversation.id)
    (stored,) = connection.execute(
        "SELECT document FROM conversation WHERE owner = ? AND id = ?", key
    ).fetchone()
    written = replace(conversation, etag=new_etag())
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
