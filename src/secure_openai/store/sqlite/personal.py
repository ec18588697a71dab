"""What principals keep beside their conversations, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from secure_openai.errors import (
    AlreadyStored,
    LegalHold,
    LimitReached,
    NotFound,
    PreconditionFailed,
)
from secure_openai.store.continuation import Place, token, values_of
from secure_openai.store.documents import dumps, loads, merged, new_etag
from secure_openai.store.holds import KEPT
from secure_openai.store.personal import (
    ELSEWHERE,
    NO_CONVERSATION,
    NO_ITEM,
    Bound,
    PersonalItem,
    PersonalKind,
    personal_document,
    personal_of,
)
from secure_openai.store.sqlite.database import Database
from secure_openai.types import ConversationId, Page, PrincipalId

COLUMNS = "owner, kind, id, conversation_id, expires, etag, document"
Row = tuple[str, str, str, str | None, float | None, str, str]

_BEFORE_ALL = (float("-inf"), "", "")


class SqlitePersonalStore:
    """Implements `PersonalStore`.

    What a deletion does to the items of its conversation is a trigger: see `schema`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, item: PersonalItem, bound: Bound | None = None) -> PersonalItem:
        """Store an item; return it with its etag."""
        written = replace(item, etag=new_etag())

        def work(connection: sqlite3.Connection) -> None:
            if written.conversation is not None:
                _require_conversation(connection, written.owner, written.conversation)
            if bound is not None:
                (items, size) = connection.execute(
                    "SELECT count(*), coalesce(sum(size), 0) FROM personal"
                    " WHERE owner = ? AND kind = ?",
                    (written.owner.key, written.kind),
                ).fetchone()
                if not bound.leaves_room_for(items + 1, size + written.size):
                    raise LimitReached(bound.in_words(written.kind))
            added = connection.execute(
                "INSERT INTO personal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    written.owner.key,
                    written.kind,
                    written.id,
                    written.conversation,
                    written.changed.timestamp(),
                    written.expires and written.expires.timestamp(),
                    written.size,
                    written.etag,
                    dumps(personal_document(written)),
                ),
            ).rowcount
            if not added:
                raise AlreadyStored

        await self._database.write(work)
        return written

    async def get(self, owner: PrincipalId, kind: PersonalKind, item_id: str) -> PersonalItem:
        """Return one item."""
        return await self._database.read(lambda connection: _item(connection, owner, kind, item_id))

    async def list(
        self,
        owner: PrincipalId,
        kind: PersonalKind,
        *,
        conversation: ConversationId | None = None,
        limit: int = 100,
        continuation: str | None = None,
    ) -> Page[PersonalItem]:
        """Return an owner's items of a kind, in the order in which they were last written."""
        within = "" if conversation is None else " AND conversation_id = ?"
        return await self._page(
            ("personal", owner.key, kind, conversation),
            f"owner = ? AND kind = ?{within}",
            (owner.key, kind, *([] if conversation is None else [conversation])),
            limit=limit,
            continuation=continuation,
        )

    async def change(self, item: PersonalItem) -> PersonalItem:
        """Write what an item says over itself, if its etag still stands."""

        def work(connection: sqlite3.Connection) -> PersonalItem:
            stored = _item(connection, item.owner, item.kind, item.id)
            _require_free(connection, stored)
            if stored.etag != item.etag:
                raise PreconditionFailed
            return _write(
                connection,
                replace(
                    item,
                    created=stored.created,
                    conversation=stored.conversation,
                    size=stored.size,
                ),
            )

        return await self._database.write(work)

    async def bind(
        self,
        owner: PrincipalId,
        kind: PersonalKind,
        item_ids: Sequence[str],
        conversation: ConversationId,
        *,
        now: datetime,
    ) -> Sequence[PersonalItem]:
        """Let items go with a conversation from here on, all or none."""

        def work(connection: sqlite3.Connection) -> list[PersonalItem]:
            _require_conversation(connection, owner, conversation)
            bound = []
            for item_id in item_ids:
                item = _item(connection, owner, kind, item_id)
                if item.expires is not None and item.expires <= now:
                    raise NotFound(NO_ITEM)
                if item.conversation not in {None, conversation}:
                    raise PreconditionFailed(ELSEWHERE)
                if item.conversation is None or item.expires is not None:
                    item = _write(
                        connection, replace(item, conversation=conversation, expires=None)
                    )
                bound.append(item)
            return bound

        return await self._database.write(work)

    async def remove(
        self, owner: PrincipalId, kind: PersonalKind, item_id: str, *, etag: str | None = None
    ) -> None:
        """Remove an item; with an etag, only one that still has it."""

        def work(connection: sqlite3.Connection) -> None:
            stored = _item(connection, owner, kind, item_id)
            _require_free(connection, stored)
            if etag is not None and stored.etag != etag:
                raise PreconditionFailed
            connection.execute(
                "DELETE FROM personal WHERE owner = ? AND kind = ? AND id = ?",
                (owner.key, kind, item_id),
            )

        await self._database.write(work)

    async def written(
        self, kind: PersonalKind, day: str, *, limit: int = 100, continuation: str | None = None
    ) -> Page[PersonalItem]:
        """Return items of all owners that were last written on a UTC day, oldest first."""
        begins = datetime.fromisoformat(day).replace(tzinfo=UTC)
        return await self._page(
            ("written", kind, day),
            "kind = ? AND changed >= ? AND changed < ?",
            (kind, begins.timestamp(), (begins + timedelta(days=1)).timestamp()),
            limit=limit,
            continuation=continuation,
        )

    async def due(
        self,
        kind: PersonalKind,
        *,
        now: datetime,
        limit: int = 100,
        owner: PrincipalId | None = None,
    ) -> Sequence[PersonalItem]:
        """Return items whose time has come: of one owner, or of all."""
        whose = "" if owner is None else " AND owner = ?"
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {COLUMNS} FROM personal WHERE kind = ? AND expires <= ?{whose}"
                " ORDER BY expires LIMIT ?",
                (kind, now.timestamp(), *([] if owner is None else [owner.key]), limit),
            ).fetchall()
        )
        return [_of(row) for row in rows]

    async def _page(
        self,
        place: Place,
        where: str,
        values: tuple[object, ...],
        *,
        limit: int,
        continuation: str | None,
    ) -> Page[PersonalItem]:
        after = values_of(continuation, place, _plausible) or _BEFORE_ALL
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {COLUMNS}, changed FROM personal WHERE {where}"
                " AND (changed, owner, id) > (?, ?, ?) ORDER BY changed, owner, id LIMIT ?",
                (*values, *after, limit + 1),
            ).fetchall()
        )
        more = len(rows) > limit
        items = [_of(row[:-1]) for row in rows[:limit]]
        if not more:
            return Page(items)
        last = items[-1]
        return Page(items, token(place, (rows[limit - 1][-1], last.owner.key, last.id)))


