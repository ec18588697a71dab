"""How soon a person with very many conversations sees what was asked for, in a real Chromium.

From the click, the last key or the end of the list to the frame that shows it and has run its
scripts; each five times. Beside it stand the longest task, for which nothing else moves and no
click is heard, and how many elements the page holds. What takes 200 ms feels like an answer to
what one did; a task of 100 ms is felt as a hitch.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, StorageState, sync_playwright
from tests.browser.conftest import chromium
from tests.browser.person import sign_in
from tests.system import System, running

TIMES = 5
OPENING_MS = 1500
QUIET_MS = 300
LIMIT_MS = 200
TASK_MS = 100
NOTED_MS = 50
"""A browser tells of no task that is shorter."""

HEADING = (
    f"The page, in Chromium; the limits are {LIMIT_MS} ms until it is shown (median of each) and "
    f"{TASK_MS} ms for the longest task; below {NOTED_MS} none is told:"
)

WATCH = """
window.longest = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
}).observe({ type: "longtask", buffered: true });
const told = () => performance.timeOrigin + performance.now();
for (const name of ["click", "input"]) {
  addEventListener(name, () => sessionStorage.setItem("begun", told()), { capture: true });
}
window.begin = () => sessionStorage.setItem("begun", told());
// Seen in one frame and asked for in the next: what it saw has been painted.
window.shown = (seen) => new Promise((resolve) => {
  const look = () => {
    if (seen()) requestAnimationFrame(() => resolve(told() - sessionStorage.getItem("begun")));
    else requestAnimationFrame(look);
  };
  look();
});
"""

LISTED = """() => shown(() => document.querySelector("#chat")?.dataset.conversation === ""
  && document.querySelectorAll("#conversations li[data-id]").length >= 50
  && document.querySelector("#conversations .when"))"""
OPENED = """(id) => shown(() => {
  const last = document.querySelector("#messages > li:last-child");
  if (!last || document.querySelector("#chat").dataset.conversation !== id) return false;
  const { top, bottom } = document.querySelector("#talk").getBoundingClientRect();
  const at = last.getBoundingClientRect();
  return !last.querySelector(".turn-actions").hidden && at.bottom > top && at.top < bottom;
})"""
GROWN = "([rows, before]) => shown(() => document.querySelectorAll(rows).length > before)"
COUNT = "(rows) => document.querySelectorAll(rows).length"
TO_END = """() => {
  const list = document.querySelector("#conversations-nav");
  list.scrollTop = list.scrollHeight;
  begin();
}"""
MESSAGES, ROWS, FOUND = ".message", "#conversations li[data-id]", "#found li"


@dataclass
class Seen:
    """One thing that a person does: how long each time took, and what the page was then."""

    what: str
    times: list[float] = field(default_factory=list)
    longest_task: float = 0
    elements: int = 0

    def add(self, page: Page, took: float) -> None:
        """Take one time, once the page is quiet."""
        page.wait_for_timeout(QUIET_MS)
        self.times.append(took)
        self.longest_task = max(self.longest_task, page.evaluate("longest"))
        page.evaluate("longest = 0")
        elements = page.evaluate("document.querySelectorAll('*').length")
        self.elements = max(self.elements, elements)

    def row(self) -> str:
        """Return the row of the table."""
        task = f"{self.longest_task:.0f}" if self.longest_task else f"under {NOTED_MS}"
        median, longest = statistics.median(self.times), max(self.times)
        counted = f"{len(self.times)} | {median:.0f} | {longest:.0f}"
        return f"| {self.what} | {counted} | {task} | {self.elements:,} |"

    def over(self) -> bool:
        """Return whether a person would call it slow."""
        return statistics.median(self.times) > LIMIT_MS or self.longest_task > TASK_MS


@contextmanager
def window(browser: Browser, state: StorageState, system: System) -> Iterator[Page]:
    """Open a window before the first page."""
    context = browser.new_context(storage_state=state, viewport={"width": 1200, "height": 800})
    context.add_init_script(WATCH)
    page = context.new_page()
    page.wait_for_timeout(OPENING_MS)
    page.goto(system.url, wait_until="networkidle")
    page.evaluate("longest = 0")
    yield page
    context.close()


def grown(page: Page, seen: Seen, rows: str, before: int) -> None:
    """Wait until there are more rows than before."""
    seen.add(page, page.evaluate(GROWN, [rows, before]))


def listed(page: Page, seen: Seen, _: str) -> None:
    """Go to the first page."""
    with page.expect_navigation(wait_until="commit"):
        page.locator("#new").click(no_wait_after=True)
    seen.add(page, page.evaluate(LISTED))


def opened(page: Page, seen: Seen, chosen: str) -> None:
    """Open a conversation from the list."""
    with page.expect_navigation(wait_until="commit"):
        page.locator(f"{ROWS} a[href='/conversations/{chosen}']").click(no_wait_after=True)
    seen.add(page, page.evaluate(OPENED, chosen))


def earlier(page: Page, seen: Seen, _: str) -> None:
    """Go to where the conversation began."""
    button = page.locator("#earlier button")
    while button.is_visible():
        before = page.evaluate(COUNT, MESSAGES)
        button.click()
        grown(page, seen, MESSAGES, before)


def found(page: Page, seen: Seen, needle: str) -> None:
    """Search."""
    search = page.get_by_label("Search conversations")
    search.fill(needle)
    grown(page, seen, FOUND, 0)
    search.fill("")
    page.wait_for_timeout(QUIET_MS)


def ended(page: Page, seen: Seen, _: str) -> None:
    """Scroll the list to its end."""
    while page.locator("#conversations").get_attribute("data-continuation"):
        before = page.evaluate(COUNT, ROWS)
        page.evaluate(TO_END)
        grown(page, seen, ROWS, before)


def shown(data: Path, *, needle: str) -> list[str]:
    """Print the page's table of what lies in `data`; return what is over its limit."""
    acts = {
        "the first page with the list at its side": listed,
        "a conversation, opened at its end": opened,
        "its earlier messages": earlier,
        "what a search finds": found,
        "further rows of the list": ended,
    }
    table = [Seen(what) for what in acts]
    with running(data) as system, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context()
        sign_in(context.new_page(), system, "Uma")
        state = context.storage_state()
        context.close()
        for number in range(TIMES):
            with window(browser, state, system) as page:
                chosen = page.locator(ROWS).nth(number).get_attribute("data-id")
                for seen, act in zip(table, acts.values(), strict=True):
                    act(page, seen, needle if act is found else str(chosen))
        browser.close()
    print("| what is shown | times | median, ms | longest, ms | longest task, ms | elements |")
    print("| --- | --- | --- | --- | --- | --- |")
    for seen in table:
        print(seen.row())
    return [f"{seen.what}, on the page" for seen in table if seen.over()]
