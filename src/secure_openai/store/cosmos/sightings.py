"""Sightings in Cosmos DB: one item in each principal's partition of `principals`.

`changed` holds the time and the principal, so that no two items have the same and a list can go on
after any of them.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from secure_openai.errors import AlreadyStored, NotFound
from secure_openai.store.continuation import token, values_of
from secure_openai.store.cosmos.container import ETAG
from secure_openai.store.cosmos.contention import contended, until_decided
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.purge import purged
from secure_openai.store.documents import merged, time_text
from secure_openai.store.sightings import (
    DAYS_KEPT,
    Sighting,
    search_text,
    searched_by,
    seen,
    sighting_document,
    sighting_of,
)
from secure_openai.types import JsonObject, Page, Principal, PrincipalId

KEY = "sighting"

LATEST = "9999"
"""After every time."""


LISTED = "SELECT * FROM c WHERE c.kind = 'sighting' AND c.changed < @after ORDER BY c.changed DESC"
FOUND = (
    "SELECT * FROM c WHERE c.kind = 'sighting' AND c.changed < @after"
    " AND CONTAINS(c.searched, @text) ORDER BY c.changed DESC"
)
OLD = "SELECT * FROM c WHERE c.kind = 'sighting' AND c.changed < @before"


class CosmosSightingStore:
    """Implements `SightingStore`."""

    def __init__(self, database: CosmosDatabase) -> None:
        self._container = database.container("principals")

    async def see(self, *principals: Principal, now: datetime) -> None:
        """Write down that principals were seen: each has a partition of its own."""
        ended = await asyncio.gather(
            *(self._see(one, now) for one in principals), return_exceptions=True
        )
        for failure in ended:
            if failure is not None:
                raise failure

    async def _see(self, principal: Principal, now: datetime) -> None:
        async def attempt() -> None:
            stored = await self._container.read_latest(KEY, principal.id.key)
            known = None if stored is None else sighting_of(principal.id, stored)
            item = _item(seen(known, principal, now))
            with contended(AlreadyStored, NotFound):
                if stored is None:
                    await self._container.create(item)
                else:
                    await self._container.replace(merged(stored, item), etag=stored[ETAG])

        await until_decided(attempt)

    async def get(self, principal: PrincipalId) -> Sighting | None:
        """Return a principal's sighting, or `None`."""
        stored = await self._container.read_latest(KEY, principal.key)
        return None if stored is None else sighting_of(principal, stored)

    async def list(
        self, *, search: str = "", limit: int = 50, continuation: str | None = None
    ) -> Page[Sighting]:
        """Return sightings, the latest first; it asks every partition."""
        text = search_text(search)
        place = ("sightings", text)
        (after,) = values_of(continuation, place, _plausible) or (LATEST,)
        values = {"after": after} | ({"text": text} if text else {})
        found = await self._container.query(FOUND if text else LISTED, values, limit=limit + 1)
        items = [sighting_of(PrincipalId.parse(item["principal"]), item) for item in found[:limit]]
        more = len(found) > limit
        return Page(items, token(place, (found[limit - 1]["changed"],)) if more else None)

    async def erase(self, principal: PrincipalId) -> bool:
        """Forget a principal."""
        try:
            await self._container.delete(KEY, principal.key)
        except NotFound:
            return False
        return True

    async def purge(self, *, before: datetime) -> int:
        """Forget whoever was not seen since."""
        return await purged(self._container, OLD, before=before)


def _item(sighting: Sighting) -> JsonObject:
    return {
        "id": KEY,
        "principal": sighting.principal.key,
        "kind": "sighting",
        "changed": f"{time_text(sighting.last)} {sighting.principal.key}",
        "searched": searched_by(sighting),
        "ttl": DAYS_KEPT * 86_400,
        **sighting_document(sighting),
    }


def _plausible(values: list[object]) -> bool:
    """Return whether a page of sightings could end so: at what its last item is sorted by."""
    return len(values) == 1 and isinstance(values[0], str)
