"""docs/telemetry.md lists what the code observes, and nothing else."""

from __future__ import annotations

from pathlib import Path

from secure_openai.telemetry.reference import BEGIN, END, reference

PAGE = Path(__file__).parent.parent.parent / "docs" / "telemetry.md"


def test_the_page_has_the_tables_of_the_code() -> None:
    """Every metric, span, attribute and field of the log, as `telemetry.reference` prints them."""
    page = PAGE.read_text(encoding="utf-8")
    between = page.partition(BEGIN)[2].partition(END)[0]

    assert between.strip() == reference().strip()
