"""What every `SightingStore` promises; subclass it and provide the fixture `store`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from secure_openai.errors import RequestError
from secure_openai.store.sightings import Sighting, SightingStore
from secure_openai.types import Principal, PrincipalId, PrincipalKind

NOW = datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANNA = Principal(
    PrincipalId("tenant", "anna"),
    PrincipalKind.PERSON,
    frozenset({"user", "admin"}),
    "Anna Müller",
    "anna@contoso.example",
)


def person(number: int) -> Principal:
    """Return somebody."""
    return replace(
        ANNA,
        id=PrincipalId("tenant", f"oid-{number:02d}"),
        name=f"Person {number:02d} <b>%_",
        username=None,
    )


class SightingStoreContract:
    """The promises of `SightingStore`."""

    async def test_nobody_was_seen(self, store: SightingStore) -> None:
        """Who was not here is unknown, and a continuation of another list is refused."""
        assert await store.get(ANNA.id) is None
        assert (await store.list()).items == []
        assert not await store.erase(ANNA.id)
        for number in range(3):
            await store.see(person(number), now=NOW)
        page = await store.list(limit=1)
        for search, continuation in (("x", page.continuation), ("", "nonsense")):
            with pytest.raises(RequestError):
                await store.list(search=search, continuation=continuation)

    async def test_it_comes_back(self, store: SightingStore) -> None:
        """A sighting says who, with which roles, when first and when last."""
        await store.see(ANNA, now=NOW)
        await store.see(replace(ANNA, roles=frozenset({"user"}), name=None), now=NOW + HOUR)

        assert await store.get(ANNA.id) == Sighting(
            principal=ANNA.id,
            kind=PrincipalKind.PERSON,
            roles=frozenset({"user"}),
            name="Anna Müller",
            username="anna@contoso.example",
            client_id=None,
            first=NOW,
            last=NOW + HOUR,
        )

    async def test_an_application_shows_less(self, store: SightingStore) -> None:
        """Who comes through an application keeps what they showed themselves."""
        through = Principal(ANNA.id, PrincipalKind.ON_BEHALF, frozenset({"user"}), client_id="app")
        await store.see(through, now=NOW)
        first = await store.get(ANNA.id)
        assert first is not None
        assert (first.kind, first.client_id) == (PrincipalKind.ON_BEHALF, "app")
        await store.see(ANNA, now=NOW + HOUR)
        await store.see(through, now=NOW + 2 * HOUR)

        found = await store.get(ANNA.id)
        assert found is not None
        assert (found.kind, found.roles, found.last) == (
            PrincipalKind.PERSON, ANNA.roles, NOW + 2 * HOUR,
        )  # fmt: skip

    async def test_seen_at_once(self, store: SightingStore) -> None:
        """Of many who write at once none fails, and the latest stands."""
        await asyncio.gather(
            *(store.see(ANNA, now=NOW + number * HOUR) for number in (3, 1, 5, 2, 4))
        )

        found = await store.get(ANNA.id)
        assert found is not None
        assert (found.first, found.last) == (NOW + HOUR, NOW + 5 * HOUR)

    async def test_many_together(self, store: SightingStore) -> None:
        """Those who are written down together are each as if alone, seen before or not."""
        await store.see(ANNA, now=NOW)
        await store.see(person(1), ANNA, person(2), now=NOW + HOUR)

        found = [await store.get(one.id) for one in (ANNA, person(1), person(2))]
        assert [one and (one.first, one.last) for one in found] == [
            (NOW, NOW + HOUR),
            (NOW + HOUR, NOW + HOUR),
            (NOW + HOUR, NOW + HOUR),
        ]
        assert [one and one.name for one in found] == [
            ANNA.name,
            person(1).name,
            person(2).name,
        ]

    async def test_list(self, store: SightingStore) -> None:
        """The latest come first, page by page, also where several are of one instant."""
        for number in range(7):
            await store.see(person(number), now=NOW + (number // 3) * HOUR)

        found: list[str] = []
        continuation = None
        for _ in range(4):
            page = await store.list(limit=2, continuation=continuation)
            found += [one.principal.oid for one in page.items]
            continuation = page.continuation
        assert continuation is None
        assert found == [f"oid-{number:02d}" for number in (6, 5, 4, 3, 2, 1, 0)]

    async def test_search(self, store: SightingStore) -> None:
        """Names, user names and ids are searched, in any case, and nothing in them is a pattern."""
        await store.see(ANNA, now=NOW)
        for number in range(3):
            await store.see(person(number), now=NOW + HOUR)

        for search, count in (
            ("", 4), ("MÜLLER", 1), ("contoso", 1), ("oid-0", 3), ("person", 3), ("%", 3),
            ("_", 3), ("son 01", 1), ("' OR 1=1", 0), ("nobody", 0), ("  anna ", 1),
        ):  # fmt: skip
            assert len((await store.list(search=search)).items) == count, search

    async def test_forgotten(self, store: SightingStore) -> None:
        """Who is erased, or was not seen for long, is gone from the list too."""
        for number in range(4):
            await store.see(person(number), now=NOW + number * HOUR)

        assert await store.erase(person(3).id)
        assert await store.purge(before=NOW + 2 * HOUR) == 2
        assert [one.principal.oid for one in (await store.list()).items] == ["oid-02"]
        assert await store.get(person(3).id) is None
