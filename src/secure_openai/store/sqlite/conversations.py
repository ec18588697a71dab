"""Conversations in SQLite."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import replace
from datetime import datetime

from secure_openai.errors import LegalHold, LimitReached, NotFound, PreconditionFailed
from secure_openai.store.continuation import token, values_of
from secure_openai.store.conversations import MOST_CONVERSATIONS, TOO_MANY, UNDO, Found
from secure_openai.store.documents import (
    conversation_document,
    conversation_of,
    dumps,
    loads,
    merged,
    new_etag,
    time_text,
)
from secure_openai.store.holds import KEPT
from secure_openai.store.sqlite.messages import SqliteMessages
from secure_openai.store.sqlite.rows import (
    NO_CONVERSATION,
    conversation_in,
    ending,
    stored_conversation,
)
from secure_openai.store.sqlite.search import found_in
from secure_openai.types import Conversation, ConversationId, Page, PrincipalId

BEFORE_ALL = (float("-inf"), "")
AFTER_ALL = (2, 0.0, "")
"""Behind every pinned one."""

COUNTED = "SELECT count(*) FROM conversation WHERE owner = ?"
HELD = "SELECT 1 FROM hold WHERE owner = ? AND conversation_id IN ('', ?)"
ENDED = (
    "SELECT owner, id FROM conversation WHERE discarded < ? AND NOT EXISTS (SELECT 1 FROM hold"
    " WHERE hold.owner = conversation.owner AND conversation_id IN ('', conversation.id)) LIMIT ?"
)


class SqliteConversationStore(SqliteMessages):
    """Implements `ConversationStore`."""

    async def create(
        self,
        owner: PrincipalId,
        *,
        title: str,
        titled: bool = True,
        most: int = MOST_CONVERSATIONS,
    ) -> Conversation:
        """Begin a conversation; without `titled`, its title is one for the time being."""
        now = self._clock()
        conversation = Conversation(
            id=ConversationId(secrets.token_urlsafe(16)),
            owner=owner,
            title=title,
            created=now,
            updated=now,
            titled=titled,
            etag=new_etag(),
        )

        def work(connection: sqlite3.Connection) -> None:
            (kept,) = connection.execute(COUNTED, (owner.key,)).fetchone()
            if kept >= most:
                raise LimitReached(TOO_MANY.format(most=most))
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
        self,
        owner: PrincipalId,
        *,
        limit: int = 50,
        continuation: str | None = None,
        discarded: bool = False,
    ) -> Page[Conversation]:
        """Return the owner's conversations, pinned ones first, each by its last update."""
        place = ("conversations", owner.key, discarded)
        after = values_of(continuation, place, ending(int, float, str)) or AFTER_ALL

        def work(connection: sqlite3.Connection) -> list[tuple[int, float, str, str, str]]:
            return connection.execute(
                "SELECT pinned, updated, id, etag, document FROM conversation"
                " WHERE owner = ? AND (discarded IS NULL) = ?"
                " AND (pinned, updated, id) < (?, ?, ?)"
                " ORDER BY pinned DESC, updated DESC, id DESC LIMIT ?",
                (owner.key, not discarded, *after, limit + 1),
            ).fetchall()

        rows = await self._database.read(work)
        items = [
            conversation_of(owner, conversation_id, etag, loads(document))
            for _, _, conversation_id, etag, document in rows[:limit]
        ]
        return Page(items, token(place, rows[limit - 1][:3]) if len(rows) > limit else None)

    async def search(
        self,
        owner: PrincipalId,
        text: str,
        *,
        limit: int = 20,
        continuation: str | None = None,
    ) -> Page[Found]:
        """Return the owner's conversations that hold a text, the last updated first."""

        def work(connection: sqlite3.Connection) -> Page[Found]:
            return found_in(connection, owner, text, limit=limit, continuation=continuation)

        return await self._database.read(work)

    async def get(self, owner: PrincipalId, conversation_id: ConversationId) -> Conversation:
        """Return one conversation."""

        def work(connection: sqlite3.Connection) -> Conversation:
            return conversation_in(connection, owner, conversation_id)

        return await self._database.read(work)

    async def change(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        etag: str,
        title: str | None = None,
        pinned: bool | None = None,
    ) -> Conversation:
        """Give a conversation another title, or pin it or not; what is `None` stays as it is."""

        def work(connection: sqlite3.Connection) -> Conversation:
            changed = conversation_in(connection, owner, conversation_id)
            if changed.etag != etag:
                raise PreconditionFailed
            if title is not None:
                changed = replace(changed, title=title, titled=True, updated=self._clock())
            if pinned is not None:
                changed = replace(changed, pinned=pinned)
            return _write(connection, changed)

        return await self._database.write(work)

    async def entitle(
        self, owner: PrincipalId, conversation_id: ConversationId, *, title: str
    ) -> Conversation | None:
        """Give a conversation a title that nobody wrote, unless somebody gave it one."""

        def work(connection: sqlite3.Connection) -> Conversation | None:
            stored = conversation_in(connection, owner, conversation_id)
            if stored.titled:
                return None
            titled = replace(stored, title=title, titled=True, updated=self._clock())
            return _write(connection, titled)

        return await self._database.write(work)

    async def discard(
        self, owner: PrincipalId, conversation_id: ConversationId, *, etag: str
    ) -> None:
        """Delete a conversation for its owner, who may take that back for `UNDO`."""

        def work(connection: sqlite3.Connection) -> None:
            stored = conversation_in(connection, owner, conversation_id)
            _refuse_held(connection, stored)
            if stored.etag != etag:
                raise PreconditionFailed
            _write(connection, replace(stored, discarded=self._clock()))

        await self._database.write(work)

    async def restore(self, owner: PrincipalId, conversation_id: ConversationId) -> Conversation:
        """Take a discarding back; a conversation that is not discarded is returned as it is."""

        def work(connection: sqlite3.Connection) -> Conversation:
            stored = stored_conversation(connection, owner, conversation_id)
            if stored.discarded is None:
                return stored
            if stored.discarded + UNDO <= self._clock():
                raise NotFound(NO_CONVERSATION)
            return _write(connection, replace(stored, discarded=None))

        return await self._database.write(work)

    async def delete(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        etag: str,
        unused_since: datetime | None = None,
    ) -> None:
        """Remove a conversation with all its messages, discarded or not, or nothing."""

        def work(connection: sqlite3.Connection) -> None:
            stored = stored_conversation(connection, owner, conversation_id)
            _refuse_held(connection, stored)
            if stored.etag != etag or (unused_since and stored.updated >= unused_since):
                raise PreconditionFailed
            _remove(connection, owner.key, conversation_id)

        await self._database.write(work)

    async def unused(
        self, *, since: datetime, limit: int = 100, continuation: str | None = None
    ) -> Page[Conversation]:
        """Return conversations of all owners that were not used since, oldest first."""
        place = ("unused",)
        after = values_of(continuation, place, ending(float, str)) or BEFORE_ALL

        def work(connection: sqlite3.Connection) -> list[tuple[float, str, str, str, str]]:
            return connection.execute(
                "SELECT updated, id, owner, etag, document FROM conversation"
                " WHERE updated < ? AND (updated, id) > (?, ?) AND discarded IS NULL"
                " ORDER BY updated, id LIMIT ?",
                (since.timestamp(), *after, limit + 1),
            ).fetchall()

        rows = await self._database.read(work)
        items = [
            conversation_of(PrincipalId.parse(owner), conversation_id, etag, loads(document))
            for _, conversation_id, owner, etag, document in rows[:limit]
        ]
        return Page(items, token(place, rows[limit - 1][:2]) if len(rows) > limit else None)

    async def finish_deletions(self, *, limit: int = 100) -> int:
        """Remove what was discarded longer ago than `UNDO`: a transaction leaves nothing else."""
        before = time_text(self._clock() - UNDO)

        def work(connection: sqlite3.Connection) -> int:
            found = connection.execute(ENDED, (before, limit)).fetchall()
            for owner, conversation_id in found:
                _remove(connection, owner, conversation_id)
            return len(found)

        return await self._database.write(work)


def _refuse_held(connection: sqlite3.Connection, conversation: Conversation) -> None:
    if connection.execute(HELD, (conversation.owner.key, conversation.id)).fetchone():
        raise LegalHold(KEPT)


def _remove(connection: sqlite3.Connection, owner: str, conversation_id: str) -> None:
    connection.execute(
        "DELETE FROM conversation WHERE owner = ? AND id = ?", (owner, conversation_id)
    )


def _write(connection: sqlite3.Connection, conversation: Conversation) -> Conversation:
    key = (conversation.owner.key, conversation.id)
    (stored,) = connection.execute(
        "SELECT document FROM conversation WHERE owner = ? AND id = ?", key
    ).fetchone()
    written = replace(conversation, etag=new_etag())
    connection.execute(
        "UPDATE conversation SET updated = ?, pinned = ?, discarded = ?, etag = ?, document = ?"
        " WHERE owner = ? AND id = ?",
        (
            written.updated.timestamp(),
            written.pinned,
            time_text(written.discarded),
            written.etag,
            dumps(merged(loads(stored), conversation_document(written))),
            *key,
        ),
    )
    return written
