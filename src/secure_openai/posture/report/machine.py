"""A proof for machines: JSON, SARIF 2.1.0 and JUnit."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from secure_openai.posture.proof import ONLY_AFTER_DEPLOYMENT, Judged, Proof, Verdict
from secure_openai.posture.statements import Finding, Severity

_LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
_SCORES: Final = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.0",
    Severity.LOW: "2.0",
}
# XML 1.0 has no place for control characters, not even escaped ones.
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def as_json(proof: Proof, name: str) -> str:
    """Return the whole proof as JSON."""
    document = {
        "format_version": "1.0",
        "source": name,
        "cloud": proof.cloud,
        "resources": proof.resources,
        "verdict": proof.verdict,
        "assumptions": [
            {"name": one.name, "kind": one.kind, "about": list(one.about), "says": one.says}
            for one in proof.assumptions
        ],
        "only_after_deployment": list(ONLY_AFTER_DEPLOYMENT),
        "statements": [_statement(one) for one in proof.judged],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _statement(one: Judged) -> dict[str, Any]:
    return {
        "id": one.statement.id,
        "title": one.statement.title,
        "severity": one.statement.severity,
        "reason": one.statement.reason,
        "controls": list(one.statement.controls),
        "verdict": one.verdict,
        "findings": [
            {
                "address": finding.address,
                "attribute": finding.attribute,
                "severity": one.severity(finding),
                "says": finding.says,
                "mend": finding.mend,
            }
            for finding in one.findings
        ],
        "cannot_tell": [{"address": doubt.address, "says": doubt.says} for doubt in one.doubts],
        "notes": [{"address": note.address, "says": note.says} for note in one.notes],
        "accepted": [
            {
                "address": finding.address,
                "says": finding.says,
                "reason": entry.reason,
                "expires": entry.expires.isoformat(),
            }
            for finding, entry in one.accepted
        ],
    }


def as_sarif(proof: Proof, name: str) -> str:
    """Return the findings as SARIF 2.1.0, with what was accepted as suppressed results."""
    results: list[dict[str, Any]] = []
    for one in proof.judged:
        results.extend(_result(one, finding, name) for finding in one.findings)
        for finding, entry in one.accepted:
            result = _result(one, finding, name)
            result["suppressions"] = [{"kind": "external", "justification": entry.reason}]
            results.append(result)
    driver = {
        "name": "secure-openai prove",
        "rules": [
            {
                "id": one.statement.id,
                "shortDescription": {"text": one.statement.title},
                "fullDescription": {"text": one.statement.reason},
                "defaultConfiguration": {"level": _LEVELS[one.statement.severity]},
                "properties": {
                    "tags": ["security", *one.statement.controls],
                    "security-severity": _SCORES[one.statement.severity],
                },
            }
            for one in proof.judged
        ],
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _result(one: Judged, finding: Finding, name: str) -> dict[str, Any]:
    address, says = finding.address, finding.says
    return {
        "ruleId": one.statement.id,
        "level": _LEVELS[one.severity(finding)],
        "message": {"text": f"{address}: {says}."},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": name.replace("\\", "/")}},
                "logicalLocations": [{"fullyQualifiedName": address, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"statementAndAddress/v1": f"{one.statement.id}:{address}:{says}"},
    }


def as_junit(proof: Proof, name: str) -> str:
    """Return the statements as JUnit test cases: a finding fails one, a doubt skips it."""
    counts = proof.count()
    failures, skipped = counts.get(Verdict.FINDING, 0), counts.get(Verdict.CANNOT_TELL, 0)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuite name={_quoted(f'secure-openai prove {name}')} "
        f'tests="{len(proof.judged)}" failures="{failures}" skipped="{skipped}">',
    ]
    for one in proof.judged:
        title = _quoted(one.statement.title)
        lines.append(f"  <testcase classname={_quoted(one.statement.id)} name={title}>")
        if one.findings:
            text = "\n".join(f"{f.address}: {f.says}\n{f.mend}" for f in one.findings)
            said = _quoted(f"{len(one.findings)} findings")
            lines.append(f"    <failure message={said}>{escape(_clean(text))}</failure>")
        elif one.doubts:
            said = _quoted(f"cannot tell: {one.doubts[0].says}")
            lines.append(f"    <skipped message={said}/>")
        lines.append("  </testcase>")
    return "\n".join([*lines, "</testsuite>"]) + "\n"


def _quoted(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
