"""Notes in Cosmos DB: items of one partition, which whoever creates first has created."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress

from secure_openai.errors import AlreadyStored, NotFound, OutcomeUnknown
from secure_openai.store.cosmos.contention import TryAgain, until_decided
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.documents import VERSION
from secure_openai.store.quota import DAYS_KEPT
from secure_openai.types import JsonObject

NOTES = "notes"
"""The partition. A principal's key has a slash, so it is nobody's."""


class CosmosNoteStore:
    """Implements `NoteStore`."""

    def __init__(self, database: CosmosDatabase) -> None:
        self._container = database.container("principals")

    async def note(self, name: str) -> bool:
        """Note a name; return whether it was not noted yet."""
        item: JsonObject = {
            "id": _key(name),
            "principal": NOTES,
            "kind": "note",
            "note": name,
            "by": secrets.token_hex(8),
            "version": VERSION,
            "ttl": DAYS_KEPT * 86_400,
        }

        async def attempt() -> bool:
            try:
                await self._container.create(item)
            except OutcomeUnknown as error:
                raise TryAgain(error) from error
            except AlreadyStored:
                stored = await self._container.read_latest(item["id"], NOTES)
                # An attempt before may have stored it, and nobody said so.
                return stored is not None and stored["by"] == item["by"]
            return True

        return await until_decided(attempt)

    async def forget(self, name: str) -> None:
        """Drop a note."""
        with suppress(NotFound):
            await self._container.delete(_key(name), NOTES)


def _key(name: str) -> str:
    # A name may hold what an id may not.
    return f"note.{hashlib.sha256(name.encode()).hexdigest()}"
