"""Tallies in Cosmos DB: in the partition of each day an item for each chain that counts there.

An item says up to which record of its chain it counts, so that a record that comes again is passed
over. How far a chain has been counted as a whole is written last, in a partition of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from itertools import groupby

from secure_openai.errors import AlreadyStored, NotFound
from secure_openai.store.cosmos.container import ETAG
from secure_openai.store.cosmos.contention import contended, until_decided
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.documents import VERSION
from secure_openai.store.quota import DAYS_KEPT
from secure_openai.store.tallies import LOOKBACK, Counted, Tally, TallyKind, added_up
from secure_openai.types import JsonObject

REACHED = "tallied"
"""The partition of how far chains were counted: nobody's, as a principal's key has a slash."""

MOST = 10_000
"""Chains that are read at once."""

AT_ONCE = 8
"""Days that are asked for at the same time."""

IN_PARTITION = "SELECT * FROM c WHERE c.principal = @principal AND c.kind = @kind"


class CosmosTallyStore:
    """Implements `TallyStore`."""

    def __init__(self, database: CosmosDatabase) -> None:
        self._container = database.container("usage")

    async def reached(self) -> Mapping[str, int]:
        """Return by chain up to which record it has been counted."""
        found = await self._of(REACHED, "tallied")
        return {item["chain"]: item["upto"] for item in found}

    async def _of(self, partition: str, kind: str) -> list[JsonObject]:
        return await self._container.query(
            IN_PARTITION, {"principal": partition, "kind": kind}, partition=partition, limit=MOST
        )

    async def add(self, chain: str, counted: Sequence[Counted], *, upto: int) -> None:
        """Add what the records of a chain up to `upto` add; each record counts once."""
        by_day = sorted(counted, key=lambda one: (one.tally.day, one.sequence))
        for day, of_day in groupby(by_day, key=lambda one: one.tally.day):
            await until_decided(partial(self._add, chain, day, list(of_day), upto))
        await until_decided(lambda: self._reach(chain, upto))

    async def _add(self, chain: str, day: str, counted: list[Counted], upto: int) -> None:
        key, where = f"tally.{chain}", _partition(day)
        stored = await self._container.read_latest(key, where)
        before = stored["upto"] if stored else 0
        if before >= upto:
            return
        more = (one.tally for one in counted if one.sequence > before)
        added = added_up([*_tallies(stored), *more])
        await self._write(
            stored,
            {
                "id": key,
                "principal": where,
                "kind": "tally",
                "day": day,
                "version": VERSION,
                "ttl": DAYS_KEPT * 86_400,
                "upto": upto,
                "tallies": [
                    [
                        *(one.kind.value, one.name, one.deployment),
                        *(one.requests, one.prompt_tokens, one.completion_tokens),
                    ]
                    for one in added.values()
                ],
            },
        )

    async def _reach(self, chain: str, upto: int) -> None:
        key = f"tallied.{chain}"
        stored = await self._container.read_latest(key, REACHED)
        if stored and stored["upto"] >= upto:
            return
        await self._write(
            stored,
            {
                "id": key,
                "principal": REACHED,
                "kind": "tallied",
                "version": VERSION,
                "ttl": 2 * int(LOOKBACK.total_seconds()),
                "chain": chain,
                "upto": upto,
            },
        )

    async def _write(self, stored: JsonObject | None, item: JsonObject) -> None:
        with contended(AlreadyStored, NotFound):
            if stored is None:
                await self._container.create(item)
            else:
                await self._container.replace({**stored, **item}, etag=stored[ETAG])

    async def days(self, first: str, last: str) -> Sequence[Tally]:
        """Return the tallies of the UTC days from `first` to `last`."""
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
        labels = [
            (begin + timedelta(days=number)).isoformat() for number in range((end - begin).days + 1)
        ]
        found: list[Tally] = []
        for at in range(0, len(labels), AT_ONCE):
            asked = (self._of(_partition(day), "tally") for day in labels[at : at + AT_ONCE])
            for items in await asyncio.gather(*asked):
                found += [one for item in items for one in _tallies(item)]
        return [one for _, one in sorted(added_up(found).items())]


def _partition(day: str) -> str:
    return f"day.{day}"


def _tallies(item: JsonObject | None) -> list[Tally]:
    if item is None:
        return []
    return [Tally(item["day"], TallyKind(kind), *rest) for kind, *rest in item["tallies"]]
