"""The conversations at the side: found, pinned, renamed, deleted and brought back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import watched
from tests.browser.person import PATIENCE, act, answered, api, do, forget, row, sign_in, until
from tests.system import System

pytestmark = pytest.mark.browser


@pytest.fixture
def mine(browser: Browser, system: System) -> Iterator[Page]:
    """The page of somebody whose conversations no other test has touched."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    sign_in(opened, system, "Ada")
    yield from watched(opened)
    forget(opened)
    context.close()


def test_a_conversation_is_renamed_in_its_place(mine: Page) -> None:
    """At the side and above what was said; Escape changes nothing."""
    answered(mine, "a conversation")
    do(mine, "a conversation", "Rename")
    mine.get_by_label("Title").fill("Another name")
    mine.keyboard.press("Enter")
    expect(mine.locator("#title")).to_have_text("Another name")
    do(mine, "Another name", "Rename")
    mine.get_by_label("Title").fill("Not this one")
    mine.keyboard.press("Escape")
    mine.reload()

    expect(row(mine, "Another name")).to_have_count(1)
    expect(mine).to_have_title("Another name")


def test_pinned_conversations_stand_first(mine: Page) -> None:
    """Under a heading of their own, after a reload too."""
    for title in ("older", "newer"):
        api(mine, "POST", "/api/conversations", {"title": title})
    mine.reload()
    do(mine, "older", "Pin")
    expect(mine.locator("#conversations .when").first).to_have_text("Pinned")
    mine.reload()

    expect(mine.locator("#conversations li").nth(1)).to_contain_text("older")
    do(mine, "older", "Unpin")
    expect(mine.locator("#conversations .when")).to_have_text(["Today"])


def test_a_deleted_conversation_can_be_brought_back(mine: Page, system: System) -> None:
    """The one that is open leads to an empty page; either comes back by one button."""
    answered(mine, "delete me")
    do(mine, "delete me", "Delete")
    mine.wait_for_url(f"{system.url}/")
    expect(row(mine, "delete me")).to_have_count(0)
    mine.get_by_role("button", name="Undo").click()
    expect(row(mine, "delete me")).to_have_count(1)
    row(mine, "delete me").get_by_role("link").click()

    expect(mine.locator(".message.user .text")).to_have_text("delete me")


def test_conversations_are_found_by_what_was_said(mine: Page) -> None:
    """By title and text, with the place where it was found; without words, the list is back."""
    answered(mine, "What is a PRIVATE endpoint?")
    mine.goto(mine.url.rpartition("/conversations")[0])
    answered(mine, "Something else")
    field = mine.get_by_label("Search conversations")
    field.fill("private end")
    expect(mine.locator("#found li")).to_have_count(1)
    expect(mine.locator("#found .excerpt").first).to_contain_text("PRIVATE endpoint")
    field.fill("nothing of the kind")
    expect(mine.locator("#none")).to_contain_text("Nothing is found for")
    field.press("Escape")

    expect(mine.locator("#conversations")).to_be_visible()
    expect(mine.locator("#none")).to_be_hidden()


def test_what_is_written_before_the_script_has_come_is_looked_for(mine: Page) -> None:
    """And whoever writes it goes on writing there."""
    api(mine, "POST", "/api/conversations", {"title": "a needle"})
    late: list[Route] = []

    def hold(route: Route) -> None:
        late.append(route)

    mine.route(re.compile(r"/chat\.mjs$"), hold)
    mine.reload(wait_until="commit")
    field = mine.get_by_label("Search conversations")
    field.fill("needle")
    until(mine, lambda: bool(late))
    late[0].continue_()

    expect(mine.locator("#found .name")).to_have_text("a needle")
    expect(field).to_be_focused()


def test_older_conversations_come_as_one_scrolls(mine: Page) -> None:
    """Fifty at a time, each once."""
    mine.evaluate(
        """async () => {
          const headers = {"Content-Type": "application/json"};
          for (let number = 0; number < 60; number += 1) {
            const body = JSON.stringify({title: `c${number}`});
            await fetch("/api/conversations", {method: "POST", body, headers});
          }
        }"""
    )
    mine.reload()
    expect(mine.locator("#conversations li[data-id]")).to_have_count(50)
    mine.locator("#older").scroll_into_view_if_needed()

    expect(mine.locator("#conversations li[data-id]")).to_have_count(60)
    mine.get_by_label("Search conversations").fill("c")
    expect(mine.locator("#found li")).to_have_count(50)
    assert mine.locator("#conversations-nav").evaluate("it => it.scrollTop") == 0
    mine.locator("#older").scroll_into_view_if_needed()

    expect(mine.locator("#found li")).to_have_count(60)


