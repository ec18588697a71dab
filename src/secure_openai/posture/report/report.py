"""A report: a proof and what it is about, ready to be written in any form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from secure_openai.posture.printable import many
from secure_openai.posture.proof import Accepted, Judged, Proof, Verdict
from secure_openai.posture.report.families import Family, families
from secure_openai.posture.report.masking import Mask, masked
from secure_openai.posture.report.subject import Subject
from secure_openai.posture.statements import Doubt, Finding, Note, Severity


@dataclass(frozen=True, slots=True)
class Numbered:
    """A finding with its statement, its severity and its number in the report."""

    number: int
    judged: Judged
    finding: Finding
    severity: Severity


@dataclass(frozen=True)
class Report:
    """A proof without sensitive values, and what it is about.

    Attributes:
        proof: The proof.
        subject: What was read.
    """

    proof: Proof
    subject: Subject

    @classmethod
    def of(cls, proof: Proof, subject: Subject) -> Report:
        """Return a report in which no sensitive value stands."""
        return cls(masked(proof, Mask(proof.topology.estate)), subject)

    @cached_property
    def mask(self) -> Mask:
        """Return what keeps the estate's sensitive values out of a text."""
        return Mask(self.proof.topology.estate)

    @cached_property
    def families(self) -> list[Family]:
        """Return the statements by family."""
        return families(self.proof.judged)

    @cached_property
    def findings(self) -> tuple[Numbered, ...]:
        """Return the findings, the worst first, numbered from one."""
        order = list(Severity)
        ranked = sorted(
            self.proof.findings, key=lambda found: order.index(found[0].severity(found[1]))
        )
        return tuple(
            Numbered(number, one, finding, one.severity(finding))
            for number, (one, finding) in enumerate(ranked, 1)
        )

    def mends(self, judged: Judged) -> list[tuple[str, list[Numbered]]]:
        """Return the changes that mend a statement, each once, with the findings that it mends."""
        found: dict[str, list[Numbered]] = {}
        for one in self._by_statement.get(judged.statement.id, ()):
            found.setdefault(one.finding.mend, []).append(one)
        return list(found.items())

    @cached_property
    def _by_statement(self) -> dict[str, list[Numbered]]:
        found: dict[str, list[Numbered]] = {}
        for one in self.findings:
            found.setdefault(one.judged.statement.id, []).append(one)
        return found

    @cached_property
    def accepted(self) -> tuple[tuple[Judged, Finding, Accepted], ...]:
        """Return the findings that somebody accepted."""
        return tuple((one, *each) for one in self.proof.judged for each in one.accepted)

    @cached_property
    def severities(self) -> Mapping[Severity, int]:
        """Return how many findings there are of each severity, the worst first; none of none."""
        found = [one.severity for one in self.findings]
        return {severity: found.count(severity) for severity in Severity if severity in found}

    @property
    def sentence(self) -> str:
        """Return what came of it in a sentence without a full stop."""
        counts = self.proof.count()
        parts = [f"{counts.get(Verdict.PROVEN, 0)} of {len(self.proof.judged)} statements proven"]
        if self.findings:
            kinds = ", ".join(f"{count} {severity}" for severity, count in self.severities.items())
            parts.append(f"{many(len(self.findings), 'finding')} ({kinds})")
        if doubted := counts.get(Verdict.CANNOT_TELL):
            parts.append(f"{doubted} cannot be told")
        return ", ".join(parts)


def grouped(outcomes: Iterable[Doubt | Note]) -> list[tuple[str, list[str]]]:
    """Return what is said, each once, with the addresses that it is said of."""
    found: dict[str, list[str]] = {}
    for one in outcomes:
        places = found.setdefault(one.says, [])
        if one.address:
            places.append(one.address)
    return list(found.items())
