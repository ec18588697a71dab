"""Requests of principals in SQLite: an index lets one of a kind be open."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from secure_openai.errors import NotFound, PreconditionFailed
from secure_openai.store.documents import dumps, loads, merged, new_etag
from secure_openai.store.requests import (
    DUE_AT_ONCE,
    NO_REQUEST,
    DataRequest,
    RequestKind,
    is_known,
    is_ours,
    new_request,
    request_document,
    request_of,
)
from secure_openai.store.sqlite.database import Database
from secure_openai.types import PrincipalId

COLUMNS = "owner, id, etag, document"


class SqliteRequestStore:
    """Implements `RequestStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(
        self, principal: PrincipalId, kind: RequestKind, *, by: PrincipalId, now: datetime
    ) -> DataRequest:
        """Store a request, or return the open one."""
        request = new_request(principal, kind, by, now)

        def work(connection: sqlite3.Connection) -> DataRequest:
            connection.execute(
                "INSERT INTO request VALUES (?, ?, ?, 1, ?, ?, NULL, ?, ?) ON CONFLICT DO NOTHING",
                (
                    principal.key,
                    request.id,
                    kind.value,
                    now.timestamp(),
                    now.timestamp(),
                    request.etag,
                    dumps(request_document(request)),
                ),
            )
            row = connection.execute(
                f"SELECT {COLUMNS} FROM request WHERE owner = ? AND kind = ? AND open = 1",
                (principal.key, kind.value),
            ).fetchone()
            return _request(row)

        return await self._database.write(work)

    async def get(self, principal: PrincipalId, request_id: str) -> DataRequest:
        """Return one request."""
        row = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {COLUMNS} FROM request WHERE owner = ? AND id = ?",
                (principal.key, request_id),
            ).fetchone()
        )
        if row is None or not is_known(loads(row[3])):
            raise NotFound(NO_REQUEST)
        return _request(row)

    async def list(self, principal: PrincipalId) -> Sequence[DataRequest]:
        """Return a principal's requests, the newest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {COLUMNS} FROM request WHERE owner = ? ORDER BY asked DESC, id",
                (principal.key,),
            ).fetchall()
        )
        return [_request(row) for row in rows if is_known(loads(row[3]))]

    async def change(self, request: DataRequest) -> DataRequest:
        """Write a request over itself."""
        written = replace(request, etag=new_etag())
        key = (request.principal.key, request.id)

        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                "SELECT etag, document FROM request WHERE owner = ? AND id = ?", key
            ).fetchone()
            if row is None:
                raise NotFound(NO_REQUEST)
            if row[0] != request.etag:
                raise PreconditionFailed
            connection.execute(
                "UPDATE request SET open = ?, asked = ?, changed = ?, expires = ?, etag = ?,"
                " document = ? WHERE owner = ? AND id = ?",
                (
                    int(written.state.open),
                    written.asked.timestamp(),
                    written.changed.timestamp(),
                    written.expires and written.expires.timestamp(),
                    written.etag,
                    dumps(merged(loads(row[1]), request_document(written))),
                    *key,
                ),
            )

        await self._database.write(work)
        return written

    async def due(self, *, now: datetime, limit: int = DUE_AT_ONCE) -> Sequence[DataRequest]:
        """Return requests that are open, or whose `expires` has come."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {COLUMNS} FROM request WHERE open = 1 OR expires <= ?"
                " ORDER BY asked, id LIMIT ?",
                (now.timestamp(), limit),
            ).fetchall()
        )
        return [_request(row) for row in rows if is_ours(loads(row[3]))]

    async def purge(self, *, before: datetime) -> int:
        """Drop requests that ended before."""
        return await self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM request WHERE open = 0 AND expires IS NULL AND changed < ?",
                    (before.timestamp(),),
                ).rowcount
            )
        )


def _request(row: tuple[str, str, str, str]) -> DataRequest:
    owner, request_id, etag, document = row
    return request_of(PrincipalId.parse(owner), request_id, etag, loads(document))
