"""A proof as one page that loads nothing: to be read, printed and handed on."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from secure_openai.posture.architecture.diagram import STYLE as DRAWING
from secure_openai.posture.assumptions import KINDS
from secure_openai.posture.printable import many, printable
from secure_openai.posture.proof import ONLY_AFTER_DEPLOYMENT, Verdict
from secure_openai.posture.report.controls import controls
from secure_openai.posture.report.evidence import evidence
from secure_openai.posture.report.illustration import illustration
from secure_openai.posture.report.report import Report, grouped

MOST_ADDRESSES: Final = 60
"""Addresses that are written out for one observation; the rest is counted."""

MOST_CODE: Final = 4000
"""Characters of a change that are written out."""

_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'"
_FOLDER: Final = files("secure_openai.posture.report")
_MARKS: Final = {Verdict.PROVEN: "✓", Verdict.FINDING: "✗", Verdict.CANNOT_TELL: "?"}
_SLUGS: Final = {
    Verdict.PROVEN: "proven",
    Verdict.FINDING: "finding",
    Verdict.CANNOT_TELL: "cannot-tell",
}


def _shown(value: Any) -> Any:
    """Return what a template writes out: its own markup as it is, anything else made printable."""
    return value if isinstance(value, Markup) else printable(value)


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(str(_FOLDER)),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["code"] = lambda text: escape(printable(text, MOST_CODE, lines=True))
_TEMPLATES.filters["grouped"] = grouped
_TEMPLATES.filters["many"] = many


def as_html(report: Report) -> str:
    """Return the report as an HTML document."""
    style = (_FOLDER / "report.css").read_text(encoding="utf-8") + DRAWING
    hashed = b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    estate = report.proof.topology.estate
    drawn = illustration(report)
    return _TEMPLATES.get_template("report.html").render(
        report=report,
        proof=report.proof,
        subject=report.subject,
        style=Markup(style),  # noqa: S704 - two files of this package
        policy=f"{_POLICY}; style-src 'sha256-{hashed}'",
        picture=drawn.picture,
        drawing=Markup(drawn.drawing),  # noqa: S704 - escaped where it is drawn
        undrawn=drawn.undrawn,
        evidence={one.statement.id: evidence(one, estate) for one in report.proof.judged},
        controls=controls(report.proof.judged),
        only_after_deployment=ONLY_AFTER_DEPLOYMENT,
        marks=_MARKS,
        slugs=_SLUGS,
        most_addresses=MOST_ADDRESSES,
        kinds=KINDS,
    )