def _of(row: Row) -> PersonalItem:
    owner, kind, item_id, conversation, expires, etag, document = row
    item = personal_of(PrincipalId.parse(owner), PersonalKind(kind), item_id, etag, loads(document))
    # The columns know better: a trigger writes them, and no document.
    return replace(
        item,
        conversation=None if conversation is None else ConversationId(conversation),
        expires=None if expires is None else datetime.fromtimestamp(expires, UTC),
    )


def _item(
    connection: sqlite3.Connection, owner: PrincipalId, kind: PersonalKind, item_id: str
) -> PersonalItem:
    row = connection.execute(
        f"SELECT {COLUMNS} FROM personal WHERE owner = ? AND kind = ? AND id = ?",
        (owner.key, kind, item_id),
    ).fetchone()
    if row is None:
        raise NotFound(NO_ITEM)
    return _of(row)


def _write(connection: sqlite3.Connection, item: PersonalItem) -> PersonalItem:
    written = replace(item, etag=new_etag())
    key = (written.owner.key, written.kind, written.id)
    (stored,) = connection.execute(
        "SELECT document FROM personal WHERE owner = ? AND kind = ? AND id = ?", key
    ).fetchone()
    connection.execute(
        "UPDATE personal SET conversation_id = ?, changed = ?, expires = ?, etag = ?, document = ?"
        " WHERE owner = ? AND kind = ? AND id = ?",
        (
            written.conversation,
            written.changed.timestamp(),
            written.expires and written.expires.timestamp(),
            written.etag,
            dumps(merged(loads(stored), personal_document(written))),
            *key,
        ),
    )
    return written


def _require_conversation(
    connection: sqlite3.Connection, owner: PrincipalId, conversation: ConversationId
) -> None:
    if not connection.execute(
        "SELECT 1 FROM conversation WHERE owner = ? AND id = ?", (owner.key, conversation)
    ).fetchone():
        raise NotFound(NO_CONVERSATION)


def _require_free(connection: sqlite3.Connection, item: PersonalItem) -> None:
    """Return if no legal hold covers an item."""
    if connection.execute(
        "SELECT 1 FROM hold WHERE owner = ? AND conversation_id IN ('', ?)",
        (item.owner.key, item.conversation),
    ).fetchone():
        raise LegalHold(KEPT)


def _plausible(values: list[object]) -> bool:
    """Return whether a page could end so: at a time, an owner and an id."""
    return [type(value) for value in values] == [float, str, str]
