"""Whether the audit is what was written, or which records were changed, moved or removed."""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from secure_openai.store.audit import ChainHead
from secure_openai.store.chain import GENESIS, record_hash
from secure_openai.store.seals import FIRST, Seal

REMEMBERED = 1_000
"""How many records around one are looked at to tell a moved or copied record from a changed one."""

SEARCHES = 100
"""How many records that do not fit are looked for elsewhere; so many are named, too."""


class Tampering(enum.StrEnum):
    """What can be wrong."""

    CHANGED = "changed"
    REMOVED = "removed"
    REORDERED = "reordered"
    DUPLICATED = "duplicated"
    CUT_TAIL = "cut tail"
    REWRITTEN = "rewritten"
    BAD_SEAL = "bad seal"


@dataclass(frozen=True, slots=True)
class TamperingFound:
    """One thing that is wrong.

    Attributes:
        kind: What.
        sequence: Which record, or which seal's number for `BAD_SEAL`.
        sentence: For people.
    """

    kind: Tampering
    sequence: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found.

    Attributes:
        records: How many were read.
        seals: How many were read.
        sealed: Up to which record the last good seal reaches; 0 without one.
        found: What is wrong; empty means that the chain holds.
        unnamed: How many more things are wrong than `found` names.
    """

    records: int
    seals: int
    sealed: int
    found: tuple[TamperingFound, ...]
    unnamed: int = 0


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as stored, unread."""

    sequence: int
    document: str
    previous: str
    hash: str


def verify(
    chain: str, records: Iterable[StoredRecord], seals: Iterable[Seal], *, largest: int = 100
) -> Report:
    """Compare the chain with itself and with its seals.

    Args:
        chain: The chain's identifier.
        records: In the order of their sequence; read once, so any number of them fits.
        seals: In the order of their numbers, verified.
        largest: How many things to name; the rest is only counted.
    """
    sealed = _check_seals(chain, seals)
    walk = _Walk()
    found, unnamed = sealed.found, 0
    for record in records:
        wrong = list(walk.step(record))
        head = sealed.heads.get(record.sequence)
        if head is not None and head.hash != record.hash:
            wrong.append(_rewritten(record.sequence))
        room = max(0, largest - len(found))
        found += wrong[:room]
        unnamed += len(wrong[room:])
    if sealed.reach > walk.last:
        found.append(
            TamperingFound(
                Tampering.CUT_TAIL,
                walk.last + 1,
                f"The chain ends at record {walk.last} and was sealed up to {sealed.reach}: "
                f"{sealed.reach - walk.last} or more at its end were removed.",
            )
        )
    return Report(walk.count, sealed.count, sealed.reach, tuple(found), unnamed)


def _rewritten(number: int) -> TamperingFound:
    return TamperingFound(
        Tampering.REWRITTEN,
        number,
        f"Record {number} is not the one that was sealed: the chain was rewritten from there or "
        "before.",
    )


class _Walk:
    """Goes along the chain once, remembering only its last steps."""

    def __init__(self) -> None:
        self.count = 0
        self.last = 0
        self._previous: str | None = GENESIS
        self._recent: OrderedDict[str, int] = OrderedDict()
        self._searches = SEARCHES

    def step(self, record: StoredRecord) -> Iterator[TamperingFound]:
        """Take one record; yield what is wrong with it."""
        number, expected = record.sequence, self.last + 1
        self.count += 1
        if number > expected:
            yield TamperingFound(
                Tampering.REMOVED,
                expected,
                f"Record {expected} is missing"
                + (f", and so are those up to {number - 1}." if number - expected > 1 else "."),
            )
        wrong = self._place(record, expected)
        if wrong is not None:
            yield wrong
        self._recent[record.hash] = number
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        self.last = max(self.last, number)
        # The hash of a record that was tampered with says nothing about the next one.
        self._previous = None if wrong is not None else record.hash

    def _place(self, record: StoredRecord, expected: int) -> TamperingFound | None:
        number = record.sequence
        original = self._recent.get(record.hash)
        if original is not None:
            return TamperingFound(
                Tampering.DUPLICATED, number, f"Record {number} is a copy of record {original}."
            )
        if number < expected:
            return TamperingFound(
                Tampering.REORDERED, number, f"Record {number} comes after record {self.last}."
            )
        if record_hash(number, record.document, record.previous) != record.hash:
            self._searches -= 1
            return _changed_or_moved(record, REMEMBERED if self._searches >= 0 else 0)
        if number == expected and self._previous not in {None, record.previous}:
            return TamperingFound(
                Tampering.REORDERED,
                number,
                f"Record {number} does not follow record {number - 1}: one of them was replaced.",
            )
        return None


def _changed_or_moved(record: StoredRecord, reach: int) -> TamperingFound:
    """Tell a record that stands in another's place from one that was changed.

    The hash covers the number, so a record that was moved still fits the number it was written
    with, which is looked for nearby.
    """
    number = record.sequence
    for distance in range(1, reach):
        for original in (number + distance, number - distance):
            if record_hash(original, record.document, record.previous) == record.hash:
                return TamperingFound(
                    Tampering.REORDERED,
                    number,
                    f"Record {number} was written as record {original}: records were reordered, or "
                    "removed and the rest renumbered.",
                )
    return TamperingFound(
        Tampering.CHANGED, number, f"Record {number} was changed: its hash does not fit it."
    )


class _Sealed:
    """What the good seals say, and what is wrong with the others."""

    def __init__(self) -> None:
        self.heads: dict[int, ChainHead] = {}
        self.found: list[TamperingFound] = []
        self.count = 0
        self.reach = 0


def _check_seals(chain: str, seals: Iterable[Seal]) -> _Sealed:
    sealed = _Sealed()
    previous, expected = FIRST, 1
    for seal in seals:
        sealed.count += 1
        head = seal.head
        if head is None:
            sentence = seal.problem or "cannot be read"
        else:
            sentence = _order_problem(seal, expected, previous) or _head_problem(
                head, chain, sealed
            )
        if sentence:
            sealed.found.append(
                TamperingFound(Tampering.BAD_SEAL, seal.number, f"Seal {seal.number} {sentence}.")
            )
        elif head is not None and head.sequence:
            sealed.heads[head.sequence] = head
            sealed.reach = head.sequence
        previous, expected = seal.digest, seal.number + 1
    return sealed


def _order_problem(seal: Seal, expected: int, previous: str) -> str:
    if seal.number != expected:
        return f"is there and seal {expected} is missing"
    if seal.previous != previous:
        return "does not follow the seal before it"
    return ""


def _head_problem(head: ChainHead, chain: str, sealed: _Sealed) -> str:
    if head.chain != chain:
        return "belongs to another chain"
    if head.sequence < sealed.reach:
        return "contradicts a seal before it: it seals fewer records"
    earlier = sealed.heads.get(head.sequence)
    if earlier is not None and earlier.hash != head.hash:
        return "contradicts a seal before it: it seals another record in the same place"
    return ""
