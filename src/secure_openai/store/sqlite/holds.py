"""Legal holds in SQLite: a deletion looks at them in its own transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from secure_openai.store.documents import dumps, loads
from secure_openai.store.holds import Hold, hold_document, hold_of
from secure_openai.store.sqlite.database import Database
from secure_openai.types import ConversationId, PrincipalId


class SqliteHoldStore:
    """Implements `HoldStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def place(self, hold: Hold) -> Hold:
        """Place a hold, or return the one that stands."""
        key = (hold.principal.key, hold.conversation or "")

        def work(connection: sqlite3.Connection) -> str:
            connection.execute(
                "INSERT INTO hold VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (*key, dumps(hold_document(hold))),
            )
            (document,) = connection.execute(
                "SELECT document FROM hold WHERE owner = ? AND conversation_id = ?", key
            ).fetchone()
            return str(document)

        stored = await self._database.write(work)
        return hold_of(hold.principal, hold.conversation or "", loads(stored))

    async def lift(self, principal: PrincipalId, conversation: ConversationId | None) -> bool:
        """Lift a hold; return whether there was one."""
        return await self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM hold WHERE owner = ? AND conversation_id = ?",
                    (principal.key, conversation or ""),
                ).rowcount
                > 0
            )
        )

    async def of(self, principal: PrincipalId) -> Sequence[Hold]:
        """Return what is held of a principal, everything first."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT conversation_id, document FROM hold WHERE owner = ?"
                " ORDER BY conversation_id",
                (principal.key,),
            ).fetchall()
        )
        return [hold_of(principal, one, loads(document)) for one, document in rows]

    async def all(self, *, limit: int = 1000) -> Sequence[Hold]:
        """Return the holds of at most `limit` principals, by principal."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT owner, conversation_id, document FROM hold WHERE owner IN"
                " (SELECT DISTINCT owner FROM hold ORDER BY owner LIMIT ?)"
                " ORDER BY owner, conversation_id",
                (limit,),
            ).fetchall()
        )
        return [hold_of(PrincipalId.parse(owner), one, loads(text)) for owner, one, text in rows]
