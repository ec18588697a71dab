"""The estate of a report, drawn, with the report's findings and doubts where they sit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.architecture.diagram import diagram
from secure_openai.posture.architecture.marks import DOUBT, Mark
from secure_openai.posture.architecture.picture import Picture, picture
from secure_openai.posture.report.report import Report

NO_RELATIONS: Final = "a plan does not know what refers to what: give --config with its folder"
NO_SHAPE: Final = "some resource has not the shape that its provider writes"

_SHAPES: Final = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading a resource raises that has not the shape which its provider writes."""


@dataclass(frozen=True, slots=True)
class Illustration:
    """An estate drawn.

    Attributes:
        picture: What the picture shows; None where there is none.
        drawing: The picture as SVG; empty where there is none.
        undrawn: Why there is none, without a full stop.
    """

    picture: Picture | None
    drawing: str
    undrawn: str = ""


def illustration(report: Report) -> Illustration:
    """Return the estate of a report drawn, or why it cannot be."""
    networks = report.proof.topology
    if not networks.estate.relations:
        return Illustration(None, "", NO_RELATIONS)
    found = marks(report)
    try:
        shown = picture(networks, {one.address for one in found})
        drawn = diagram(networks, f"Picture of {report.subject.name}", found, alone=False)
    except _SHAPES:
        return Illustration(None, "", NO_SHAPE)
    return Illustration(shown, report.mask(drawn))


def marks(report: Report) -> list[Mark]:
    """Return a mark for each finding, and one for each place of which something cannot be told."""
    return [*_found(report), *_doubted(report)]


def _found(report: Report) -> Iterator[Mark]:
    for one in report.findings:
        says = f"{one.number}, {one.severity}: {one.judged.statement.id}: {one.finding.says}"
        target = f"#finding-{one.number}"
        yield Mark(str(one.number), one.severity.value, says, one.finding.address, target)


def _doubted(report: Report) -> Iterator[Mark]:
    doubted = set()
    for judged in report.proof.judged:
        for doubt in judged.doubts:
            if doubt.address and doubt.address not in doubted:
                doubted.add(doubt.address)
                says = f"Cannot be told: {judged.statement.id}: {doubt.says}"
                yield Mark("?", DOUBT, says, doubt.address, f"#{judged.statement.id}")
