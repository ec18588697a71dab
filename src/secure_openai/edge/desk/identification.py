"""Which principal is meant by what an administrator writes: a whole name, a user name or an id."""

from __future__ import annotations

import re

from starlette.requests import Request

from secure_openai.edge.authentication import assembly_of
from secure_openai.errors import RequestError
from secure_openai.types import PrincipalId

MOST_NAMES = 200
"""Sightings that hold a text and are looked at for one that is called so."""

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_OBJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


async def identified(request: Request, text: str) -> PrincipalId:
    """Return the principal that is meant, who need not have been here yet if it is an id.

    What looks like an object id or a user name is one, whatever somebody calls themselves.

    Raises:
        RequestError: Nobody is called so, or several are.
        StoreError: Names cannot be looked up.
    """
    assembly, said = assembly_of(request), text.strip()
    tid, slash, oid = said.partition("/")
    if not slash:
        tid, oid = assembly.settings.tenant_id, said
        if not _GUID.fullmatch(said) and (found := await _called(request, said)):
            return found
    if not _OBJECT_ID.fullmatch(oid) or not _OBJECT_ID.fullmatch(tid):
        raise RequestError(
            "Nobody who was seen here is called so: write a whole name, a user name, an object id, "
            "or tenant/object id."
        )
    return PrincipalId(tid, oid)


async def _called(request: Request, said: str) -> PrincipalId | None:
    page = await assembly_of(request).sightings.list(search=said, limit=MOST_NAMES)
    named = {
        one.principal
        for one in page.items
        for name in ((one.username,) if "@" in said else (one.name, one.username))
        if name is not None and name.casefold() == said.casefold()
    }
    if len(named) > 1:
        raise RequestError("Several are called so: write the user name or the object id of one.")
    return next(iter(named), None)
