"""Totals of usage in Cosmos DB, by day, principal and deployment.

What a principal used lies in their partition: of the last days in their ledgers, of older ones in
items of a day each. `roll_up` copies both into *totals*, which lie together in a partition for each
day, so that whoever reads a day asks one partition. Every number only grows, and a total is the
largest of what was read: it does not matter how often, by how many or in which order they are
written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from secure_openai.errors import AlreadyStored, NotFound
from secure_openai.store.continuation import token, values_of
from secure_openai.store.cosmos.container import ETAG, Container
from secure_openai.store.cosmos.contention import contended, until_decided
from secure_openai.store.cosmos.ledger import TTL_SECONDS, days_in, without_days
from secure_openai.store.documents import VERSION
from secure_openai.store.quota import Windows
from secure_openai.store.usage import UsageDay
from secure_openai.types import JsonObject, Page, PrincipalId

ROLLED_UP = timedelta(days=14)
"""How far back a roll-up looks: so long the job may have been away."""

MOST = 100_000
"""Ledgers and days that one call reads."""

MINE = "SELECT * FROM c WHERE c.principal = @principal AND (c.kind = 'ledger' OR c.kind = 'day')"
ALL_LEDGERS = "SELECT * FROM c WHERE c.kind = 'ledger'"
ALL_DAYS = "SELECT * FROM c WHERE c.kind = 'day' AND c.day >= @since"
DAY = (
    "SELECT * FROM c WHERE c.principal = @principal AND c.kind = 'total' AND c.id > @after"
    " ORDER BY c.id"
)
TOTALS_OF = "SELECT * FROM c WHERE c.kind = 'total' AND c.owner = @owner AND c.day <= @until"


class Totals:
    """Reads, rolls up and erases what was used."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def of(self, principal: PrincipalId) -> Sequence[UsageDay]:
        """Return what a principal used, by day and deployment."""
        return _days(await self._kept(principal))

    async def _kept(self, principal: PrincipalId) -> list[JsonObject]:
        return await self._container.query(
            MINE, {"principal": principal.key}, partition=principal.key, limit=MOST
        )

    async def roll_up(self, now: datetime) -> int:
        """Write the totals that have grown; return how many."""
        since = Windows.of(now - ROLLED_UP).day
        found = await self._container.query(ALL_LEDGERS, {}, limit=MOST)
        found += await self._container.query(ALL_DAYS, {"since": since}, limit=MOST)
        used = [one for one in _days(found) if one.day >= since]
        written = 0
        for label in sorted({one.day for one in used}):
            known = {total["id"]: total for total in await self._of_day(label, "", MOST)}
            for one in used:
                if one.day == label and _grown(known.get(_key(one)), one) is not None:
                    written += await self._write(one)
        return written

    async def _write(self, one: UsageDay) -> bool:
        async def attempt() -> bool:
            stored = await self._container.read_latest(_key(one), _partition(one.day))
            item = _grown(stored, one)
            if item is None:
                return False
            with contended(AlreadyStored, NotFound):
                if stored is None:
                    await self._container.create(item)
                else:
                    await self._container.replace(item, etag=stored[ETAG])
            return True

        return await until_decided(attempt)

    async def day(self, day: str, *, limit: int, continuation: str | None) -> Page[UsageDay]:
        """Return the totals of a day."""
        place = ("usage", day)
        (after,) = values_of(continuation, place, _plausible) or ("",)
        found = await self._of_day(day, str(after), limit + 1)
        items = [_total(item) for item in found[:limit]]
        last = token(place, (found[limit - 1]["id"],)) if len(found) > limit else None
        return Page(items, last)

    async def _of_day(self, day: str, after: str, limit: int) -> list[JsonObject]:
        return await self._container.query(
            DAY,
            {"principal": _partition(day), "after": after},
            partition=_partition(day),
            limit=limit,
        )

    async def erase(self, principal: PrincipalId, until: str) -> int:
        """Drop a principal's totals, days and what ledgers say of them; return how many."""
        erased = 0
        totals = await self._container.query(
            TOTALS_OF, {"owner": principal.key, "until": until}, limit=MOST
        )
        for total in totals:
            erased += await self._removed(total["id"], total["principal"])
        for item in await self._kept(principal):
            if item["kind"] == "ledger":
                erased += await self._shortened(item["id"], principal, until)
            elif item["day"] <= until:
                erased += await self._removed(item["id"], principal.key)
        return erased

    async def _removed(self, item_id: str, partition: str) -> bool:
        try:
            await self._container.delete(item_id, partition)
        except NotFound:
            return False
        return True

    async def _shortened(self, item_id: str, principal: PrincipalId, until: str) -> bool:
        async def attempt() -> bool:
            ledger = await self._container.read_latest(item_id, principal.key)
            if ledger is None:
                return False
            shorter = without_days(ledger, until)
            left = any(lease["days"] for lease in shorter["leases"].values())
            if left and shorter == ledger:
                return False
            with contended(NotFound):
                if left:
                    await self._container.replace(shorter, etag=ledger[ETAG])
                else:
                    # Whoever has it in mind reads it anew, and begins another.
                    await self._container.delete(item_id, principal.key, etag=ledger[ETAG])
            return True

        return await until_decided(attempt)


