"""Sessions and pending sign-ins in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from secure_openai.store.documents import dumps, loads, merged, time_text
from secure_openai.store.session_documents import (
    session_document,
    session_of,
    sign_in_document,
    sign_in_of,
)
from secure_openai.store.sessions import PendingSignIn, Session
from secure_openai.store.sqlite.database import Database
from secure_openai.types import Clock, JsonObject, Principal, PrincipalId, utc_now

MOST_PENDING = 10_000
"""Sign-ins under way that are remembered at once."""


class SqliteSessionStore:
    """Implements `SessionStore`."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def begin_sign_in(self, pending: PendingSignIn) -> None:
        """Remember a pending sign-in."""
        document = sign_in_document(pending)

        def work(connection: sqlite3.Connection) -> None:
            # Whoever only begins sign-ins cannot fill the disk: the expired go, then the oldest.
            connection.execute(
                "DELETE FROM pending_sign_in WHERE expires <= ?", (self._clock().timestamp(),)
            )
            connection.execute(
                "DELETE FROM pending_sign_in WHERE state_hash IN (SELECT state_hash"
                " FROM pending_sign_in ORDER BY expires DESC LIMIT -1 OFFSET ?)",
                (MOST_PENDING - 1,),
            )
            connection.execute(
                "INSERT INTO pending_sign_in VALUES (?, ?, ?)",
                (pending.state_hash, pending.expires.timestamp(), dumps(document)),
            )

        await self._database.write(work)

    async def take_sign_in(self, state_hash: str, *, now: datetime) -> PendingSignIn | None:
        """Return a pending sign-in and forget it, in one step."""

        def work(connection: sqlite3.Connection) -> tuple[float, str] | None:
            row: tuple[float, str] | None = connection.execute(
                "DELETE FROM pending_sign_in WHERE state_hash = ? RETURNING expires, document",
                (state_hash,),
            ).fetchone()
            return row

        row = await self._database.write(work)
        if row is None or row[0] <= now.timestamp():
            return None
        expires = datetime.fromtimestamp(row[0], tz=UTC)
        return sign_in_of(state_hash, expires, loads(row[1]))

    async def put(self, session: Session) -> None:
        """Store a session under its `id_hash`."""
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?)",
                    (
                        session.id_hash,
                        session.principal.id.key,
                        session.last_seen.timestamp(),
                        session.expires.timestamp(),
                        dumps(session_document(session)),
                    ),
                ).rowcount
            )
        )

    async def get(self, id_hash: str) -> Session | None:
        """Return the session, expired or not, or `None`."""
        stored = await self._database.read(lambda connection: _stored(connection, id_hash))
        return None if stored is None else session_of(id_hash, stored)

    async def touch(self, id_hash: str, *, last_seen: datetime) -> None:
        """Record use."""
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE session SET last_seen = ?,"
                    " document = json_set(document, '$.last_seen', ?) WHERE id_hash = ?",
                    (last_seen.timestamp(), time_text(last_seen), id_hash),
                ).rowcount
            )
        )

    async def update_roles(
        self,
        id_hash: str,
        principal: Principal,
        *,
        roles_checked: datetime,
        refresh_token: str | None,
    ) -> bool:
        """Record what the identity provider confirmed; return whether the session was there."""

        def work(connection: sqlite3.Connection) -> bool:
            stored = _stored(connection, id_hash)
            if stored is None:
                return False
            written = replace(
                session_of(id_hash, stored),
                principal=principal,
                roles_checked=roles_checked,
                refresh_token=refresh_token,
            )
            connection.execute(
                "UPDATE session SET document = ? WHERE id_hash = ?",
                (dumps(merged(stored, session_document(written))), id_hash),
            )
            return True

        return await self._database.write(work)

    async def delete(self, id_hash: str) -> None:
        """End a session."""
        await self._database.write(
            lambda connection: (
                connection.execute("DELETE FROM session WHERE id_hash = ?", (id_hash,)).rowcount
            )
        )

    async def revoke(self, principal: PrincipalId) -> int:
        """End every session of a principal at once."""
        return await self._database.write(
            lambda connection: (
                connection.execute("DELETE FROM session WHERE owner = ?", (principal.key,)).rowcount
            )
        )

    async def of(self, principal: PrincipalId) -> Sequence[Session]:
        """Return a principal's sessions, oldest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT id_hash, document FROM session WHERE owner = ?", (principal.key,)
            ).fetchall()
        )
        found = [session_of(id_hash, loads(document)) for id_hash, document in rows]
        return sorted(found, key=lambda session: session.created)

    async def purge(self, *, now: datetime, idle_since: datetime) -> int:
        """Drop what has ended."""

        def work(connection: sqlite3.Connection) -> int:
            connection.execute("DELETE FROM pending_sign_in WHERE expires <= ?", (now.timestamp(),))
            return connection.execute(
                "DELETE FROM session WHERE expires <= ? OR last_seen < ?",
                (now.timestamp(), idle_since.timestamp()),
            ).rowcount

        return await self._database.write(work)


def _stored(connection: sqlite3.Connection, id_hash: str) -> JsonObject | None:
    row = connection.execute(
        "SELECT document FROM session WHERE id_hash = ?", (id_hash,)
    ).fetchone()
    return None if row is None else loads(row[0])
