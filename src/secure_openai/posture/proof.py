"""A proof: every statement about an estate, judged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

from secure_openai.errors import AssumptionError
from secure_openai.posture import collector
from secure_openai.posture.assumptions import Assumption, Assumptions
from secure_openai.posture.estate import Estate
from secure_openai.posture.statements import (
    COVERED,
    STATEMENTS,
    Doubt,
    Finding,
    Note,
    Outcome,
    Seen,
    Severity,
    Statement,
)
from secure_openai.posture.statements.whole import WHOLE, changed, unseen
from secure_openai.posture.topology import Topology

ONLY_AFTER_DEPLOYMENT: Final = (
    "that sign-in is demanded by what answers, and consent is given",
    "peerings, routes and firewalls outside the estate",
    "roles inherited from the subscription and its management groups",
    "what Azure Policy denied or changed",
    "quotas and capacity of the models",
    "groups' members in Entra ID",
)
"""What no proof of a configuration can show: it has to be looked at after deployment."""


T = TypeVar("T", Finding, Doubt, Note, Seen)


class Verdict(StrEnum):
    """What came of a statement."""

    PROVEN = "proven"
    FINDING = "finding"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that somebody accepted, with the reason and the last day on which that holds."""

    statement: str
    address: str
    reason: str
    expires: date


