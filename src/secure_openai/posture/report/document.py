"""A proof as JSON, whole, for programs.

Characters outside ASCII are escaped: what an estate's names hold reaches programs unchanged and no
terminal.
"""

from __future__ import annotations

import json
from typing import Any, Final

from secure_openai.posture.proof import ONLY_AFTER_DEPLOYMENT, Judged
from secure_openai.posture.report.report import Report

FORMAT_VERSION: Final = "1.1"
"""Of the document: its first number changes when something is taken away or means another thing."""


def as_json(report: Report) -> str:
    """Return the whole proof as JSON."""
    proof, subject = report.proof, report.subject
    document = {
        "format_version": FORMAT_VERSION,
        "source": subject.name,
        "form": subject.form,
        "made": subject.made.isoformat(),
        "tool_version": subject.tool,
        "terraform_version": subject.terraform,
        "provider_facts": dict(subject.facts),
        "inputs": [
            {"role": one.role, "name": one.name, "sha256": one.digest} for one in subject.inputs
        ],
        "estate_sha256": subject.estate,
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
    return json.dumps(document, indent=2) + "\n"


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
        "covers": list(one.statement.covers),
        "seen": [{"address": seen.address, "says": seen.says} for seen in one.seen],
    }
