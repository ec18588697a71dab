"""The tables of docs/telemetry.md: `python -m secure_openai.telemetry.reference` prints them."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from secure_openai.telemetry.names import LOG_FIELDS, METRICS, SPANS, Attribute

BEGIN = "<!-- what is observed, from telemetry/names.py -->"
END = "<!-- end of what is observed -->"


def reference() -> str:
    """Return every metric, span, attribute and field of the log, as Markdown tables."""
    attributes = {
        one.name: one
        for declared in (*METRICS, *SPANS)
        for one in sorted(declared.attributes, key=lambda one: one.name)
    }
    return "\n\n".join(
        (
            "### Metrics",
            _table(
                ("metric", "is a", "unit", "says", "by"),
                (
                    (
                        f"`{one.name}`",
                        one.instrument.value,
                        f"`{one.unit}`",
                        one.meaning,
                        _names(one.attributes),
                    )
                    for one in METRICS
                ),
            ),
            "### Spans",
            _table(
                ("span", "is the time of", "says"),
                ((f"`{one.name}`", one.meaning, _names(one.attributes)) for one in SPANS),
            ),
            "### Attributes",
            _table(
                ("attribute", "says", "and is one of"),
                (
                    (f"`{one.name}`", one.meaning, one.bound)
                    for _, one in sorted(attributes.items())
                ),
            ),
            "### The log",
            _table(("field", "says"), ((f"`{one.name}`", one.meaning) for one in LOG_FIELDS)),
        )
    )


def _names(attributes: tuple[Attribute, ...]) -> str:
    return ", ".join(f"`{one.name}`" for one in attributes)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(reference() + "\n")
