"""The blocks of code in the README and the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDS_AZURE = re.compile(r"needs azure", re.IGNORECASE)
_FENCE = re.compile(r"^(?P<fence>```+)(?P<language>\S*)$")


ELSEWHERE = {
    ("README.md", "python"): "tests/test_readme.py",
    ("README.md", "sh"): "tests/test_readme.py",
    ("docs/audit.md", "python"): "tests/audit/test_recipe.py",
    ("docs/delivery.md", "python"): "tests/delivery/test_new.py",
    ("docs/gateway.md", "js"): "tests/clients/test_documentation.py",
    ("docs/gateway.md", "python"): "tests/clients/test_documentation.py",
    ("docs/gateway.md", "sh"): "tests/clients/test_documentation.py",
    ("docs/gateway.md", "yaml"): "tests/clients/test_documentation.py",
}
"""Tests that take the blocks of one page and language from the page, and run every one."""


@dataclass(frozen=True)
class Block:
    """One block.

    Attributes:
        page: Where it stands, from the root.
        line: On which line it begins.
        language: As its fence says.
        text: What is in it.
        needs_azure: Whether a reader is told so between its heading and itself.
    """

    page: str
    line: int
    language: str
    text: str
    needs_azure: bool

    @property
    def id(self) -> str:
        """Return what tests call it."""
        return f"{self.page}:{self.line}"


def pages() -> Iterator[Path]:
    """Yield the README and every page that a person wrote."""
    yield ROOT / "README.md"
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if page.parent.name != "reference":
            yield page


def blocks() -> list[Block]:
    """Return every block of every page, in order."""
    return [block for page in pages() for block in _blocks_of(page)]


def _blocks_of(page: Path) -> Iterator[Block]:
    name = page.relative_to(ROOT).as_posix()
    told, inside, start = False, None, 0
    taken: list[str] = []
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if inside is not None:
            if fence and fence["fence"] == inside["fence"] and not fence["language"]:
                yield Block(name, start, inside["language"], "\n".join(taken) + "\n", told)
                inside = None
            else:
                taken.append(line)
        elif fence:
            inside, start, taken = fence, number, []
        elif line.startswith("#"):
            told = False
        else:
            told = told or NEEDS_AZURE.search(line) is not None
