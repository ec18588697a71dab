"""What every `TallyStore` promises; subclass it and provide the fixture `store`."""

from __future__ import annotations

import asyncio

from secure_openai.store.tallies import Counted, Tally, TallyKind, TallyStore

DAY, NEXT = "2030-01-02", "2030-01-03"


def used(sequence: int, day: str = DAY, name: str = "app", deployment: str = "gpt") -> Counted:
    """Return what a record of use adds."""
    return Counted(sequence, Tally(day, TallyKind.APPLICATION, name, deployment, 1, 10, 100))


def refused(sequence: int, day: str = DAY, reason: str = "no_role") -> Counted:
    """Return what a record of a refusal adds."""
    return Counted(sequence, Tally(day, TallyKind.REFUSAL, reason, "", 1))


class TallyStoreContract:
    """The promises of `TallyStore`."""

    async def test_nothing_was_counted(self, store: TallyStore) -> None:
        """An empty store says so."""
        assert await store.reached() == {}
        assert list(await store.days(DAY, NEXT)) == []

    async def test_it_adds_up(self, store: TallyStore) -> None:
        """Chains and calls add up, by day, kind, name and deployment."""
        await store.add("one", [used(1), used(2), refused(4), used(5, NEXT)], upto=6)
        await store.add("two", [used(1), used(2, deployment="other"), refused(3, NEXT)], upto=3)
        await store.add("one", [used(7, name="")], upto=7)

        assert await store.reached() == {"one": 7, "two": 3}
        assert list(await store.days(DAY, DAY)) == [
            Tally(DAY, TallyKind.APPLICATION, "", "gpt", 1, 10, 100),
            Tally(DAY, TallyKind.APPLICATION, "app", "gpt", 3, 30, 300),
            Tally(DAY, TallyKind.APPLICATION, "app", "other", 1, 10, 100),
            Tally(DAY, TallyKind.REFUSAL, "no_role", "", 1),
        ]
        assert list(await store.days(NEXT, "2030-01-09")) == [
            Tally(NEXT, TallyKind.APPLICATION, "app", "gpt", 1, 10, 100),
            Tally(NEXT, TallyKind.REFUSAL, "no_role", "", 1),
        ]

    async def test_each_record_counts_once(self, store: TallyStore) -> None:
        """Counted again, by several at once and from other places on, a record counts once."""
        records = [used(number, DAY if number < 8 else NEXT) for number in range(1, 13)]

        await asyncio.gather(
            *(
                store.add("one", [one for one in records if one.sequence <= upto], upto=upto)
                for upto in (12, 5, 9, 12, 7)
            )
        )
        await store.add("one", records[3:6], upto=6)

        counts = {one.day: one.requests for one in await store.days(DAY, NEXT)}
        assert counts == {DAY: 7, NEXT: 5}
        assert await store.reached() == {"one": 12}

    async def test_no_number_is_lost(self, store: TallyStore) -> None:
        """Several chains that are counted at once lose nothing of each other."""
        await asyncio.gather(
            *(store.add(f"chain{number}", [used(1), refused(2)], upto=2) for number in range(8))
        )

        assert [one.requests for one in await store.days(DAY, DAY)] == [8, 8]
        assert len(await store.reached()) == 8
