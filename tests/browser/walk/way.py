"""A person on their way, at one width and in one theme."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import watched
from tests.browser.person import PATIENCE, answer
from tests.browser.test_looks import AXE
from tests.browser.wire import Wire
from tests.system import Place

Theme = Literal["light", "dark"]

OTHER: dict[Theme, Theme] = {"light": "dark", "dark": "light"}

REST = """async () => {
  const moving = () => document.getAnimations().filter(one => one.playState === "running");
  await Promise.all(moving().map(one => one.finished.catch(() => null)));
}"""
UNFOLD = """() => {
  const folded = [...document.querySelectorAll("main details:not([open])")];
  for (const one of folded) {
    one.open = true;
    one.dataset.folded = "";
  }
}"""
FOLD = """() => {
  for (const one of document.querySelectorAll("details[data-folded]")) {
    one.open = false;
    delete one.dataset.folded;
  }
}"""
WIDER = """width => [document.documentElement, document.querySelector("#main")]
  .some(one => one && one.scrollWidth > Math.min(width, one.clientWidth))"""
"""Whether a page, or what scrolls in it, reaches over its edge. A phone shows more of a page that
is too wide: its window alone is no measure."""
ASIDE = """width => {
  const pressed = "main :is(a[href], button, input, select, textarea, summary)";
  const aside = [...document.querySelectorAll(pressed)].filter(one => {
    if (!one.checkVisibility({visibilityProperty: true})) return false;
    const {left, right, width: own} = one.getBoundingClientRect();
    return own > 0 && (left < -1 || right > width + 1);
  });
  return aside.map(one => one.outerHTML.slice(0, 120));
}"""
"""What one presses and would have to push something aside for."""


@functools.cache
def _axe() -> str:
    return AXE.read_text("utf-8")


@dataclass
class Walk:
    """A person on their way.

    Attributes:
        page: What they see.
        system: Where it is.
        wire: What lies between.
        width: Of the page.
        theme: What they choose.
        found: What is wrong with what they saw, each with where that was.
    """

    page: Page
    system: Place
    wire: Wire
    width: int
    theme: Theme
    found: list[str] = field(default_factory=list)

    @property
    def own(self) -> str:
        """Return what nobody on another way calls anything."""
        return f"{self.width} {self.theme}"

    @property
    def message(self) -> Locator:
        """Return the field to write in."""
        return self.page.get_by_label("Message", exact=True)

    def settled(self, status: str = "complete") -> Locator:
        """Wait until an answer has ended and one may go on; return it."""
        last = answer(self.page)
        expect(last).to_have_attribute("data-status", status)
        expect(self.page.locator("#stop")).to_be_hidden()
        return last

    def look(self, where: str) -> None:
        """Have axe judge what is there, at rest and unfolded; see that it fits, and is in reach."""
        self.page.wait_for_load_state()
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_axe())
        self.page.evaluate(UNFOLD)
        self.page.evaluate(REST)
        judged = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        self.found += [
            f"{where}: {fault['id']}: {fault['nodes'][0]['html'][:200]}"
            for fault in judged["violations"]
        ]
        if self.page.evaluate(WIDER, self.width):
            self.found.append(f"{where}: it is wider than the window")
        self.found += [
            f"{where}: one has to push aside for {one}"
            for one in self.page.evaluate(ASIDE, self.width)
        ]
        self.page.evaluate(FOLD)

    def press(self, button: Locator) -> None:
        """Press what sends a form, as soon as the page's scripts send it."""
        self.page.wait_for_load_state()
        button.click()

    def go(self, by: Locator) -> None:
        """Press what leads to another page, and be there: it is whole, its scripts too."""
        with self.page.expect_navigation():
            by.click()

    def to_side(self) -> None:
        """Have the side before one; on a phone it is a drawer."""
        self.page.wait_for_load_state()
        account = self.page.locator("#side .account")
        if not account.is_visible():
            self.page.locator("main .side-opener").first.click()
        expect(account).to_be_visible()

    def from_side(self) -> None:
        """Have the talk before one."""
        if self.page.locator(".veil").is_visible():
            self.page.keyboard.press("Escape")
        expect(self.page.locator(".veil")).to_be_hidden()

    def account(self) -> Locator:
        """Open the account's menu."""
        self.to_side()
        self.page.locator(".account").click()
        menu = self.page.locator("#account-menu")
        expect(menu).to_be_visible()
        return menu

    def dialog(self, name: str) -> Locator:
        """Return a dialog that is open."""
        opened = self.page.get_by_role("dialog", name=name)
        expect(opened).to_be_visible()
        return opened

    def read(self, said: str) -> None:
        """See what is said at the foot, and put it away."""
        toast = self.page.locator(".toast").filter(has_text=said)
        expect(toast).to_be_visible()
        toast.get_by_role("button", name="Close").click()
        expect(toast).to_have_count(0)


@contextmanager
def walking(
    browser: Browser, system: Place, wire: Wire, width: int, theme: Theme
) -> Iterator[Walk]:
    """Let somebody come behind a wire, whose system has the theme that they will not choose."""
    phone = width < 600
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        is_mobile=phone,
        has_touch=phone,
        color_scheme=OTHER[theme],
        reduced_motion="reduce",
        locale="en-GB",
        permissions=["clipboard-read", "clipboard-write"],
        proxy={"server": wire.address, "bypass": "<-loopback>"},
    )
    context.set_default_timeout(PATIENCE)
    try:
        for page in watched(context.new_page()):
            yield Walk(page, system, wire, width, theme)
    finally:
        context.close()
