"""Texts that a person saves to use again: instructions, which steer answers, and prompts."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from secure_openai.store.personal import Bound, PersonalItem, PersonalKind, PersonalStore
from secure_openai.types import Clock, PrincipalId, utc_now

MOST = Bound(items=100)
"""How many of a kind a person keeps."""

NAME_CHARACTERS = 80
TEXT_CHARACTERS = 8_000
"""About 2,300 tokens of prose: what stands before every question is paid with every answer."""


@dataclass(frozen=True, slots=True)
class SavedText:
    """A text with a name.

    Attributes:
        id: Unguessable.
        name: What its owner calls it.
        text: The text.
        created: When it was saved first, aware UTC.
        changed: When it was last written.
        etag: Changes with every write.
    """

    id: str
    name: str
    text: str
    created: datetime
    changed: datetime
    etag: str


class SavedTexts:
    """A person's texts of each kind; each method raises what `PersonalStore` does."""

    def __init__(self, store: PersonalStore, *, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def list(self, owner: PrincipalId, kind: PersonalKind) -> Sequence[SavedText]:
        """Return all of a kind, by name."""
        page = await self._store.list(owner, kind, limit=MOST.items)
        return sorted(map(_text, page.items), key=lambda one: (one.name.casefold(), one.id))

    async def get(self, owner: PrincipalId, kind: PersonalKind, text_id: str) -> SavedText:
        """Return one."""
        return _text(await self._store.get(owner, kind, text_id))

    async def save(
        self, owner: PrincipalId, kind: PersonalKind, *, name: str, text: str
    ) -> SavedText:
        """Save one more."""
        now = self._clock()
        item = PersonalItem(
            owner=owner,
            kind=kind,
            id=secrets.token_urlsafe(16),
            document={"name": name, "text": text},
            created=now,
            changed=now,
        )
        return _text(await self._store.add(item, MOST))

    async def change(
        self,
        owner: PrincipalId,
        kind: PersonalKind,
        text_id: str,
        *,
        name: str,
        text: str,
        etag: str,
    ) -> SavedText:
        """Write one over itself."""
        item = await self._store.get(owner, kind, text_id)
        written = {**item.document, "name": name, "text": text}
        changed = replace(item, document=written, changed=self._clock(), etag=etag)
        return _text(await self._store.change(changed))

    async def remove(
        self, owner: PrincipalId, kind: PersonalKind, text_id: str, *, etag: str
    ) -> None:
        """Remove one."""
        await self._store.remove(owner, kind, text_id, etag=etag)


def _text(item: PersonalItem) -> SavedText:
    return SavedText(
        id=item.id,
        name=item.document["name"],
        text=item.document["text"],
        created=item.created,
        changed=item.changed,
        etag=item.etag,
    )
