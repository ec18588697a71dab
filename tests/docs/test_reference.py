"""The reference pages say what the code says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_pages_are_the_codes(tmp_path: Path) -> None:
    """`python docs/reference` would change none of them."""
    folder = tmp_path / "reference"
    shutil.copytree(DOCS / "reference", folder)
    changed = subprocess.run(
        [sys.executable, str(folder)], capture_output=True, text=True, check=True
    ).stdout

    assert changed == "", "run: python docs/reference"
