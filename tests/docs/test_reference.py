"""The reference pages say what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs" / "reference"


def test_the_pages_are_the_codes() -> None:
    """`python docs/reference` would change none of them."""
    checked = subprocess.run(
        [sys.executable, str(PAGES), "--check"], capture_output=True, text=True, check=False
    )

    assert checked.stderr == ""
    assert checked.stdout == "", "run: python docs/reference"
    assert checked.returncode == 0
