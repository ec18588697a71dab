"""What the first page weighs, and how soon it is painted, in a browser that has nothing of it yet.

Exits 1 over its limits: 150 kB uncompressed with everything that it loads, and 300 ms on loopback
until it is painted, by the median. Each page has a window of its own with an empty cache, which is
given a while to open: a new window of Chromium loads some hundred modules for its own surface, and
whoever goes to a page has a window.

Other work on the machine shows in every figure, so two more stand beside: how soon a page that
holds one word and loads nothing was painted in the same rounds, and how long the system's processes
worked.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from playwright.sync_api import Browser, Page, StorageState, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.browser.conftest import chromium
from tests.browser.person import sign_in
from tests.system import System, running

TIMES = 9
LIMIT_KB = 150
LIMIT_MS = 300
OPENING_MS = 1500
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
ANSWERED = "performance.getEntriesByType('navigation')[0].responseEnd"
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


class Word(BaseHTTPRequestHandler):
    """A page that holds one word."""

    def do_GET(self) -> None:
        """Answer with it."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Word</title><h1>Word</h1>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def word() -> Iterator[str]:
    """Serve that page."""
    with HTTPServer(("127.0.0.1", 0), Word) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def window(browser: Browser, state: StorageState) -> Iterator[Page]:
    """Open a window that has nothing of the page yet."""
    context = browser.new_context(storage_state=state)
    page = context.new_page()
    page.wait_for_timeout(OPENING_MS)
    yield page
    context.close()


def worked_ms(system: System) -> float:
    """Return how long the system's processes have worked, where Linux tells."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if system.process.pid in {int(told[1]), int(told[3])}:
            ticks += int(told[11]) + int(told[12])
    return ticks * TICK_MS


def main() -> None:
    """Print what the page weighs, and medians of how soon it was there."""
    painted, answered, worked, floor = [], [], [], []
    sizes: dict[str, int] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "data") as system,
        word() as nothing,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context()
        sign_in(context.new_page(), system, "Uma")
        state = context.storage_state()
        context.close()
        with window(browser, state) as page:
            page.on("response", lambda one: sizes.update({one.url: len(one.body())}))
            page.goto(system.url, wait_until="networkidle")
        for _ in range(TIMES):
            with window(browser, state) as page:
                page.goto(nothing, wait_until="networkidle")
                floor.append(page.evaluate(PAINTED))
            with window(browser, state) as page:
                before = worked_ms(system)
                page.goto(system.url, wait_until="networkidle")
                worked.append(worked_ms(system) - before)
                painted.append(page.evaluate(PAINTED))
                answered.append(page.evaluate(ANSWERED))
        browser.close()
    size, median = sum(sizes.values()) / 1000, statistics.median(painted)
    print(f"first page: {size:.0f} kB in {len(sizes)} files (limit: {LIMIT_KB})")
    print(f"answered after {statistics.median(answered):.0f} ms (median of {TIMES})")
    best, longest = min(painted), max(painted)
    print(f"painted after {median:.0f} ms (limit: {LIMIT_MS}), {best:.0f} to {longest:.0f} ms")
    print(f"a page of one word: {statistics.median(floor):.0f} ms, at best {min(floor):.0f} ms")
    print(f"the system worked {statistics.mean(worked):.0f} ms for each page")
    over = [
        f"{taken:.0f} {unit} {what}, and the limit is {limit}"
        for what, taken, unit, limit in (
            ("to load", size, "kB", LIMIT_KB),
            ("until it is painted", median, "ms", LIMIT_MS),
        )
        if taken > limit
    ]
    if over:
        sys.exit(f"over the limit: {'; '.join(over)}")


if __name__ == "__main__":
    main()
