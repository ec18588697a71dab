"""The messages of conversations in SQLite."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime

from secure_openai.errors import Conflict, NotFound, PreconditionFailed
from secure_openai.store.continuation import token, values_of
from secure_openai.store.conversations import FULL, MOST_SIBLINGS, End, Parent, Turn
from secure_openai.store.documents import (
    dumps,
    loads,
    merged,
    message_document,
    new_etag,
    time_text,
)
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.rows import (
    MESSAGE,
    NO_CONVERSATION,
    MessageRow,
    conversation_in,
    ending,
    message_in,
    message_row,
    stored_conversation,
)
from secure_openai.store.sqlite.signatures import sign, sign_again
from secure_openai.types import (
    Clock,
    ConversationId,
    Message,
    MessageId,
    Page,
    PrincipalId,
    utc_now,
)

OF = "owner = ? AND conversation_id = ?"
OLDEST_FIRST = (f"{MESSAGE} WHERE {OF} AND position > ? ORDER BY position LIMIT ?", 0)
NEWEST_FIRST = (
    f"{MESSAGE} WHERE {OF} AND position < ? ORDER BY position DESC LIMIT ?",
    2**63 - 1,
)
NEWEST = f"SELECT id FROM message WHERE {OF} ORDER BY position DESC LIMIT 1"
SIBLINGS = f"SELECT id FROM message WHERE {OF} AND parent = ? ORDER BY position"
# What follows was stored later, so this ends.
LEAF = (
    "WITH RECURSIVE follows (id, position) AS ("
    f" SELECT id, position FROM message WHERE {OF} AND id = ?"
    " UNION ALL SELECT message.id, message.position FROM follows, message"
    f" WHERE {OF} AND message.parent = follows.id)"
    " SELECT id FROM follows ORDER BY position DESC LIMIT 1"
)


class SqliteMessages:
    """Implements the part of `ConversationStore` that is about messages."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def append(
        self, owner: PrincipalId, *messages: Message, parent: Parent = End.NEWEST
    ) -> tuple[Message, ...]:
        """Store messages, each following the one before, and touch what they are of."""

        def work(connection: sqlite3.Connection) -> tuple[Message, ...]:
            last: dict[ConversationId, MessageId | None] = {}
            first: dict[ConversationId, int] = {}
            written = []
            for message in messages:
                mine = message.conversation_id
                position = _next_position(connection, owner, mine, self._clock())
                if mine not in last:
                    first[mine] = position
                    last[mine] = _checked_parent(connection, owner, mine, parent)
                one = replace(message, etag=new_etag(), parent=last[mine])
                _insert(connection, owner, position, one)
                last[mine] = one.id
                written.append(one)
            for mine, place in first.items():
                texts = [one.text for one in messages if one.conversation_id == mine]
                sign(connection, owner.key, mine, texts, first=place)
            return tuple(written)

        return await self._database.write(work)

    async def replace(self, owner: PrincipalId, message: Message) -> Message:
        """Write a message over itself, if its etag still stands; return it with its next."""

        def work(connection: sqlite3.Connection) -> Message:
            position, _, etag, parent, document = message_row(
                connection, owner, message.conversation_id, message.id
            )
            if etag != message.etag:
                raise PreconditionFailed
            written = replace(
                message, etag=new_etag(), parent=MessageId(parent) if parent else None
            )
            connection.execute(
                f"UPDATE message SET etag = ?, document = ? WHERE {OF} AND position = ?",
                (
                    written.etag,
                    dumps(merged(loads(document), message_document(written))),
                    owner.key,
                    message.conversation_id,
                    position,
                ),
            )
            known = str(loads(document)["text"])
            # Of an answer that grows only what is new, and the end of what it joins.
            new = written.text[max(0, len(known) - 2) :]
            said = new if written.text.startswith(known) else written.text
            sign_again(connection, owner.key, message.conversation_id, said, at=position)
            return written

        return await self._database.write(work)

    async def message(
        self, owner: PrincipalId, conversation_id: ConversationId, message_id: MessageId
    ) -> Message:
        """Return one message."""

        def work(connection: sqlite3.Connection) -> Message:
            row = message_row(connection, owner, conversation_id, message_id)
            return message_in(conversation_id, row)

        return await self._database.read(work)

    async def messages(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        limit: int = 100,
        continuation: str | None = None,
        newest_first: bool = False,
        discarded: bool = False,
    ) -> Page[Message]:
        """Return a conversation's messages in the order in which they were stored."""
        place = ("messages", owner.key, conversation_id, newest_first)
        after = values_of(continuation, place, ending(int))
        statement, begin = NEWEST_FIRST if newest_first else OLDEST_FIRST

        found = stored_conversation if discarded else conversation_in

        def work(connection: sqlite3.Connection) -> list[MessageRow]:
            found(connection, owner, conversation_id)
            return connection.execute(
                statement, (owner.key, conversation_id, *(after or (begin,)), limit + 1)
            ).fetchall()

        rows = await self._database.read(work)
        items = [message_in(conversation_id, row) for row in rows[:limit]]
        return Page(items, token(place, rows[limit - 1][:1]) if len(rows) > limit else None)

    async def branch(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        *,
        leaf: MessageId | None = None,
        limit: int = 100,
        continuation: str | None = None,
        siblings: bool = False,
    ) -> Page[Turn]:
        """Return the messages from `leaf` up to a first one, the last said first."""
        place = ("branch", owner.key, conversation_id)
        _, *following = values_of(continuation, place, ending(int, str)) or (0,)
        key = (owner.key, conversation_id)

        def work(connection: sqlite3.Connection) -> Page[Turn]:
            conversation_in(connection, owner, conversation_id)
            at = str(following[0]) if following else leaf or _newest(connection, *key) or ""
            turns: list[Turn] = []
            while at and len(turns) < limit:
                row = message_row(connection, owner, conversation_id, at)
                position, _, _, at, _ = row
                alike = connection.execute(SIBLINGS, (*key, at)).fetchall() if siblings else ()
                turns.append(
                    Turn(
                        message_in(conversation_id, row), tuple(MessageId(one) for (one,) in alike)
                    )
                )
            return Page(turns, token(place, (position, at)) if at else None)

        return await self._database.read(work)

    async def leaf(
        self, owner: PrincipalId, conversation_id: ConversationId, message_id: MessageId
    ) -> MessageId:
        """Return the newest of a message and all that follow it."""
        key = (owner.key, conversation_id)

        def work(connection: sqlite3.Connection) -> MessageId:
            message_row(connection, owner, conversation_id, message_id)
            (found,) = connection.execute(LEAF, (*key, message_id, *key)).fetchone()
            return MessageId(found)

        return await self._database.read(work)


