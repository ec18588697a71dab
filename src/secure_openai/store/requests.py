"""What principals ask to be done with their data: an export of it, or its erasure.

A request is carried out by a job. Of each kind a principal has one that is open; whoever asks again
is given that one.
"""

from __future__ import annotations

import enum
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from secure_openai.store.blobs import folder_of
from secure_openai.store.documents import VERSION, new_etag, time_of, time_text
from secure_openai.types import JsonObject, PrincipalId

DUE_AT_ONCE = 10_000
"""Requests that a run takes on: those that are held, or wait for counts to age, are among them."""

NO_REQUEST = "There is no such request."


class RequestKind(enum.StrEnum):
    """What is asked for."""

    EXPORT = "export"
    ERASURE = "erasure"


class RequestState(enum.StrEnum):
    """How a request stands."""

    ASKED = "asked"
    HELD = "held"
    ERASED = "erased"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"

    @property
    def open(self) -> bool:
        """Return whether there is still something to do for it."""
        return self in {RequestState.ASKED, RequestState.HELD, RequestState.ERASED}


@dataclass(frozen=True, slots=True)
class DataRequest:
    """A request.

    Attributes:
        id: Unguessable.
        kind: What is asked for.
        principal: Whose data.
        by: Who asked: they themselves, or an administrator.
        asked: When, aware UTC. What came later is not touched.
        state: `asked`; `held` where a legal hold stands in the way; `erased` where only counts are
            left that quota still needs; `done`; `failed` where it cannot be done; `expired` where
            an export is gone again.
        changed: When the state was written.
        reason: One sentence, where the state needs one.
        expires: When what was made for it goes.
        etag: Changes with every write.
    """

    id: str
    kind: RequestKind
    principal: PrincipalId
    by: PrincipalId
    asked: datetime
    state: RequestState
    changed: datetime
    reason: str | None = None
    expires: datetime | None = None
    etag: str = ""


class RequestStore(Protocol):
    """Keeps requests. Each method raises `StoreError` when it cannot."""

    async def ask(
        self, principal: PrincipalId, kind: RequestKind, *, by: PrincipalId, now: datetime
    ) -> DataRequest:
        """Store a request, or return the principal's open one of this kind."""
        ...

    async def get(self, principal: PrincipalId, request_id: str) -> DataRequest:
        """Return one request.

        Raises:
            NotFound: The principal has none of that id.
        """
        ...

    async def list(self, principal: PrincipalId) -> Sequence[DataRequest]:
        """Return a principal's requests, the newest first."""
        ...

    async def change(self, request: DataRequest) -> DataRequest:
        """Write a request over itself, also when it was asked; return it with its next etag.

        Raises:
            NotFound: It is gone.
            PreconditionFailed: It was written since its etag was read.
        """
        ...

    async def due(self, *, now: datetime, limit: int = DUE_AT_ONCE) -> Sequence[DataRequest]:
        """Return requests that are open, or whose `expires` has come; it asks every partition."""
        ...

    async def purge(self, *, before: datetime) -> int:
        """Drop requests that ended before; return how many. It asks every partition."""
        ...


def export_name(request: DataRequest) -> str:
    """Return the name of what was made for a request."""
    return f"{folder_of(request.principal)}{request.id}.json"


def new_request(
    principal: PrincipalId, kind: RequestKind, by: PrincipalId, now: datetime
) -> DataRequest:
    """Return a request that was just asked for."""
    return DataRequest(
        id=secrets.token_urlsafe(16),
        kind=kind,
        principal=principal,
        by=by,
        asked=now,
        state=RequestState.ASKED,
        changed=now,
        etag=new_etag(),
    )


def request_document(request: DataRequest) -> JsonObject:
    """Return a request as stored."""
    return {
        "version": VERSION,
        "request": request.kind.value,
        "by": request.by.key,
        "asked": time_text(request.asked),
        "state": request.state.value,
        "changed": time_text(request.changed),
        "reason": request.reason,
        "expires": time_text(request.expires),
    }


KINDS = frozenset(one.value for one in RequestKind)
STATES = frozenset(one.value for one in RequestState)


def is_known(document: JsonObject) -> bool:
    """Return whether this program knows what was asked: a later one may let people ask for more."""
    return document["request"] in KINDS


def is_ours(document: JsonObject) -> bool:
    """Return whether this program can go on with a request: not from a state of a later one."""
    return is_known(document) and document["state"] in STATES


def request_of(
    principal: PrincipalId, request_id: str, etag: str, document: JsonObject
) -> DataRequest:
    """Return a stored request; a state that only a later program knows is `asked` to us."""
    state = document["state"]
    return DataRequest(
        id=request_id,
        kind=RequestKind(document["request"]),
        principal=principal,
        by=PrincipalId.parse(document["by"]),
        asked=datetime.fromisoformat(document["asked"]),
        state=RequestState(state) if state in STATES else RequestState.ASKED,
        changed=datetime.fromisoformat(document["changed"]),
        reason=document["reason"],
        expires=time_of(document["expires"]),
        etag=etag,
    )
