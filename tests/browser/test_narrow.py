"""A phone's width: news that covers nothing, and a drawer that takes the focus when it is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import watched
from tests.browser.person import PATIENCE, answered, api, ask, forget, sign_in
from tests.browser.walk.way import REST
from tests.system import System

pytestmark = pytest.mark.browser

PHONE: ViewportSize = {"width": 390, "height": 844}
MOTION: tuple[Literal["no-preference"], Literal["reduce"]] = ("no-preference", "reduce")

NEWS = """async ([text, action]) => {
  const { src } = document.querySelector("script[type=module]");
  const { toast } = await import(src.replace("chat.mjs", "toasts.mjs"));
  toast(text, { action, act: () => {}, seconds: 3600 });
}"""
MIDDLES = """names => names.map((name) => {
  const { left, width } = document.querySelector(name).getBoundingClientRect();
  return Math.round(left + width / 2);
})"""
OVERLAP = """async ([one, other]) => {
  // What has grown moves what stands beside it by the next picture.
  for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
  const [a, b] = [one, other].map((name) => document.querySelector(name).getBoundingClientRect());
  const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return across > 0 && down > 0;
}"""
HELD = """() => {
  window.taken = [];
  document.querySelector("#side").addEventListener("focusin", ({ target }) => {
    const { left, right } = target.getBoundingClientRect();
    window.taken.push({ left, right, moved: document.scrollingElement.scrollLeft });
  });
}"""


@pytest.fixture(params=[PHONE, {"width": 1200, "height": 800}], ids=["phone", "desk"])
def mine(request: pytest.FixtureRequest, browser: Browser, system: System) -> Iterator[Page]:
    """The page of somebody with a conversation, on a phone and on a desk."""
    context = browser.new_context(viewport=request.param)
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    sign_in(opened, system, "Ada")
    yield from watched(opened)
    forget(opened)
    context.close()


def say(page: Page, text: str = "It is done.", action: str = "Undo") -> None:
    """Let the page say something short."""
    page.evaluate(NEWS, [text, action])
    expect(page.locator(".toast").last).to_be_visible()
    page.locator(".toast").last.evaluate(
        "one => Promise.all(one.getAnimations().map(({ finished }) => finished))"
    )


def covers(page: Page, what: str) -> bool:
    """Return whether any news lies over something."""
    return bool(page.evaluate(OVERLAP, ["#toasts", what]))


def test_news_cover_nothing_that_one_writes_with(mine: Page) -> None:
    """Not the composer as it grows, nor the stop button, nor the way to the end, however many."""
    say(mine)
    assert not covers(mine, ".composer")
    toast, composer = mine.evaluate(MIDDLES, [".toast", ".composer"])
    assert toast == composer
    answered(mine, "long 400")
    assert not covers(mine, ".composer")
    mine.get_by_label("Message").fill("\n" * 12)
    say(mine, "A longer one, " * 8)
    mine.locator("#talk").evaluate("talk => { talk.scrollTop = 0; }")
    expect(mine.locator("#to-end")).to_be_visible()
    assert not covers(mine, ".composer")
    assert not covers(mine, "#to-end")
    mine.get_by_label("Message").fill("")
    ask(mine, "slow 1500")
    expect(mine.locator("#stop")).to_be_visible()
    say(mine)

    assert not covers(mine, ".composer")
    expect(mine.locator(".toast")).to_have_count(3)
    mine.locator("#stop").click()
    expect(mine.locator(".message.assistant").last).to_have_attribute("data-status", "interrupted")


def test_news_take_no_focus(mine: Page) -> None:
    """Who writes goes on writing; who is about to press one's button keeps it, and gets back."""
    field = mine.get_by_label("Message")
    field.press_sequentially("one")
    say(mine)
    mine.keyboard.type(" two")
    expect(field).to_have_value("one two")
    mine.locator(".toast .button", has_text="Undo").focus()
    say(mine, "Another.", "Again")
    expect(mine.locator(".toast .button", has_text="Undo")).to_be_focused()
    mine.keyboard.press("Enter")

    expect(mine.locator(".toast")).to_have_count(1)
    expect(field).to_be_focused()


def test_news_outlive_the_dialog_in_which_they_came(mine: Page) -> None:
    """What is said above an open dialog is there to be read when that is closed."""
    mine.evaluate("document.querySelector('#prompts').showModal()")
    say(mine)
    expect(mine.locator(".toast")).to_be_visible()
    mine.keyboard.press("Escape")

    expect(mine.locator("#prompts")).to_be_hidden()
    expect(mine.locator(".toast")).to_be_visible()
    assert not covers(mine, ".composer")


@pytest.mark.parametrize("motion", MOTION)
def test_the_drawer_takes_the_focus_when_it_is_there(
    browser: Browser, system: System, motion: Literal["no-preference", "reduce"]
) -> None:
    """Its first link, in full view, with nothing scrolled; closed, who opened it has it again."""
    context = browser.new_context(viewport=PHONE, reduced_motion=motion)
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    sign_in(opened, system, "Ada")
    for page in watched(opened):
        api(page, "POST", "/api/conversations", {"title": "one"})
        page.evaluate(HELD)
        opener = page.locator(".side-opener")
        for _ in range(2):
            opener.press("Enter")
            expect(page.locator("#side a").first).to_be_focused()
            page.keyboard.press("Escape")
            expect(opener).to_be_focused()
        # Opened and closed before it has come: the focus stays outside.
        page.evaluate(
            """() => {
              document.querySelector(".side-opener").click();
              document.querySelector(".veil").click();
            }"""
        )
        page.evaluate(REST)
        taken = page.evaluate("window.taken")
        forget(page)

        expect(opener).to_be_focused()
        assert len(taken) == 2
        assert {(one["left"] >= 0, one["moved"]) for one in taken} == {(True, 0)}
    context.close()
