"""What the pages on threats name as shown is there, and runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
SUITES = ROOT / "src" / "secure_openai" / "testing"
PAGES = ("threats.md", "threat-model.md")
PATH = re.compile(r"`([\w/]+(?:\.py|/))`")
SUITE = re.compile(r"the (\w+) contract suite")


def tables(page: str) -> list[list[list[str]]]:
    """Return the tables of a page that say what shows something: rows of cells, the head first."""
    found: list[list[list[str]]] = [[]]
    for line in (ROOT / "docs" / page).read_text("utf-8").splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if set("".join(cells)) > {"-"} or "".join(cells).strip("-"):
                found[-1].append(cells)
        elif found[-1]:
            found.append([])
    return [rows for rows in found if rows and rows[0][-1] == "shown by"]


def runs(path: Path) -> bool:
    """Return whether pytest collects a test of a file: a function, or a suite that it takes."""
    if not path.name.startswith("test_"):
        return False
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    functions = (one for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    classes = (one for one in nodes if isinstance(one, ast.ClassDef))
    bases = (base for one in classes if one.name.startswith("Test") for base in one.bases)
    return any(one.name.startswith("test_") for one in functions) or any(
        isinstance(base, ast.Name) and base.id.endswith("Contract") for base in bases
    )


def kept(suite: str, tests: str) -> bool:
    """Return whether a contract suite is there, and some implementation is held to it."""
    path = SUITES / f"{suite}_contract.py"
    if not path.is_file():
        return False
    classes = re.findall(r"^class (\w+Contract)\b", path.read_text("utf-8"), re.MULTILINE)
    return any(
        re.search(rf"^class Test\w*\([^)]*\b{one}\b", tests, re.MULTILINE) for one in classes
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_row_says_what_stops_it_and_what_shows_it(page: str) -> None:
    """No cell is empty, and the last one names a file, a folder or a contract suite."""
    rows = [row for table in tables(page) for row in table[1:]]

    assert len(rows) > 15
    assert [row[0] for row in rows if not all(row)] == []
    assert [row[0] for row in rows if not PATH.search(row[-1]) and not SUITE.search(row[-1])] == []


def test_every_test_that_is_named_is_collected() -> None:
    """A file has tests in it, a folder has such files, and a suite is kept by somebody."""
    last = [row[-1] for page in PAGES for table in tables(page) for row in table[1:]]
    paths = {name for cell in last for name in PATH.findall(cell)}
    suites = {name for cell in last for name in SUITE.findall(cell)}
    everything = "\n".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py")
                           if "node_modules" not in path.parts)  # fmt: skip

    assert len(paths) > 60
    assert [
        name
        for name in sorted(paths)
        if not any(
            map(runs, [TESTS / name] if name.endswith(".py") else (TESTS / name).rglob("*.py"))
        )
    ] == []
    assert [name for name in sorted(suites) if not kept(name, everything)] == []


def test_every_risk_of_owasps_list_is_answered() -> None:
    """OWASP Top 10 for LLM Applications (2025): all ten, each once, in order."""
    risks = [
        row[0].split()[0]
        for table in tables("threat-model.md")
        for row in table[1:]
        if row[0].startswith("LLM")
    ]

    assert risks == [f"LLM{number:02}" for number in range(1, 11)]


def test_the_picture_and_the_table_have_the_same_boundaries() -> None:
    """What crosses a boundary has its number in both."""
    page = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
    first = page.index("| | from | to |")
    rows = page[first : page.index("\n\n", first)].splitlines()[2:]
    numbers = {int(one) for row in rows for one in re.findall(r"\d", row.split("|")[1])}
    texts = re.findall(r"<text[^>]*>([^<]+)", (ROOT / "docs" / "threat-model.svg").read_text())

    assert numbers == {int(one.split()[0]) for one in texts if one.split()[0].isdigit()}
