"""Requests of principals in Cosmos DB: each in its principal's partition of `principals`.

Beside an open request lies a *marker* of its kind, which is made and removed in the same batch as
the request is made and ends: so one of a kind is open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from operator import itemgetter

from secure_openai.errors import AlreadyStored, NotFound, PreconditionFailed
from secure_openai.store.cosmos.container import ETAG, Create, Delete, Operation, Replace
from secure_openai.store.cosmos.contention import contended, until_decided
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.purge import purged
from secure_openai.store.documents import merged, new_etag, time_text
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
from secure_openai.types import JsonObject, PrincipalId

MOST = 1000
"""Requests of one principal that are listed."""


LISTED = "SELECT * FROM c WHERE c.principal = @principal AND c.kind = 'request'"
DUE = "SELECT * FROM c WHERE c.kind = 'request' AND (c.open = true OR c.expires <= @now)"
ENDED = (
    "SELECT * FROM c WHERE c.kind = 'request' AND c.open = false AND c.expires = null"
    " AND c.changed < @before"
)

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,128}")


class CosmosRequestStore:
    """Implements `RequestStore`."""

    def __init__(self, database: CosmosDatabase) -> None:
        self._container = database.container("principals")

    async def ask(
        self, principal: PrincipalId, kind: RequestKind, *, by: PrincipalId, now: datetime
    ) -> DataRequest:
        """Store a request, or return the open one."""
        request = new_request(principal, kind, by, now)
        key = _marker_key(kind)
        marker = {
            "id": key,
            "principal": principal.key,
            "kind": "marker",
            "request": request.id,
        }

        async def attempt() -> DataRequest:
            found = await self._container.read_latest(key, principal.key)
            if found is not None:
                with contended(NotFound):
                    return await self.get(principal, found["request"])
            with contended(AlreadyStored):
                await self._container.batch(principal.key, [Create(marker), Create(_item(request))])
            return request

        return await until_decided(attempt)

    async def get(self, principal: PrincipalId, request_id: str) -> DataRequest:
        """Return one request."""
        item = None
        if _IDENTIFIER.fullmatch(request_id):
            item = await self._container.read_latest(_key(request_id), principal.key)
        if item is None or not is_known(item):
            raise NotFound(NO_REQUEST)
        return _request(item)

    async def list(self, principal: PrincipalId) -> Sequence[DataRequest]:
        """Return a principal's requests, the newest first."""
        found = await self._container.query(
            LISTED, {"principal": principal.key}, partition=principal.key, limit=MOST
        )
        newest = sorted(found, key=itemgetter("asked"), reverse=True)
        return [_request(item) for item in newest if is_known(item)]

    async def change(self, request: DataRequest) -> DataRequest:
        """Write a request over itself."""
        written = replace(request, etag=new_etag())

        async def attempt() -> DataRequest:
            stored = await self._container.read_latest(_key(request.id), request.principal.key)
            if stored is None:
                raise NotFound(NO_REQUEST)
            if stored["etag"] == written.etag:
                return written
            if stored["etag"] != request.etag:
                raise PreconditionFailed
            operations: list[Operation] = [Replace(merged(stored, _item(written)), stored[ETAG])]
            if stored["open"] and not written.state.open:
                operations.append(Delete(_marker_key(request.kind)))
            with contended(NotFound):
                await self._container.batch(request.principal.key, operations)
            return written

        return await until_decided(attempt)

    async def due(self, *, now: datetime, limit: int = DUE_AT_ONCE) -> Sequence[DataRequest]:
        """Return requests that are open, or whose `expires` has come."""
        found = await self._container.query(DUE, {"now": time_text(now)}, limit=limit)
        oldest = sorted(found, key=itemgetter("asked"))
        return [_request(item) for item in oldest if is_ours(item)]

    async def purge(self, *, before: datetime) -> int:
        """Drop requests that ended before."""
        return await purged(self._container, ENDED, before=before)


def _key(request_id: str) -> str:
    return f"request.{request_id}"


def _marker_key(kind: RequestKind) -> str:
    return f"open.{kind.value}"


def _item(request: DataRequest) -> JsonObject:
    return {
        "id": _key(request.id),
        "principal": request.principal.key,
        "kind": "request",
        "open": request.state.open,
        "etag": request.etag,
        **request_document(request),
    }


def _request(item: JsonObject) -> DataRequest:
    request_id = str(item["id"]).partition(".")[2]
    return request_of(PrincipalId.parse(item["principal"]), request_id, item["etag"], item)
