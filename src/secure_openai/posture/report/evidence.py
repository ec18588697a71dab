"""What a statement looked at, and what it found there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.estate import Estate
from secure_openai.posture.printable import MOST, many
from secure_openai.posture.proof import Judged

_MOST_KINDS: Final = 4
_INSTANCE: Final = re.compile(r'(?P<base>.+)\[(?P<key>"(?:[^"\\]|\\.)*"|\d+)\]$', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing that was found, and where."""

    says: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a statement stands on: in a sentence, and one by one."""

    says: str
    sights: tuple[Sight, ...]


def evidence(one: Judged, estate: Estate) -> Evidence:
    """Return what a statement looked at: what it saw, or else the resources that it covers."""
    covered = {kind: estate.every(kind) for kind in dict.fromkeys(one.statement.covers)}
    present = {kind: found for kind, found in covered.items() if found}
    if one.seen:
        sights: dict[str, list[str]] = {}
        for seen in one.seen:
            sights.setdefault(seen.says, []).append(seen.address)
        shown = tuple(Sight(says, together(found)) for says, found in sights.items())
    else:
        shown = tuple(
            Sight(kind, together([each.address for each in found]))
            for kind, found in present.items()
        )
    return Evidence(_sentence(one, covered.keys(), present), shown)


def together(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return addresses with the instances of one resource as one: `this["a", "b"]`."""
    found: dict[str, list[str]] = {}
    for one in addresses:
        # What is cut when it is shown anyway is not searched.
        instance = _INSTANCE.match(one) if len(one) <= MOST else None
        if instance:
            found.setdefault(instance["base"], []).append(instance["key"])
        elif one:
            found.setdefault(one, [])
    return tuple(
        f"{base}[{', '.join(dict.fromkeys(keys))}]" if keys else base
        for base, keys in found.items()
    )


def _sentence(one: Judged, covered: Iterable[str], present: Mapping[str, Sized]) -> str:
    looked = {seen.address for seen in one.seen} - {""}
    verb = "Not judged:" if any(not doubt.address for doubt in one.doubts) else "Looked at"
    if present:
        count = sum(len(found) for found in present.values())
        kinds = [f"{len(found)} {kind}" for kind, found in present.items()]
        more = len(kinds) - _MOST_KINDS
        if more > 0:
            kinds = [*kinds[:_MOST_KINDS], many(more, "more kind")]
        says = f"{verb} {many(count, 'resource')}: {', '.join(kinds)}"
    elif looked:
        says = f"Looked at {many(len(looked), 'place')}"
    elif covered := tuple(covered):
        return f"The estate has nothing of the kind: no {_either(covered)}"
    else:
        says = f"{verb} the whole estate"
    return f"{says}; {many(len(one.seen), 'observation')}" if one.seen else says


def _either(kinds: Sequence[str]) -> str:
    if len(kinds) > _MOST_KINDS:
        return (
            f"{', '.join(kinds[:_MOST_KINDS])}, nor {many(len(kinds) - _MOST_KINDS, 'more kind')}"
        )
    return ", ".join(kinds)