def _days(items: Iterable[JsonObject]) -> list[UsageDay]:
    """Return what ledgers and items of days say, the larger where both speak of a day."""
    days: dict[tuple[str, str, str], UsageDay] = {}
    for item in items:
        owner, deployment = item["principal"], item["deployment"]
        if item["kind"] == "ledger":
            said = [
                (label, claim.requests, claim.settled, claim.prompt)
                for label, claim in days_in(item).items()
            ]
        else:
            said = [(item["day"], item["requests"], item["tokens"], item.get("prompt", 0))]
        for label, requests, tokens, prompt in said:
            one = UsageDay(
                PrincipalId.parse(owner), deployment, label, requests, prompt, tokens - prompt
            )
            key = (label, owner, deployment)
            days[key] = _larger(days[key], one) if key in days else one
    return [days[key] for key in sorted(days) if days[key].requests]


def _larger(one: UsageDay, other: UsageDay) -> UsageDay:
    return UsageDay(
        one.principal,
        one.deployment,
        one.day,
        max(one.requests, other.requests),
        max(one.prompt_tokens, other.prompt_tokens),
        max(one.completion_tokens, other.completion_tokens),
    )


def _partition(day: str) -> str:
    # A principal's key has a slash, so this is nobody's.
    return f"day.{day}"


def _key(one: UsageDay) -> str:
    of = f"{one.principal.key}\n{one.deployment}"
    return f"total.{hashlib.sha256(of.encode()).hexdigest()[:32]}"


def _grown(stored: JsonObject | None, one: UsageDay) -> JsonObject | None:
    """Return the item to write, or `None` where what is stored says as much."""
    larger = one if stored is None else _larger(_total(stored), one)
    if stored is not None and larger == _total(stored):
        return None
    return {
        **(stored or {}),
        "id": _key(one),
        "principal": _partition(one.day),
        "kind": "total",
        "owner": one.principal.key,
        "deployment": one.deployment,
        "day": one.day,
        "version": max((stored or {}).get("version", VERSION), VERSION),
        "ttl": TTL_SECONDS,
        "requests": larger.requests,
        "prompt": larger.prompt_tokens,
        "completion": larger.completion_tokens,
    }


def _total(item: JsonObject) -> UsageDay:
    return UsageDay(
        PrincipalId.parse(item["owner"]),
        item["deployment"],
        item["day"],
        item["requests"],
        item["prompt"],
        item["completion"],
    )


def _plausible(values: list[object]) -> bool:
    """Return whether a page of totals could end so: at an item."""
    return len(values) == 1 and isinstance(values[0], str)
