"""Known vulnerabilities of what is locked: asked for by the program that the pipeline runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.infra.estate import ROOT

PROGRAM = ROOT / ".ci" / "advisories.py"
HOLE = "GHSA-aaaa-bbbb-cccc"
ADVISORY = {
    "id": HOLE,
    "aliases": ["CVE-2026-0001"],
    "summary": "Jinja lets\x1b[2J templates out\nmore",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "jinja2"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.7"}]}],
        }
    ],
}


class Osv(ThreadingHTTPServer):
    """OSV's two addresses, with what is known of whom."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.known: dict[tuple[str, str, str], list[str]] = {}
        self.advisories: dict[str, dict[str, Any]] = {HOLE: dict(ADVISORY)}
        self.asked: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers in OSV's shapes: one result for each query, a page at a time."""

    server: Osv

    def do_POST(self) -> None:
        """Answer a batch: a first page says nothing but that there is another."""
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        self.server.asked += queries
        self.answer({"results": [self._result(one) for one in queries]})

    def _result(self, query: dict[str, Any]) -> dict[str, Any]:
        package = query["package"]
        found = self.server.known.get((package["ecosystem"], package["name"], query["version"]))
        if not found:
            return {}
        if "page_token" not in query:
            return {"next_page_token": "second"}
        return {"vulns": [{"id": one, "modified": "2026-01-01T00:00:00Z"} for one in found]}

    def do_GET(self) -> None:
        """Answer one advisory."""
        self.answer(self.server.advisories[self.path.rpartition("/")[2]])

    def answer(self, body: object) -> None:
        """Write JSON."""
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def osv() -> Iterator[Osv]:
    """Return a running OSV that knows of nothing."""
    with Osv() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that locks two packages, one of them for Windows only."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "base.txt").write_text(
        "jinja2==3.1.6 \\\n    --hash=sha256:00\n"
        "pywin32==311 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n    # via x\n"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "package-lock.json").write_text(
        json.dumps(
            {
                "lockfileVersion": 3,
                "packages": {
                    "": {"name": "ours"},
                    "node_modules/a/node_modules/@b/c": {"version": "1.0.0"},
                },
            }
        )
    )
    return tmp_path


def run(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Run the program as the workflow does."""
    return subprocess.run(
        [sys.executable, PROGRAM, folder],
        env=os.environ | {"OSV_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_known_vulnerability_ends_the_job(osv: Osv, folder: Path) -> None:
    """It names the package, who locks it, and what mends it; nothing in it moves a terminal."""
    osv.known["PyPI", "jinja2", "3.1.6"] = [HOLE]
    done = run(folder, osv.url)

    assert done.returncode == 1
    assert done.stdout == (
        "jinja2 3.1.6 (requirements/base.txt)\n"
        f"  {HOLE}, known: Jinja lets[2J templates out\n"
        "  mended in 3.1.7\n"
        "3 packages asked for, 1 advisories to act on.\n"
    )


def test_everything_locked_is_asked_for_on_every_platform(osv: Osv, folder: Path) -> None:
    """Names and versions, of Python and of JavaScript, and nothing else."""
    done = run(folder, osv.url)

    assert (done.returncode, done.stderr) == (0, "")
    assert osv.asked == [
        {"package": {"ecosystem": kind, "name": name}, "version": version}
        for kind, name, version in (
            ("PyPI", "jinja2", "3.1.6"),
            ("PyPI", "pywin32", "311"),
            ("npm", "@b/c", "1.0.0"),
        )
    ]


def test_what_is_accepted_counts_until_its_last_day(osv: Osv, folder: Path) -> None:
    """An advisory is accepted by any of its names, with a reason; a day later it is asked anew."""
    osv.known["PyPI", "jinja2", "3.1.6"] = [HOLE]
    (folder / ".ci").mkdir()
    accepted = folder / ".ci" / "accepted-advisories.json"
    today = datetime.now(UTC).date()
    row = {"why": "no template is a user's", "until": (today + timedelta(days=1)).isoformat()}
    accepted.write_text(json.dumps({"CVE-2026-0001": row}))
    fine = run(folder, osv.url)
    accepted.write_text(
        json.dumps({"CVE-2026-0001": row | {"until": (today - timedelta(days=1)).isoformat()}})
    )
    over = run(folder, osv.url)
    accepted.write_text(json.dumps({"CVE-2026-0001": row | {"why": " "}}))
    silent = run(folder, osv.url)

    assert (fine.returncode, over.returncode, silent.returncode) == (0, 2, 2)
    assert "accepted: no template is a user's" in fine.stdout
    assert "look again at CVE-2026-0001" in over.stderr


def test_an_advisory_that_was_withdrawn_is_none(osv: Osv, folder: Path) -> None:
    """Nobody acts on what its authors took back."""
    osv.known["PyPI", "jinja2", "3.1.6"] = [HOLE]
    osv.advisories[HOLE]["withdrawn"] = "2026-01-02T00:00:00Z"

    assert run(folder, osv.url).returncode == 0


def test_what_cannot_be_asked_is_never_fine(osv: Osv, folder: Path) -> None:
    """An index that is not reached, a version that is not exact, a folder that locks nothing."""
    unreached = run(folder, "http://127.0.0.1:9")
    (folder / "requirements" / "base.txt").write_text("jinja2>=3\n")
    loose = run(folder, osv.url)
    nothing = run(folder / "tests" / "nowhere", osv.url)

    assert [one.returncode for one in (unreached, loose, nothing)] == [2, 2, 2]
    assert "cannot be asked" in unreached.stderr
    assert "'jinja2>=3' names no exact version" in loose.stderr
    assert "locks nothing" in nothing.stderr
    assert all("Traceback" not in one.stderr for one in (unreached, loose, nothing))


def test_a_folder_of_ones_own_is_asked_for(osv: Osv, folder: Path) -> None:
    """The framework that it carries is on no index; another file by its path is read."""
    carried = "./vendor/azure_secure_openai-0.1.0-py3-none-any.whl --hash=sha256:" + "0" * 64
    own = folder / "requirements" / "framework.txt"
    own.write_text(f"# The framework.\n{carried}\n")
    fine = run(folder, osv.url)
    own.write_text(carried.replace("azure_secure_openai", "somebody_elses") + "\n")
    other = run(folder, osv.url)

    assert (fine.returncode, fine.stderr) == (0, "")
    assert "azure-secure-openai" not in {one["package"]["name"] for one in osv.asked}
    assert other.returncode == 2
    assert "names no exact version" in other.stderr


def test_every_set_of_this_repository_is_asked_for(osv: Osv) -> None:
    """All sets of requirements and all lock files are read, without a line left over."""
    done = run(ROOT, osv.url)
    asked = {(one["package"]["ecosystem"], one["package"]["name"]) for one in osv.asked}

    assert (done.returncode, done.stderr) == (0, "")
    assert asked >= {("PyPI", "aiohttp"), ("PyPI", "checkov"), ("PyPI", "litellm"),
                     ("npm", "axe-core"), ("npm", "azurite"), ("npm", "openai")}  # fmt: skip
