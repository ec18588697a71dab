"""The findings of a proof as SARIF 2.1.0, as code scanning reads it.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/ and, for what GitHub asks besides,
https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, Final

from secure_openai.posture.printable import printable
from secure_openai.posture.proof import Judged
from secure_openai.posture.report.locations import Locations
from secure_openai.posture.report.report import Report
from secure_openai.posture.statements import Finding, Severity

_LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
# GitHub's own bounds: above 9.0 is critical, from 7.0 high, from 4.0 medium.
_SCORES: Final = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.0",
    Severity.LOW: "2.0",
}
_DISTRIBUTION: Final = "azure-secure-openai"
_MOST_TAGS: Final = 20
_MESSAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of a statement: where, in which words, by which identity, how loud."""

    address: str
    attribute: str
    text: str
    identity: str
    level: str


def as_sarif(report: Report) -> str:
    """Return the findings; what was accepted is suppressed, and what cannot be told is open."""
    places = Locations(Path(report.subject.name), report.subject.configuration)
    run = {
        "tool": {"driver": _driver(report)},
        "automationDetails": {"id": "secure-openai-prove/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "endTimeUtc": report.subject.made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        ],
        "results": [
            result
            for index, one in enumerate(report.proof.judged)
            for result in _results(one, index, places)
        ],
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(document, indent=2) + "\n"


def _results(one: Judged, index: int, places: Locations) -> Iterator[dict[str, Any]]:
    for finding in one.findings:
        text = f"{finding.says}. To mend it:\n\n{finding.mend}"
        yield _result(one, index, places, _found(one, finding, text))
    for finding, entry in one.accepted:
        result = _result(one, index, places, _found(one, finding, f"{finding.says}."))
        why = printable(entry.reason, _MESSAGE)
        yield result | {
            "suppressions": [{"kind": "external", "status": "accepted", "justification": why}]
        }
    for doubt in one.doubts:
        text = f"cannot be told: {doubt.says}."
        said = _Said(doubt.address, "", text, doubt.says, "none")
        yield _result(one, index, places, said) | {"kind": "open"}


def _found(one: Judged, finding: Finding, text: str) -> _Said:
    identity = f"{finding.attribute}:{finding.says}"
    return _Said(finding.address, finding.attribute, text, identity, _LEVELS[one.severity(finding)])


def _driver(report: Report) -> dict[str, Any]:
    driver: dict[str, Any] = {
        "name": "secure-openai prove",
        "organization": "Azure Secure OpenAI Development Framework",
        "semanticVersion": report.subject.tool,
        "rules": [_rule(one) for one in report.proof.judged],
    }
    home = _home()
    return driver | {"informationUri": home} if home else driver


def _home() -> str:
    """Return where the distribution says that it is at home; empty if it does not say."""
    try:
        urls = metadata(_DISTRIBUTION).get_all("Project-URL") or ()
    except PackageNotFoundError:
        return ""
    named = (one.partition(",")[2].strip() for one in urls)
    return next((one for one in named if one.startswith("https://")), "")


def _rule(one: Judged) -> dict[str, Any]:
    statement = one.statement
    answers = ", ".join(statement.controls)
    more = f" Answers: {answers}." if answers else ""
    return {
        "id": statement.id,
        "name": statement.id.replace("-", ""),
        "shortDescription": {"text": f"{statement.title}."},
        "fullDescription": {"text": statement.reason},
        "help": {
            "text": f"{statement.title}. {statement.reason}{more}",
            "markdown": f"**{statement.title}.** {statement.reason}{more}",
        },
        "defaultConfiguration": {"level": _LEVELS[statement.severity]},
        "properties": {
            "tags": ["security", *statement.controls][:_MOST_TAGS],
            "precision": "very-high",
            "security-severity": _SCORES[statement.severity],
        },
    }


def _result(one: Judged, index: int, places: Locations, said: _Said) -> dict[str, Any]:
    place = places.of(said.address, said.attribute)
    text = f"{said.address}: {said.text}" if said.address else said.text
    name = f"{one.statement.id}:{said.address}:{said.identity}".encode("utf-8", "replace")
    where: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": place.uri, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": place.line},
        }
    }
    if said.address:
        where["logicalLocations"] = [
            {"fullyQualifiedName": printable(said.address), "kind": "resource"}
        ]
    return {
        "ruleId": one.statement.id,
        "ruleIndex": index,
        "level": said.level,
        "message": {"text": printable(text, _MESSAGE, lines=True)},
        "locations": [where],
        # The same finding is the same alert wherever its block moves.
        "partialFingerprints": {
            "primaryLocationLineHash": f"{hashlib.sha256(name).hexdigest()[:16]}:1"
        },
    }
