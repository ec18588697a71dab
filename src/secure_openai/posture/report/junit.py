"""The statements of a proof as JUnit test cases, for the pages of CI systems.

XML 1.0 has no place for control characters, not even escaped ones: `printable` leaves none.
"""

from __future__ import annotations

from html import escape
from typing import Final

from secure_openai.posture.printable import many, printable
from secure_openai.posture.proof import Judged, Verdict
from secure_openai.posture.report.report import Report

_MOST: Final = 100_000
"""Characters of one case's text; more than any page of results shows."""


def as_junit(report: Report) -> str:
    """Return a case for each statement: a finding fails it, what cannot be told skips it."""
    proof = report.proof
    counts = proof.count()
    totals = (
        f'tests="{len(proof.judged)}" failures="{counts.get(Verdict.FINDING, 0)}" errors="0" '
        f'skipped="{counts.get(Verdict.CANNOT_TELL, 0)}" time="0"'
    )
    name = _quoted(f"secure-openai prove {report.subject.name}")
    made = report.subject.made.strftime("%Y-%m-%dT%H:%M:%S")
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites name={name} {totals}>",
        f'  <testsuite name={name} {totals} timestamp="{made}">',
        *(line for one in proof.judged for line in _case(one)),
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _case(one: Judged) -> list[str]:
    statement = one.statement
    head = f"    <testcase classname={_quoted(statement.id)} name={_quoted(statement.title)}"
    if one.findings:
        text = "\n\n".join(f"{f.address}: {f.says}\n{f.mend}" for f in one.findings)
        said = _quoted(f"{many(len(one.findings), 'finding')}, {statement.severity}")
        inner = (
            f"<failure message={said} type={_quoted(statement.severity)}>{_text(text)}</failure>"
        )
    elif one.doubts:
        more = f", and {len(one.doubts) - 1} more" if len(one.doubts) > 1 else ""
        inner = f"<skipped message={_quoted(f'cannot tell: {one.doubts[0].says}{more}')}/>"
    else:
        return [f'{head} time="0"/>']
    return [f'{head} time="0">', f"      {inner}", "    </testcase>"]


def _quoted(text: str) -> str:
    return f'"{escape(printable(text))}"'


def _text(text: str) -> str:
    return escape(printable(text, _MOST, lines=True), quote=False)