@dataclass(frozen=True, slots=True)
class Judged:
    """A statement with what came of it."""

    statement: Statement
    findings: tuple[Finding, ...]
    doubts: tuple[Doubt, ...]
    notes: tuple[Note, ...]
    accepted: tuple[tuple[Finding, Accepted], ...]
    seen: tuple[Seen, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Return what came of it: one finding outweighs every doubt."""
        if self.findings:
            return Verdict.FINDING
        return Verdict.CANNOT_TELL if self.doubts else Verdict.PROVEN

    def severity(self, finding: Finding) -> Severity:
        """Return how much a finding of it matters."""
        return finding.severity or self.statement.severity


@dataclass(frozen=True, slots=True)
class Proof:
    """All statements about one estate.

    Attributes:
        judged: Each statement with what came of it.
        assumptions: What it stands on.
        cloud: The cloud.
        resources: How many resources were looked at.
        topology: The estate with its networks, for pictures and explanations.
    """

    judged: tuple[Judged, ...]
    assumptions: tuple[Assumption, ...]
    cloud: str
    resources: int
    topology: Topology

    @property
    def findings(self) -> list[tuple[Judged, Finding]]:
        """Return every finding with its statement."""
        return [(one, finding) for one in self.judged for finding in one.findings]

    @property
    def verdict(self) -> Verdict:
        """Return what came of it altogether."""
        verdicts = {one.verdict for one in self.judged}
        for wanted in (Verdict.FINDING, Verdict.CANNOT_TELL):
            if wanted in verdicts:
                return wanted
        return Verdict.PROVEN

    def count(self) -> Mapping[Verdict, int]:
        """Return how many statements ended how."""
        return Counter(one.verdict for one in self.judged)


@collector.paused()
def prove(
    estate: Estate,
    *,
    cloud: str | None = None,
    assumed: Assumptions | None = None,
    accepted: Iterable[Accepted] = (),
) -> Proof:
    """Judge every statement about an estate.

    Args:
        estate: The estate.
        cloud: `public` or `usgovernment`; None to infer it from the estate's locations.
        assumed: What is vouched for outside the estate.
        accepted: Findings that somebody accepted.

    Raises:
        AssumptionError: An accepted finding is expired, or is no finding.
    """
    vouched = assumed or Assumptions()
    topology = Topology(estate, cloud, vouched)
    baseline = list(accepted)
    try:
        doubts = _Doubts.of(topology, baseline)
    except _ODD_SHAPES:
        doubts = _Doubts((Doubt("", _ODD),), {}, {})
    judged = tuple(_judge(one, topology, baseline, doubts) for one in STATEMENTS)
    used = {one for each in judged for _, one in each.accepted}
    for one in baseline:
        if one not in used:
            raise AssumptionError(
                f"The baseline accepts {one.statement} at {one.address}, which is no finding: "
                "remove the entry."
            )
    standing = tuple(one for one in vouched.every if one.name in vouched.used)
    return Proof(judged, standing, topology.cloud, len(estate.resources), topology)


@dataclass(frozen=True, slots=True)
class _Doubts:
    """What leaves statements in doubt that do not look at it.

    Attributes:
        unseen: About resources that no statement looks at, for what is said of everything.
        changed: About resources that something changes behind their back, by their type.
        decided: About what hangs on the answers of data sources, by its type.
    """

    unseen: tuple[Doubt, ...]
    changed: Mapping[str, tuple[Doubt, ...]]
    decided: Mapping[str, list[Doubt]]

    @classmethod
    def of(cls, topology: Topology, baseline: Iterable[Accepted]) -> _Doubts:
        """Return them, but for what somebody looked at and accepted."""
        accepted = {one.address for one in baseline if one.statement == WHOLE}
        found = [
            Doubt(resources[0].address, f"no statement looks at {kind}")
            for kind, resources in unseen(topology, COVERED).items()
            if resources[0].address not in accepted
        ]
        behind = {
            kind: tuple(
                Doubt(one.address, "something changes it behind its back, and that is not read")
                for one in resources
            )
            for kind, resources in changed(topology).items()
        }
        decided: dict[str, list[Doubt]] = {}
        for one in topology.estate.decided:
            decided.setdefault(one.type, []).append(Doubt(one.address, one.says))
        return cls(tuple(found), behind, decided)

    def about(self, statement: Statement, judged: Set[str]) -> Iterator[Doubt]:
        """Yield those that concern a statement, given the addresses at which it found something."""
        if statement.everything:
            yield from (one for one in self.unseen if one.address not in judged)
        for kind in statement.covers:
            yield from self.changed.get(kind, ())
            yield from self.decided.get(kind, ())


_ODD: Final = "some resource has not the shape that its provider writes"
_ODD_SHAPES: Final = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


def _judge(
    statement: Statement, topology: Topology, baseline: list[Accepted], doubts: _Doubts
) -> Judged:
    if statement.relations and not topology.estate.relations:
        says = "a plan does not know what refers to what: give --config with its folder"
        return Judged(statement, (), (Doubt("", says),), (), ())
    try:
        outcomes = list(dict.fromkeys(statement.check(topology)))
    except _ODD_SHAPES:
        # A shape that the provider does not write: nothing is proven of it.
        return Judged(statement, (), (Doubt("", _ODD),), (), ())
    about = list(doubts.about(statement, {one.address for one in _of(outcomes, Finding)}))
    better = {one.address for one in about if one.address}
    # What leaves a resource in doubt altogether says more than that one value is not known.
    outcomes = [o for o in outcomes if not (isinstance(o, Doubt) and o.address in better)]
    outcomes += about
    findings, taken = [], []
    for finding in _of(outcomes, Finding):
        entry = next(
            (e for e in baseline if e.statement == statement.id and e.address == finding.address),
            None,
        )
        if entry:
            taken.append((finding, entry))
        else:
            findings.append(finding)
    return Judged(
        statement,
        tuple(findings),
        tuple(_of(outcomes, Doubt)),
        tuple(_of(outcomes, Note)),
        tuple(taken),
        tuple(_of(outcomes, Seen)),
    )


def _of(outcomes: list[Outcome], kind: type[T]) -> list[T]:
    return [one for one in outcomes if isinstance(one, kind)]


def load_baseline(path: Path, today: date) -> list[Accepted]:
    """Read the findings that were accepted.

    Raises:
        AssumptionError: The file cannot be used, or an entry has expired.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AssumptionError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise AssumptionError(f"{path} is not JSON: {error}.") from None
    if not isinstance(document, Mapping) or not isinstance(document.get("accepted"), list):
        raise AssumptionError(f'{path}: write {{"accepted": [...]}}.')
    return [
        _accepted(entry, f"{path}: entry {number}", today)
        for number, entry in enumerate(document["accepted"], 1)
    ]


def _accepted(entry: Any, where: str, today: date) -> Accepted:
    wanted = {"statement", "address", "reason", "expires"}
    if not isinstance(entry, Mapping) or entry.keys() != wanted:
        raise AssumptionError(
            f"{where}: write statement, address, reason and expires, and nothing else."
        )
    if entry["statement"] not in {one.id for one in STATEMENTS}:
        raise AssumptionError(f"{where}: there is no statement {entry['statement']}.")
    if not isinstance(entry["reason"], str) or not entry["reason"].strip():
        raise AssumptionError(f"{where}: say the reason.")
    try:
        expires = date.fromisoformat(entry["expires"])
    except (TypeError, ValueError):
        raise AssumptionError(f"{where}: expires is a day, such as 2027-01-31.") from None
    if expires < today:
        raise AssumptionError(f"{where} expired on {expires}: mend the finding, or accept it anew.")
    return Accepted(entry["statement"], str(entry["address"]), entry["reason"], expires)