def _newest(connection: sqlite3.Connection, owner: str, conversation_id: str) -> str | None:
    row = connection.execute(NEWEST, (owner, conversation_id)).fetchone()
    return None if row is None else str(row[0])


def _checked_parent(
    connection: sqlite3.Connection,
    owner: PrincipalId,
    conversation_id: ConversationId,
    parent: Parent,
) -> MessageId | None:
    if parent is End.NEWEST:
        newest = _newest(connection, owner.key, conversation_id)
        return None if newest is None else MessageId(newest)
    if parent is not None:
        message_row(connection, owner, conversation_id, parent)
    (count,) = connection.execute(
        f"SELECT count(*) FROM message WHERE {OF} AND parent = ?",
        (owner.key, conversation_id, parent or ""),
    ).fetchone()
    if count >= MOST_SIBLINGS:
        raise Conflict(FULL)
    return parent


def _next_position(
    connection: sqlite3.Connection,
    owner: PrincipalId,
    conversation_id: ConversationId,
    now: datetime,
) -> int:
    row: tuple[int] | None = connection.execute(
        "UPDATE conversation SET next_position = next_position + 1, updated = ?,"
        " document = json_set(document, '$.updated', ?)"
        " WHERE owner = ? AND id = ? AND discarded IS NULL RETURNING next_position - 1",
        (now.timestamp(), time_text(now), owner.key, conversation_id),
    ).fetchone()
    if row is None:
        raise NotFound(NO_CONVERSATION)
    return row[0]


def _insert(
    connection: sqlite3.Connection, owner: PrincipalId, position: int, message: Message
) -> None:
    connection.execute(
        "INSERT INTO message (owner, conversation_id, position, id, etag, parent, document)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            owner.key,
            message.conversation_id,
            position,
            message.id,
            message.etag,
            message.parent or "",
            dumps(message_document(message)),
        ),
    )