def test_a_window_that_ends_further_down_is_filled(mine: Page) -> None:
    """Nobody can scroll to an end that is in sight already."""
    for number in range(120):
        api(mine, "POST", "/api/conversations", {"title": f"c{number}"})
    mine.set_viewport_size({"width": 1280, "height": 6000})
    mine.reload()

    expect(mine.locator("#conversations li[data-id]")).to_have_count(120)
    mine.get_by_label("Search conversations").fill("c")
    expect(mine.locator("#found li")).to_have_count(120)


def test_what_is_listed_stays_in_its_place(mine: Page) -> None:
    """While older ones come, nothing that stands in the list is moved, which lays it out again."""
    for number in range(60):
        api(mine, "POST", "/api/conversations", {"title": f"c{number}"})
    mine.reload()
    expect(mine.locator("#conversations .when")).to_have_text(["Today"])
    mine.evaluate(
        """() => {
          window.moved = 0;
          new MutationObserver((changes) => {
            for (const { removedNodes } of changes) moved += removedNodes.length;
          }).observe(document.querySelector("#conversations"), { childList: true });
        }"""
    )
    mine.locator("#older").scroll_into_view_if_needed()
    expect(mine.locator("#conversations li[data-id]")).to_have_count(60)

    assert mine.evaluate("moved") == 0
    assert mine.locator("#conversations .name").all_inner_texts() == [
        f"c{number}" for number in reversed(range(60))
    ]


def test_a_search_goes_on_where_a_call_ends(mine: Page) -> None:
    """A call may find little of what there is: nothing is said to be missing before the last."""
    for title in ("needle one", "hay", "needle two", "needle three"):
        api(mine, "POST", "/api/conversations", {"title": title})

    def few(route: Route) -> None:
        route.continue_(url=route.request.url.replace("limit=50", "limit=1"))

    mine.route(re.compile(r"/api/conversations\?.*search="), few)
    field = mine.get_by_label("Search conversations")
    field.fill("needle")
    titles = ["needle three", "needle two", "needle one"]
    expect(mine.locator("#found .name")).to_have_text(titles)
    expect(mine.locator("#none")).to_be_hidden()
    field.fill("needle of another kind")

    expect(mine.locator("#none")).to_contain_text("Nothing is found for")


def test_what_is_shown_is_taken_away(mine: Page, tmp_path: Path) -> None:
    """The branch that one reads, also where a newer one stands beside it."""
    answered(mine, "one")
    first = mine.locator(".message.user").first
    act(first, "edit")
    mine.locator(".editing textarea").fill("another")
    mine.get_by_role("button", name="Save and ask").click()
    expect(first.locator(".place")).to_have_text("2/2")
    act(first, "previous")
    expect(mine.locator(".message.user .text")).to_have_text("one")
    mine.locator("#current-actions").click()
    with mine.expect_download() as begun:
        mine.get_by_role("link", name="Export as Markdown").click()
    begun.value.save_as(tmp_path / "export")

    text = (tmp_path / "export").read_text()
    assert ("You said: one" in text, "another" in text) == (True, False)


@pytest.mark.parametrize(("what", "ending"), [("Markdown", ".md"), ("JSON", ".json")])
def test_a_conversation_is_taken_away(mine: Page, tmp_path: Path, what: str, ending: str) -> None:
    """As a file, with all that was said."""
    answered(mine, "export me")
    row(mine, "export me").hover()
    row(mine, "export me").get_by_role("button").click()
    with mine.expect_download() as begun:
        mine.get_by_role("link", name=f"Export as {what}").click()
    begun.value.save_as(tmp_path / "export")

    assert begun.value.suggested_filename.endswith(ending)
    text = (tmp_path / "export").read_text()
    assert "You said: export me" in text
    if what == "JSON":
        json.loads(text)
