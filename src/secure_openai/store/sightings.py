"""Who was seen here: the name and the roles with which each principal last came.

Names come from the identity provider and are for pages only. They go with an erasure, and by
themselves where somebody was not seen for long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from secure_openai.store.documents import VERSION, time_text
from secure_openai.types import JsonObject, Page, Principal, PrincipalId, PrincipalKind

DAYS_KEPT = 400
"""How long somebody who comes no more is remembered."""

LONGEST_SEARCH = 100


@dataclass(frozen=True, slots=True)
class Sighting:
    """A principal who was here.

    Attributes:
        principal: Who.
        kind: A person, an application, or a person who came through an application only.
        roles: The roles as the identity provider gave them at last sight.
        name: Display name, where one was given.
        username: `preferred_username`, where one was given.
        client_id: The client that they last came by, where there was one.
        first: When first seen, aware UTC.
        last: When last seen, to within an hour.
    """

    principal: PrincipalId
    kind: PrincipalKind
    roles: frozenset[str]
    name: str | None
    username: str | None
    client_id: str | None
    first: datetime
    last: datetime


class SightingStore(Protocol):
    """Keeps sightings. Each method raises `StoreError` when it cannot."""

    async def see(self, *principals: Principal, now: datetime) -> None:
        """Write down that principals, each named once, were seen; `last` only grows.

        Where it raises, some of them may be written down and others not.
        """
        ...

    async def get(self, principal: PrincipalId) -> Sighting | None:
        """Return a principal's sighting, or `None`."""
        ...

    async def list(
        self, *, search: str = "", limit: int = 50, continuation: str | None = None
    ) -> Page[Sighting]:
        """Return sightings, the latest first: those whose name, user name or id holds `search`.

        Raises:
            RequestError: `continuation` is not one that this store gave for this search.
        """
        ...

    async def erase(self, principal: PrincipalId) -> bool:
        """Forget a principal; return whether they had been seen."""
        ...

    async def purge(self, *, before: datetime) -> int:
        """Forget whoever was not seen since; return how many. For jobs."""
        ...


def seen(known: Sighting | None, principal: Principal, now: datetime) -> Sighting:
    """Return what is known of a principal once they were seen again."""
    fresh = Sighting(
        principal=principal.id,
        kind=principal.kind,
        roles=principal.roles,
        name=principal.name,
        username=principal.username,
        client_id=principal.client_id,
        first=now,
        last=now,
    )
    if known is None:
        return fresh
    first, last = min(known.first, now), max(known.last, now)
    if principal.kind is PrincipalKind.ON_BEHALF or now < known.last:
        # What an application shows of a person is less than what they show themselves.
        return replace(known, first=first, last=last)
    return replace(
        fresh,
        name=fresh.name or known.name,
        username=fresh.username or known.username,
        first=first,
        last=last,
    )


def searched_by(sighting: Sighting) -> str:
    """Return the text that is searched."""
    parts = (sighting.name, sighting.username, sighting.principal.oid)
    return "\n".join(part for part in parts if part).casefold()


def search_text(search: str) -> str:
    """Return what is searched for."""
    return search.strip()[:LONGEST_SEARCH].casefold()


def sighting_document(sighting: Sighting) -> JsonObject:
    """Return a sighting as stored."""
    return {
        "version": VERSION,
        "principal_kind": sighting.kind.value,
        "roles": sorted(sighting.roles),
        "name": sighting.name,
        "username": sighting.username,
        "client_id": sighting.client_id,
        "first": time_text(sighting.first),
        "last": time_text(sighting.last),
    }


def sighting_of(principal: PrincipalId, document: JsonObject) -> Sighting:
    """Return a stored sighting."""
    return Sighting(
        principal=principal,
        kind=PrincipalKind(document["principal_kind"]),
        roles=frozenset(document["roles"]),
        name=document["name"],
        username=document["username"],
        client_id=document["client_id"],
        first=datetime.fromisoformat(document["first"]),
        last=datetime.fromisoformat(document["last"]),
    )
