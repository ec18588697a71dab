"""Sensitive values of an estate, kept out of everything that is said about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from secure_openai.posture.estate import Estate
from secure_openai.posture.proof import Judged, Proof
from secure_openai.posture.statements import Finding

HIDDEN: Final = "(sensitive)"
"""What stands in the place of a sensitive value."""

LEAST: Final = 6
"""Characters of the shortest value that is looked for: shorter ones are words of every sentence."""

_WORD: Final = re.compile(r"[^\s\"'`,;()<>=&?]+")


class Mask:
    """The values that a state marks as sensitive, whole and in their parts.

    Statements are written to say names of settings, not their values; this is the net below.
    """

    def __init__(self, estate: Estate) -> None:
        self._values: set[str] = set()
        for one in estate.resources:
            for value in _marked(one.sensitive, one.values):
                self._values.update({value, *_WORD.findall(value)})
        self._values = {one for one in self._values if len(one) >= LEAST}

    def __call__(self, text: str) -> str:
        """Return a text without them."""
        if not self._values:
            return text
        if text in self._values:
            return HIDDEN
        return _WORD.sub(self._masked, text)

    def _masked(self, found: re.Match[str]) -> str:
        word = found.group(0)
        return HIDDEN if word in self._values or word.rstrip(".:") in self._values else word


def masked(proof: Proof, mask: Mask) -> Proof:
    """Return a proof in which no sentence and no change holds a sensitive value."""
    return replace(proof, judged=tuple(_judged(one, mask) for one in proof.judged))


def _judged(one: Judged, mask: Mask) -> Judged:
    return replace(
        one,
        findings=tuple(_finding(each, mask) for each in one.findings),
        doubts=tuple(replace(each, says=mask(each.says)) for each in one.doubts),
        notes=tuple(replace(each, says=mask(each.says)) for each in one.notes),
        accepted=tuple((_finding(each, mask), entry) for each, entry in one.accepted),
        seen=tuple(replace(each, says=mask(each.says)) for each in one.seen),
    )


def _finding(one: Finding, mask: Mask) -> Finding:
    return replace(one, says=mask(one.says), mend=mask(one.mend))


def _marked(marks: Any, values: Any) -> Iterator[str]:
    """Yield the text of every value that is marked, or lies in what is."""
    if marks is True:
        yield from _texts(values)
    elif isinstance(marks, dict) and isinstance(values, dict):
        for key, one in marks.items():
            yield from _marked(one, values.get(key))
    elif isinstance(marks, list) and isinstance(values, list):
        for one, value in zip(marks, values, strict=False):
            yield from _marked(one, value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
