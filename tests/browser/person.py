"""What a person does on the pages."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.system import Place


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
    expect(last).to_have_attribute("data-status", status, timeout=15_000)
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
    """Delete all of one's conversations."""
    page.evaluate(
        """async () => {
          const {items} = await (await fetch("/api/conversations?limit=100")).json();
          for (const {id, etag} of items) {
            const headers = {"If-Match": `"${etag}"`};
            await fetch(`/api/conversations/${id}`, {method: "DELETE", headers});
          }
        }"""
    )
