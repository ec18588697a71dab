"""Along one chain of the audit: which records were changed, moved, copied or removed."""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from secure_openai.store.audit import StoredRecord
from secure_openai.store.chain import GENESIS, record_hash

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
    ADDED = "added"
    CUT_TAIL = "cut tail"
    REWRITTEN = "rewritten"
    CHAIN_REMOVED = "chain removed"
    BAD_SEAL = "bad seal"


@dataclass(frozen=True, slots=True)
class TamperingFound:
    """One thing that is wrong.

    Attributes:
        kind: What.
        sequence: Which record; which seal's number for `BAD_SEAL`.
        sentence: For people.
        chain: Which chain; empty for `BAD_SEAL`.
    """

    kind: Tampering
    sequence: int
    sentence: str
    chain: str = ""


class ChainWalk:
    """Goes along a chain once, remembering only its last steps."""

    def __init__(self, chain: str) -> None:
        self.count = 0
        self.last = 0
        self._chain = chain
        self._previous: str | None = GENESIS
        self._recent: OrderedDict[str, int] = OrderedDict()
        self._searches = SEARCHES

    def found(self, kind: Tampering, sequence: int, sentence: str) -> TamperingFound:
        """Return something that is wrong with this chain."""
        return TamperingFound(kind, sequence, sentence, self._chain)

    def step(self, record: StoredRecord) -> Iterator[TamperingFound]:
        """Take one record; yield what is wrong with it."""
        number, expected = record.sequence, self.last + 1
        self.count += 1
        if number > expected:
            yield self.found(
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
            return self.found(
                Tampering.DUPLICATED, number, f"Record {number} is a copy of record {original}."
            )
        if number < expected:
            return self.found(
                Tampering.REORDERED, number, f"Record {number} comes after record {self.last}."
            )
        if record_hash(number, record.document, record.previous) != record.hash:
            self._searches -= 1
            return self._changed_or_moved(record, REMEMBERED if self._searches >= 0 else 0)
        if not record.agrees:
            return self.found(
                Tampering.CHANGED,
                number,
                f"Record {number} was changed: what it is found by is not what it says.",
            )
        if number == expected and self._previous not in {None, record.previous}:
            return self.found(
                Tampering.REORDERED,
                number,
                f"Record {number} does not follow record {number - 1}: one of them was replaced.",
            )
        return None

    def _changed_or_moved(self, record: StoredRecord, reach: int) -> TamperingFound:
        """Tell a record that stands in another's place from one that was changed.

        The hash covers the number, so a record that was moved still fits the number it was written
        with, which is looked for nearby.
        """
        number = record.sequence
        for distance in range(1, reach):
            for original in (number + distance, number - distance):
                if record_hash(original, record.document, record.previous) == record.hash:
                    return self.found(
                        Tampering.REORDERED,
                        number,
                        f"Record {number} was written as record {original}: records were "
                        "reordered, or removed and the rest renumbered.",
                    )
        return self.found(
            Tampering.CHANGED, number, f"Record {number} was changed: its hash does not fit it."
        )
