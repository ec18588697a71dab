"""What the first page weighs, and how soon it is painted, in a browser that has nothing of it yet.

The limits: 150 kB uncompressed with everything that it loads, and 300 ms on loopback.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.browser.conftest import chromium
from tests.browser.person import sign_in
from tests.system import running

TIMES = 9
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
ANSWERED = "performance.getEntriesByType('navigation')[0].responseEnd"


def main() -> None:
    painted, answered = [], []
    sizes: dict[str, int] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "data") as system,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context()
        sign_in(context.new_page(), system, "Uma")
        state = context.storage_state()
        for _ in range(TIMES):
            context = browser.new_context(storage_state=state)
            page = context.new_page()
            page.on("response", lambda one: sizes.update({one.url: len(one.body())}))
            page.goto(system.url, wait_until="networkidle")
            painted.append(page.evaluate(PAINTED))
            answered.append(page.evaluate(ANSWERED))
            context.close()
        browser.close()
    print(f"first page: {sum(sizes.values()) / 1000:.0f} kB in {len(sizes)} files")
    print(f"answered after {statistics.median(answered):.0f} ms (median of {TIMES})")
    print(f"painted after {statistics.median(painted):.0f} ms, at best {min(painted):.0f} ms")


if __name__ == "__main__":
    main()
