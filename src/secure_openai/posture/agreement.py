"""Whether a plan and a simulation of its folder say the same, as far as both know.

What only Azure chooses, and what the simulation made up, says nothing of the configuration.
Everything else must be equal: of a value that differs, the plan's would be built and the
simulation's proven.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any, Final

from secure_openai.posture.estate import UNKNOWN, Estate, Resource, Steps
from secure_openai.posture.simulation.schema import resource_block

_EMPTY: Final[tuple[Any, ...]] = (None, [], {}, "")


def differences(planned: Estate, simulated: Estate) -> Iterator[str]:
    """Yield in what a plan and a simulation of its folder differ, in words."""
    ours = {one.address: one for one in simulated.resources}
    theirs = {one.address for one in planned.resources}
    for odd in sorted(ours.keys() ^ theirs):
        yield f"only one of them has {odd}"
    for one in planned.resources:
        other = ours.get(one.address)
        if other is not None:
            path = next(_differing(one, other), None)
            if path is not None:
                yield f"{one.address} differs in {'.'.join(map(str, path))}"
    for name in sorted(planned.outputs.keys() | simulated.outputs.keys()):
        known, mine = planned.outputs.get(name), simulated.outputs.get(name)
        if known is not UNKNOWN and any(_compare(known, mine, (name,), (name,), (set(), set()))):
            yield f"output {name} differs"


def _differing(planned: Resource, mine: Resource) -> Iterator[Steps]:
    if planned.type != mine.type:
        yield ("type",)
    block = resource_block(mine.type)
    for name in sorted(planned.values.keys() | mine.values.keys()):
        attribute = block.attributes.get(name)
        chosen = attribute is not None and attribute.computed and not attribute.optional
        if name != "id" and not chosen:
            yield from _compare(
                planned.values.get(name),
                mine.values.get(name),
                (name,),
                (name,),
                (planned.unknown, mine.unknown),
            )


def _compare(
    planned: Any,
    mine: Any,
    here: Steps,
    there: Steps,
    unsure: tuple[Set[Steps], Set[Steps]],
) -> Iterator[Steps]:
    """Yield where two values differ; `here` leads to the planned one and `there` to the other."""
    if here in unsure[0] or there in unsure[1]:
        return
    if isinstance(planned, Mapping) and isinstance(mine, Mapping):
        for name in sorted(planned.keys() | mine.keys()):
            yield from _compare(
                planned.get(name), mine.get(name), (*here, name), (*there, name), unsure
            )
    elif isinstance(planned, list) and isinstance(mine, list) and len(planned) == len(mine):
        yield from _lists(planned, mine, here, there, unsure)
    elif not (planned in _EMPTY and (mine in _EMPTY or _holds_unsure(here, unsure[0]))) and (
        type(planned) is not type(mine) or planned != mine
    ):
        yield here


def _holds_unsure(here: Steps, unsure: Set[Steps]) -> bool:
    """Return whether something below is not known yet, so that a plan leaves the whole out."""
    return any(path[: len(here)] == here for path in unsure)


def _lists(
    planned: list[Any],
    mine: list[Any],
    here: Steps,
    there: Steps,
    unsure: tuple[Set[Steps], Set[Steps]],
) -> Iterator[Steps]:
    """Compare without regard to order, since sets are written as lists."""
    left = list(range(len(mine)))
    for number, one in enumerate(planned):
        for other in left:
            differing = _compare(one, mine[other], (*here, number), (*there, other), unsure)
            if next(differing, None) is None:
                left.remove(other)
                break
        else:
            yield (*here, number)
