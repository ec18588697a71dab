"""What holds of every implementation of `Slots`.

A test module subclasses `SlotsContract` and gives it the fixtures `slots`, `packages` (two of each
application, the earlier first) and `runs`, which says by its digest what lies where.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from secure_openai.delivery.package import Kind
from secure_openai.delivery.placed import PlacedPackage
from secure_openai.delivery.slots import Slot, Slots

Runs = Callable[[Kind, Slot], str | None]
Packages = Mapping[Kind, Sequence[PlacedPackage]]


@pytest.mark.parametrize("kind", list(Kind))
class SlotsContract:
    """What holds of every implementation of `Slots`."""

    async def test_what_is_placed_is_in_staging_only(
        self, slots: Slots, packages: Packages, runs: Runs, kind: Kind
    ) -> None:
        """Production goes on with what it runs."""
        first, second = packages[kind]
        await slots.place(first)
        await slots.swap(kind)
        await slots.place(second)

        assert runs(kind, Slot.STAGING) == second.sha256
        assert runs(kind, Slot.PRODUCTION) == first.sha256

    async def test_a_swap_twice_is_as_before(
        self, slots: Slots, packages: Packages, runs: Runs, kind: Kind
    ) -> None:
        """Each time both slots change places."""
        first, second = packages[kind]
        await slots.place(first)
        await slots.swap(kind)
        await slots.place(second)
        await slots.swap(kind)

        assert (runs(kind, Slot.PRODUCTION), runs(kind, Slot.STAGING)) == (
            second.sha256,
            first.sha256,
        )

        await slots.swap(kind)

        assert (runs(kind, Slot.PRODUCTION), runs(kind, Slot.STAGING)) == (
            first.sha256,
            second.sha256,
        )

    async def test_one_application_leaves_the_other_alone(
        self, slots: Slots, packages: Packages, runs: Runs, kind: Kind
    ) -> None:
        """Each is placed and swapped by itself."""
        (other,) = set(Kind) - {kind}
        before = [runs(other, slot) for slot in Slot]
        await slots.place(packages[kind][0])
        await slots.swap(kind)

        assert [runs(other, slot) for slot in Slot] == before

    async def test_the_same_package_may_be_placed_again(
        self, slots: Slots, packages: Packages, runs: Runs, kind: Kind
    ) -> None:
        """Whoever deploys again after a failure begins from the beginning."""
        for _ in range(2):
            await slots.place(packages[kind][0])

        assert runs(kind, Slot.STAGING) == packages[kind][0].sha256

    async def test_where_nothing_works_a_look_says_so(self, slots: Slots, kind: Kind) -> None:
        """It is an answer, in a sentence, and no error."""
        sight = await slots.look(kind, Slot.STAGING)

        assert not sight.healthy
        assert sight.says.endswith(".")
