"""The documentation becomes a site without a warning, and the site asks nobody for anything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

DOCS = Path(__file__).parents[2] / "docs"
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as strictly as `make site` does."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-W", "--keep-going", "--quiet"),
            *("--builder", "html", str(DOCS), str(folder)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


class Loads(HTMLParser):
    """Gathers what a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element loads."""
        values = dict(attrs)
        # A link to a neighbour's page is followed only by whoever clicks on it.
        if tag in LOADS and values.get("rel") not in {"next", "prev", "search", "index"}:
            self.found.append(values.get(LOADS[tag]) or "")


def loaded(site: Path) -> Iterator[tuple[Path, str]]:
    """Yield what each page loads."""
    for page in site.rglob("*.html"):
        reader = Loads()
        reader.feed(page.read_text("utf-8"))
        yield from ((page, target) for target in reader.found)


def test_a_page_loads_only_what_lies_beside_it(site: Path) -> None:
    """No host is named: who reads it tells nobody."""
    named = [(page.name, what) for page, what in loaded(site) if "//" in what]
    count = sum(1 for _ in loaded(site))

    assert named == []
    assert count > len(list(DOCS.glob("*.md")))


def test_what_a_page_loads_is_there(site: Path) -> None:
    """Pictures included: none is broken."""
    missing = [
        (page.name, target)
        for page, target in loaded(site)
        if not (page.parent / unquote(target.partition("?")[0])).exists()
    ]

    assert missing == []


def test_every_page_is_in_the_site_and_can_be_searched(site: Path) -> None:
    """Each Markdown file became a page, and the index of the search knows it."""
    index = (site / "searchindex.js").read_text("utf-8")
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert (site / f"{name}.html").exists()
        assert f'"{name}"' in index
