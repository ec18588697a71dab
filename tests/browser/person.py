"""What a person does on the pages."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.system import Place

PATIENCE = 60_000
"""Milliseconds until what one waits for is taken not to come: what is slow here is the machine."""


def sign_in(page: Page, system: Place, name: str) -> None:
    """Go to the application and choose a demo principal at the issuer."""
    page.goto(system.url)
    page.wait_for_url(re.compile(re.escape(system.issuer)))
    page.get_by_role("button", name=re.compile(name)).click()
    page.wait_for_url(re.compile(re.escape(system.url)))


def ask(page: Page, text: str) -> None:
    """Write a message and send it."""
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()


def answer(page: Page) -> Locator:
    """Return the last answer."""
    return page.locator(".message.assistant").last


def answered(page: Page, text: str, status: str = "complete") -> Locator:
    """Ask, wait for the end, and return the answer."""
    before = page.locator(".message").count()
    ask(page, text)
    expect(page.locator(".message")).to_have_count(before + 2)
    last = answer(page)
    expect(last).to_have_attribute("data-status", status)
    return last


def texts(page: Page) -> list[str]:
    """Return what was said, turn by turn."""
    return [one.inner_text() for one in page.locator(".message .text").all()]


def act(turn: Locator, what: str) -> None:
    """Press one of a turn's buttons, which show under the pointer."""
    turn.hover()
    turn.locator(f"[data-action={what}]").click()


def row(page: Page, title: str) -> Locator:
    """Return a conversation at the side."""
    return page.locator("#conversations li[data-id]").filter(has_text=title)


def do(page: Page, title: str, what: str) -> None:
    """Open a conversation's menu and press something."""
    row(page, title).hover()
    row(page, title).get_by_role("button").click()
    page.locator("#conversation-menu").get_by_text(what, exact=True).click()


def copied(page: Page, expected: str) -> str:
    """Return what lies on the clipboard, once it is what is expected: it comes there by itself."""
    return str(
        page.evaluate(
            """async ([expected, patience]) => {
              const until = performance.now() + patience;
              for (;;) {
                const copied = await navigator.clipboard.readText();
                if (copied === expected || performance.now() > until) return copied;
                await new Promise((go) => setTimeout(go, 50));
              }
            }""",
            [expected, PATIENCE],
        )
    )


def until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for what can be seen on no page."""
    for _ in range(PATIENCE // 100):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it does not come about")


def api(page: Page, method: str, path: str, json: object = None) -> object:
    """Call our API as the page's own scripts do; return what it answers."""
    return page.evaluate(
        """async ([method, path, json]) => {
          const headers = {"Content-Type": "application/json"};
          const body = json === null ? undefined : JSON.stringify(json);
          const response = await fetch(path, {method, headers, body});
          return response.status === 204 ? null : response.json();
        }""",
        [method, path, json],
    )


def forget(page: Page) -> None:
    """Delete all of one's conversations, also one whose title comes meanwhile."""
    page.evaluate(
        """async () => {
          for (let tries = 0; tries < 100; tries += 1) {
            const {items} = await (await fetch("/api/conversations?limit=100")).json();
            if (!items.length) return;
            for (const {id, etag} of items) {
              const headers = {"If-Match": `"${etag}"`};
              await fetch(`/api/conversations/${id}`, {method: "DELETE", headers});
            }
          }
          throw new Error("there is a conversation that is not deleted");
        }"""
    )
