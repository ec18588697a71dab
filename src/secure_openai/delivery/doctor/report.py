"""A diagnosis for people and for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Final

from secure_openai.delivery.doctor.answer import Answer, Check, Outcome
from secure_openai.delivery.doctor.examination import Diagnosis
from secure_openai.posture.printable import many, printable
from secure_openai.posture.report.lines import Line

VERSION: Final = 1

MARKS: Final = {
    Outcome.FINE: ("✓", "green"),
    Outcome.LOOK: ("!", "cyan"),
    Outcome.FINDING: ("✗", "red"),
    Outcome.UNASKED: ("?", "yellow"),
}
_BODY: Final = 17
_MOST: Final = 4
"""Fine answers of one check that are told one by one."""


def as_json(diagnosis: Diagnosis) -> str:
    """Return a diagnosis as JSON."""
    document = {
        "version": VERSION,
        "configuration": diagnosis.source,
        "subscription": diagnosis.subscription,
        "findings": len(diagnosis.of(Outcome.FINDING)),
        "answers": [
            {
                "check": one.check.value,
                "subject": one.subject,
                "outcome": one.outcome.value,
                "says": one.says,
                "mend": one.mend,
            }
            for one in diagnosis.answers
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def text_lines(diagnosis: Diagnosis, width: int) -> Iterator[Line]:
    """Yield a diagnosis line by line: what is fine in a line for each check, the rest at length."""
    where = f" in the subscription {diagnosis.subscription}"
    yield Line.of((printable(diagnosis.source), "bold"), where)
    yield Line.of()
    for check in Check:
        found = [one for one in diagnosis.answers if one.check is check]
        fine = [one for one in found if one.outcome is Outcome.FINE]
        if fine:
            yield from _entry(check, Outcome.FINE, _fine(fine), width)
        for one in found:
            if one.outcome is not Outcome.FINE:
                yield from _entry(check, one.outcome, f"{one.subject}: {one.says}", width)
                if one.mend:
                    yield Line.of(" " * _BODY, ("│ ", "dim"), (printable(one.mend, 1000), "cyan"))
    yield Line.of()
    yield from _verdict(diagnosis)


def _fine(found: list[Answer]) -> str:
    if len(found) > _MOST:
        return f"all {len(found)} that were asked are as they should be"
    return "; ".join(f"{one.subject}: {one.says}" for one in found)


def _entry(check: Check, outcome: Outcome, says: str, width: int) -> Iterator[Line]:
    mark, colour = MARKS[outcome]
    room = max(width - _BODY, 30)
    first, *rest = textwrap.wrap(
        printable(says, 2000), room, break_long_words=False, break_on_hyphens=False
    ) or [""]
    yield Line.of("  ", (mark, f"bold {colour}"), f" {check.value:<{_BODY - 4}}", first)
    for line in rest:
        yield Line.of(" " * _BODY + line)


def _verdict(diagnosis: Diagnosis) -> Iterator[Line]:
    findings = len(diagnosis.of(Outcome.FINDING))
    unasked = len(diagnosis.of(Outcome.UNASKED))
    parts = [f"{many(findings, 'finding')} of {many(len(diagnosis.answers), 'answer')}"]
    if unasked:
        parts.append(f"{unasked} could not be asked")
    if looks := len(diagnosis.of(Outcome.LOOK)):
        parts.append(f"{looks} to look at")
    outcome = Outcome.FINDING if findings else Outcome.UNASKED if unasked else Outcome.FINE
    mark, colour = MARKS[outcome]
    yield Line.of((f"{mark} {', '.join(parts)}.", f"bold {colour}"))
