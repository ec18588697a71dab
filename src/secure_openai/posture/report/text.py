"""A proof in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from secure_openai.posture.paths import Path
from secure_openai.posture.proof import ONLY_AFTER_DEPLOYMENT, Judged, Proof, Verdict

_MARKS = {Verdict.PROVEN: "✓", Verdict.FINDING: "✗", Verdict.CANNOT_TELL: "?"}
_MOST_DOUBTS = 3


def as_text(proof: Proof, name: str) -> str:
    """Return the proof as lines of at most some eighty columns, but for addresses."""
    return "\n".join(_lines(proof, name)) + "\n"


def _lines(proof: Proof, name: str) -> Iterator[str]:
    yield f"{name}: {proof.resources} resources, cloud {proof.cloud}"
    yield ""
    for one in proof.judged:
        yield from _statement(one)
    if proof.assumptions:
        yield ""
        yield "Assumed, because somebody vouches for it:"
        for assumption in proof.assumptions:
            yield f"  {assumption.name}: {assumption.says}"
    yield ""
    yield f"Only a look at what was deployed can show: {'; '.join(ONLY_AFTER_DEPLOYMENT)}."
    yield ""
    counts = proof.count()
    parts = [f"{counts.get(Verdict.PROVEN, 0)} of {len(proof.judged)} statements proven"]
    if counts.get(Verdict.FINDING):
        parts.append(f"{len(proof.findings)} findings in {counts[Verdict.FINDING]}")
    if counts.get(Verdict.CANNOT_TELL):
        parts.append(f"{counts[Verdict.CANNOT_TELL]} cannot be told")
    yield ", ".join(parts) + "."


def _statement(one: Judged) -> Iterator[str]:
    yield f"{_MARKS[one.verdict]} {one.statement.id:<10} {one.statement.title}"
    for finding in one.findings:
        yield f"    {one.severity(finding)}: {finding.address}"
        yield f"      {finding.says}"
        for line in finding.mend.splitlines():
            yield f"      | {line}"
    for doubt in one.doubts[:_MOST_DOUBTS]:
        yield f"    cannot tell: {doubt.says}"
    if len(one.doubts) > _MOST_DOUBTS:
        yield f"    and {len(one.doubts) - _MOST_DOUBTS} more of this kind"
    for finding, entry in one.accepted:
        yield f"    accepted until {entry.expires}: {finding.address}: {entry.reason}"
    for note in one.notes:
        yield f"    note: {note.address}: {note.says}"


def path_as_text(path: Path) -> str:
    """Return one way, hop by hop, up to the first that stops it."""
    verdict = {True: "open", False: "closed", None: "cannot tell"}[path.open]
    lines = [f"{path.source} -> {path.target}: {verdict}"]
    stop = path.first_stop
    for hop in path.hops:
        mark = {True: "→", False: "✗", None: "?"}[hop[0]]
        where = f"  ({hop[1]})" if hop[1] else ""
        lines.append(f"  {mark} {hop[2]}{where}")
        if hop is stop:
            break
    return "\n".join(lines) + "\n"
