"""A proof in the terminal: grouped, at most as wide as it is asked to be, the verdict last."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from secure_openai.posture.printable import many, printable
from secure_openai.posture.proof import ONLY_AFTER_DEPLOYMENT, Judged, Verdict
from secure_openai.posture.report.lines import WIDTH, Line
from secure_openai.posture.report.report import Report, grouped
from secure_openai.posture.statements import Severity

_MARKS: Final = {Verdict.PROVEN: "✓", Verdict.FINDING: "✗", Verdict.CANNOT_TELL: "?"}
_COLOURS: Final = {
    Verdict.PROVEN: "green",
    Verdict.FINDING: "red",
    Verdict.CANNOT_TELL: "yellow",
}
_SEVERITIES: Final = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
_MOST: Final = 3
_BODY: Final = 15


def as_text(report: Report, width: int = WIDTH) -> str:
    """Return the proof as plain lines; nothing but addresses is wider than `width` columns."""
    return "".join(f"{line.plain}\n" for line in text_lines(report, width))


def text_lines(report: Report, width: int = WIDTH) -> Iterator[Line]:
    """Yield the proof line by line, in colours for who can show them."""
    proof = report.proof
    name = printable(report.subject.name)
    where = f": {many(proof.resources, 'resource')} in the {proof.cloud} cloud"
    yield Line.of((name, "bold"), where)
    for family in report.families:
        yield Line.of()
        yield Line.of((family.title, "bold"))
        for one in family.judged:
            yield from _statement(report, one, width)
    if proof.assumptions:
        yield Line.of()
        yield Line.of(("Assumed, because somebody vouches for it", "bold"))
        for assumption in proof.assumptions:
            yield from _wrapped(f"{assumption.name}: {assumption.says}", 2, width)
    yield Line.of()
    yield Line.of(("Only a look at what was deployed can show", "bold"))
    for each in ONLY_AFTER_DEPLOYMENT:
        yield from _wrapped(each, 2, width, style="dim")
    yield Line.of()
    yield from _verdict(report, width)


def _verdict(report: Report, width: int) -> Iterator[Line]:
    verdict = report.proof.verdict
    said = f"{_MARKS[verdict]} Verdict: {verdict}. {report.sentence}."
    yield from _wrapped(said, 0, width, style=f"bold {_COLOURS[verdict]}", hang=2)


def _statement(report: Report, one: Judged, width: int) -> Iterator[Line]:
    verdict = one.verdict
    head = f"  {_MARKS[verdict]} {one.statement.id:<10} "
    first, *rest = textwrap.wrap(printable(one.statement.title), max(width - len(head), 20))
    bold = "bold" if verdict is not Verdict.PROVEN else ""
    yield Line.of((head[:4], f"bold {_COLOURS[verdict]}"), (head[4:], "dim"), (first, bold))
    for line in rest:
        yield Line.of((" " * len(head) + line, bold))
    yield from _findings(report, one, width)
    doubts = grouped(one.doubts)
    for says, found in doubts[:_MOST]:
        yield from _wrapped(f"cannot tell: {says}", _BODY, width, style="yellow")
        yield from _places(found)
    if len(doubts) > _MOST:
        yield Line.of((f"{' ' * _BODY}and {len(doubts) - _MOST} more of this kind", "yellow"))
    for finding, entry in one.accepted:
        yield Line.of(f"{' ' * _BODY}accepted until {entry.expires}: {printable(finding.address)}")
        yield from _wrapped(finding.says, _BODY + 2, width)
        yield from _wrapped(f"because: {entry.reason}", _BODY + 2, width)
    for says, found in grouped(one.notes):
        yield from _wrapped(f"note: {says}", _BODY, width, style="dim")
        yield from _places(found)


def _findings(report: Report, one: Judged, width: int) -> Iterator[Line]:
    for mend, found in report.mends(one):
        for each in found:
            label = f"{each.severity:<9}"
            yield Line.of(
                " " * 4,
                (label.rstrip(), _SEVERITIES[each.severity]),
                " " * (_BODY - 4 - len(label.rstrip())),
                (printable(each.finding.address), "bold"),
            )
            yield from _wrapped(each.finding.says, _BODY, width)
        for line in _code(mend, width - _BODY - 2):
            yield Line.of(" " * _BODY, ("│ ", "dim"), (line, "cyan"))


def _code(mend: str, room: int) -> Iterator[str]:
    """Yield the lines of a change: HCL as it is, to be copied, and comments within the room."""
    for line in printable(mend, 4000, lines=True).splitlines():
        if line.startswith("# "):
            yield from textwrap.wrap(line, max(room, 20), subsequent_indent="# ")
        else:
            yield line


def _places(found: Iterable[str]) -> Iterator[Line]:
    places = list(found)
    for one in places[:_MOST]:
        yield Line.of((f"{' ' * (_BODY + 2)}{printable(one)}", "dim"))
    if len(places) > _MOST:
        yield Line.of((f"{' ' * (_BODY + 2)}and {len(places) - _MOST} more", "dim"))


def _wrapped(
    says: str, indent: int, width: int, *, style: str = "", hang: int = 2
) -> Iterator[Line]:
    room = max(width - indent, 20)
    lines = textwrap.wrap(
        printable(says), room, subsequent_indent=" " * hang, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    for line in lines:
        yield Line.of((" " * indent + line, style))
