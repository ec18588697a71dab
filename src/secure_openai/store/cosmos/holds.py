"""Legal holds in Cosmos DB: one item an owner, in the partition of the owner's conversations.

A deletion looks at the item and writes it again, as it was, in the batch that deletes: by its etag
one of the two fails where a hold is placed meanwhile. So the item is made by an owner's first
deletion, and stays.

That a principal may have holds is noted in a partition of its own before the first is placed, so
that whoever lists all asks one partition, and then each principal that is noted there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from secure_openai.errors import AlreadyStored, NotFound
from secure_openai.store.cosmos.container import ETAG, Create, Operation, Replace
from secure_openai.store.cosmos.contention import contended, until_decided
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.documents import VERSION
from secure_openai.store.holds import Hold, hold_document, hold_of
from secure_openai.types import ConversationId, JsonObject, PrincipalId

HOLDS = "holds"
"""The id of the item in its owner's partition."""

EVERYTHING = ""
"""What stands in the item in the place of a conversation where everything is held."""

NOTED = "holds"
"""The partition of the notes. A principal's key has a slash, so it is nobody's."""

ALL = "SELECT * FROM c WHERE c.principal = @principal AND c.kind = 'held'"


class CosmosHoldStore:
    """Implements `HoldStore`."""

    def __init__(self, database: CosmosDatabase) -> None:
        self._container = database.container("conversations")
        self._notes = database.container("principals")

    async def place(self, hold: Hold) -> Hold:
        """Place a hold, or return the one that stands."""
        named = hold.conversation or EVERYTHING
        await self._notes.upsert(_note(hold.principal))

        async def attempt() -> Hold:
            item = await self._container.read_latest(HOLDS, hold.principal.key)
            holds = (item or blank(hold.principal))["holds"]
            if named in holds:
                return hold_of(hold.principal, named, holds[named])
            await self._write(hold.principal, item, {**holds, named: hold_document(hold)})
            return hold

        return await until_decided(attempt)

    async def lift(self, principal: PrincipalId, conversation: ConversationId | None) -> bool:
        """Lift a hold; return whether there was one."""
        named = conversation or EVERYTHING
        found = False

        async def attempt() -> bool:
            nonlocal found
            item = await self._container.read_latest(HOLDS, principal.key)
            if item is None or named not in item["holds"]:
                return found
            found = True
            left = {one: document for one, document in item["holds"].items() if one != named}
            await self._write(principal, item, left)
            return True

        return await until_decided(attempt)

    async def _write(
        self, principal: PrincipalId, item: JsonObject | None, holds: JsonObject
    ) -> None:
        with contended(AlreadyStored, NotFound):
            if item is None:
                await self._container.create({**blank(principal), "holds": holds})
            else:
                await self._container.replace({**item, "holds": holds}, etag=item[ETAG])

    async def of(self, principal: PrincipalId) -> Sequence[Hold]:
        """Return what is held of a principal, everything first."""
        return _holds_in(await self._container.read_latest(HOLDS, principal.key))

    async def all(self, *, limit: int = 1000) -> Sequence[Hold]:
        """Return the holds of at most `limit` principals, by principal."""
        notes = await self._notes.query(ALL, {"principal": NOTED}, partition=NOTED, limit=limit)
        owners = sorted(PrincipalId.parse(note["owner"]) for note in notes)
        return [hold for owner in owners for hold in await self.of(owner)]


def blank(owner: PrincipalId) -> JsonObject:
    """Return an item that holds nothing."""
    return {"id": HOLDS, "owner": owner.key, "kind": "holds", "version": VERSION, "holds": {}}


def covered(item: JsonObject | None, conversation: str) -> bool:
    """Return whether an owner's holds cover a conversation."""
    holds = (item or {"holds": {}})["holds"]
    return EVERYTHING in holds or conversation in holds


def unchanged(item: JsonObject | None, owner: PrincipalId) -> Operation:
    """Return what fails a batch if an owner's holds are no longer as they were read."""
    return Create(blank(owner)) if item is None else Replace(item, item[ETAG])


def _note(owner: PrincipalId) -> JsonObject:
    return {
        "id": f"held.{hashlib.sha256(owner.key.encode()).hexdigest()}",
        "principal": NOTED,
        "kind": "held",
        "owner": owner.key,
        "version": VERSION,
    }


def _holds_in(item: JsonObject | None) -> list[Hold]:
    if item is None:
        return []
    owner = PrincipalId.parse(item["owner"])
    return [hold_of(owner, one, item["holds"][one]) for one in sorted(item["holds"])]
