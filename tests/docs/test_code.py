"""Every package has a page."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ROW = re.compile(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#]+)")


def test_every_package_has_its_page() -> None:
    """The table names each package once, with a page that is there."""
    rows = ROW.findall((DOCS / "code.md").read_text("utf-8"))
    packages = sorted(path.parent.name for path in ROOT.glob("src/secure_openai/*/__init__.py"))

    assert [name for name, _ in rows] == packages
    assert [name for name, cell in rows if not LINK.findall(cell)] == []
    assert [
        page for _, cell in rows for page in LINK.findall(cell) if not (DOCS / page).is_file()
    ] == []
