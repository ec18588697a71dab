"""A person on their way through the chat, at one width and in one theme."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Locator, Page, expect

from tests.browser.person import answer
from tests.browser.test_looks import AXE
from tests.browser.wire import Wire
from tests.system import System

Theme = Literal["light", "dark"]


@functools.cache
def _axe() -> str:
    return AXE.read_text("utf-8")


@dataclass
class Walk:
    """A person on their way.

    Attributes:
        page: What they see.
        system: Whose it is.
        wire: What lies between.
        width: Of the page.
        theme: What they choose.
        found: What is wrong with what they saw, each with where that was.
    """

    page: Page
    system: System
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
        """Have axe judge what is there, and see that it fits."""
        self.page.wait_for_load_state()
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_axe())
        judged = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        self.found += [
            f"{where}: {fault['id']}: {fault['nodes'][0]['html'][:200]}"
            for fault in judged["violations"]
        ]
        # A phone shows more of a page that is too wide: its window is no measure then.
        if self.page.evaluate("document.documentElement.scrollWidth") > self.width:
            self.found.append(f"{where}: it is wider than the window")

    def to_side(self) -> None:
        """Have the side before one; on a phone it is a drawer."""
        self.page.wait_for_load_state()
        if not self.page.locator("#new").is_visible():
            self.page.locator(".bar .side-opener").click()
        expect(self.page.locator("#new")).to_be_visible()

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

    def copied(self) -> str:
        """Return what lies on the clipboard."""
        return str(self.page.evaluate("navigator.clipboard.readText()"))

    def read(self, said: str) -> None:
        """See what is said at the foot, and put it away."""
        toast = self.page.locator(".toast").filter(has_text=said)
        expect(toast).to_be_visible()
        toast.get_by_role("button", name="Close").click()
        expect(toast).to_have_count(0)
