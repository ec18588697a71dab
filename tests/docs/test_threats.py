"""What the pages on threats name as shown is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["threats.md", "threat-model.md"])
def test_every_test_that_is_named_exists(page: str) -> None:
    """A path in the last column is one of `tests/`, or of its like."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|") and "`" in line]
    named = {
        name for row in rows for name in re.findall(r"`([\w/]+(?:\.py|/))`", row.split("|")[-2])
    }

    assert [name for name in sorted(named) if not (ROOT / "tests" / name).exists()] == []
    assert len(named) > 10
