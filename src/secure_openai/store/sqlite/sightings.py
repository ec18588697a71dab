"""Sightings in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from secure_openai.store.continuation import token, values_of
from secure_openai.store.documents import dumps, loads, merged, time_text
from secure_openai.store.sightings import (
    Sighting,
    search_text,
    searched_by,
    seen,
    sighting_document,
    sighting_of,
)
from secure_openai.store.sqlite.connection import insert
from secure_openai.store.sqlite.database import Database
from secure_openai.types import JsonObject, Page, Principal, PrincipalId

LATEST = "9999"
"""After every time."""

SEEN_AGAIN = (
    " ON CONFLICT DO UPDATE SET"
    " last = excluded.last, searched = excluded.searched, document = excluded.document"
)


class SqliteSightingStore:
    """Implements `SightingStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def see(self, *principals: Principal, now: datetime) -> None:
        """Write down that principals were seen: one look and one write for all of them."""

        def work(connection: sqlite3.Connection) -> None:
            stored = _stored(connection, [one.id for one in principals])
            rows: list[tuple[str, str, str, str]] = []
            for one in principals:
                key = one.id.key
                before = stored.get(key)
                known = None if before is None else sighting_of(one.id, before)
                sighting = seen(known, one, now)
                document = merged(before or {}, sighting_document(sighting))
                rows.append((key, document["last"], searched_by(sighting), dumps(document)))
            # In the order of the keys: neighbours share a page.
            insert(connection, "sighting", sorted(rows), SEEN_AGAIN)

        # A power cut ends the process too, and the next one sees everybody for the first time.
        await self._database.write(work, waits=False)

    async def get(self, principal: PrincipalId) -> Sighting | None:
        """Return a principal's sighting, or `None`."""
        stored = await self._database.read(lambda connection: _stored(connection, [principal]))
        return sighting_of(principal, stored[principal.key]) if stored else None

    async def list(
        self, *, search: str = "", limit: int = 50, continuation: str | None = None
    ) -> Page[Sighting]:
        """Return sightings, the latest first."""
        text = search_text(search)
        place = ("sightings", text)
        after = values_of(continuation, place, _plausible) or (LATEST, "")
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT owner, last, document FROM sighting"
                " WHERE (last, owner) < (?, ?) AND instr(searched, ?)"
                " ORDER BY last DESC, owner DESC LIMIT ?",
                (*after, text, limit + 1),
            ).fetchall()
        )
        items = [
            sighting_of(PrincipalId.parse(owner), loads(document))
            for owner, _, document in rows[:limit]
        ]
        more = len(rows) > limit
        return Page(items, token(place, (rows[limit - 1][1], rows[limit - 1][0])) if more else None)

    async def erase(self, principal: PrincipalId) -> bool:
        """Forget a principal."""
        return await self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM sighting WHERE owner = ?", (principal.key,)
                ).rowcount
                > 0
            )
        )

    async def purge(self, *, before: datetime) -> int:
        """Forget whoever was not seen since."""
        return await self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM sighting WHERE last < ?", (time_text(before),)
                ).rowcount
            )
        )


def _stored(
    connection: sqlite3.Connection, principals: Sequence[PrincipalId]
) -> dict[str, JsonObject]:
    """Return the documents of those who were seen before, by their keys."""
    rows = connection.execute(
        "SELECT owner, document FROM sighting WHERE owner IN (SELECT value FROM json_each(?))",
        (json.dumps([one.key for one in principals]),),
    )
    return {owner: loads(document) for owner, document in rows}


def _plausible(values: list[object]) -> bool:
    """Return whether a page of sightings could end so: at a time and an owner."""
    return [type(value) for value in values] == [str, str]
