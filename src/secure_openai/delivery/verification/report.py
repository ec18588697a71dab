"""A verification for people: what one would show a reviewer."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from secure_openai.delivery.verification.evidence import Evidence, Subject, verdict_of
from secure_openai.delivery.verification.observation import Check, Observation, Outcome
from secure_openai.posture.printable import many, printable
from secure_openai.posture.report.lines import Line

TITLES: Final = {
    Check.CLOSED: "Nothing answers outside",
    Check.NAME: "Names lead to private addresses",
    Check.TLS: "TLS holds",
    Check.OWN: "Our credential is let in",
    Check.STRANGER: "Nobody else is",
    Check.KEY: "Keys that sign stay where they are",
    Check.DOOR: "Sign-in is demanded on every door",
    Check.READY: "The application is ready",
    Check.CHAT: "A chat works",
    Check.ASSUMPTION: "What the proof takes for granted",
}
MARKS: Final = {
    Outcome.HOLDS: ("✓", "green"),
    Outcome.FINDING: ("✗", "red"),
    Outcome.UNSEEN: ("?", "yellow"),
    Outcome.LEFT: ("-", "cyan"),
}
_MOST: Final = 6
"""Of what holds, as many are told one by one; the evidence has them all."""


def text_lines(
    subject: Subject, observations: Sequence[Observation], evidence: Evidence, width: int
) -> Iterator[Line]:
    """Yield it line by line, the verdict last."""
    when = f"{subject.began:%Y-%m-%d %H:%M:%S} UTC"
    yield Line.of((printable(subject.url), "bold"), f" from {subject.where}, {when}")
    if subject.estate:
        yield Line.of(f"  names: {printable(subject.estate)}, SHA-256 {subject.estate_sha256}")
    for check, title in TITLES.items():
        found = [one for one in observations if one.check is check]
        if found:
            yield Line.of()
            yield Line.of((title, "bold"))
            yield from _entries(found, width)
    yield Line.of()
    yield Line.of(f"Evidence: SHA-256 {evidence.sha256}")
    if evidence.kid:
        yield Line.of(f"Signed by {printable(evidence.kid)}")
    yield from _verdict(observations)


def _entries(found: Sequence[Observation], width: int) -> Iterator[Line]:
    holds = [one for one in found if one.outcome is Outcome.HOLDS]
    for one in holds[:_MOST]:
        yield from _entry(one, width)
    if len(holds) > _MOST:
        mark, colour = MARKS[Outcome.HOLDS]
        yield Line.of("  ", (mark, f"bold {colour}"), f" and {len(holds) - _MOST} more that hold")
    told: Counter[str] = Counter()
    unseen = Counter(one.says for one in found if one.outcome is Outcome.UNSEEN)
    for one in found:
        # A finding is told wherever it is; that nobody answers is told once.
        if one.outcome is Outcome.UNSEEN:
            told[one.says] += 1
            if told[one.says] > 1:
                continue
            more = unseen[one.says] - 1
            yield from _entry(one, width, f" (and of {more} more)" if more else "")
        elif one.outcome is not Outcome.HOLDS:
            yield from _entry(one, width)


def _entry(one: Observation, width: int, more: str = "") -> Iterator[Line]:
    mark, colour = MARKS[one.outcome]
    first, *rest = textwrap.wrap(
        printable(f"{one.subject}{more}: {one.says}", 2000),
        max(width - 4, 30),
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield Line.of("  ", (mark, f"bold {colour}"), f" {first}")
    for line in rest:
        yield Line.of(f"      {line}")


def _verdict(observations: Sequence[Observation]) -> Iterator[Line]:
    verdict = verdict_of(observations)
    outcome = Outcome(verdict)
    mark, colour = MARKS[outcome]
    count = {one: sum(each.outcome is one for each in observations) for one in Outcome}
    says = {
        Outcome.HOLDS: "Everything that was looked at holds",
        Outcome.FINDING: f"{many(count[Outcome.FINDING], 'finding')}",
        Outcome.UNSEEN: "No finding, and not everything could be seen",
    }[outcome]
    more = [f"{count[Outcome.HOLDS]} hold", f"{count[Outcome.UNSEEN]} could not be seen"]
    more.append(f"{count[Outcome.LEFT]} left to people")
    yield Line.of((f"{mark} {says}: {', '.join(more)}.", f"bold {colour}"))
