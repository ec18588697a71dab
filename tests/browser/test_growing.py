"""An answer is Markdown while it comes: read, copied, cut, stopped, continued in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.person import act, answer, ask, copied
from tests.browser.wire import Wire

pytestmark = pytest.mark.browser

TEXT = (
    "# Steps\n\nFirst **read** it, and then read what follows it once more.\n\n"
    "```python\nvalue = 1\n\nother = 2\n```\n\n"
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n"
    "- one item\n- another item\n- the **third** one\n\n"
)
CODE = "value = 1\n\nother = 2"
REST = "And so it goes on with words and words. " * 12 + "\n\nThe end."
WHOLE = ["Steps", "read", "value = 1", "third", "The end."]


def test_an_answer_is_markdown_while_it_comes(wire: Wire, wired_chat: Page) -> None:
    """Headings, code, tables and lists stand before the end, stay what they are, and are copied."""
    chat = wired_chat
    wire.hold_at("goes")
    ask(chat, f"spell {TEXT}{REST}")
    text = answer(chat).locator(".text")
    expect(text.locator("h3")).to_have_text("Steps")
    expect(text.locator("strong").first).to_have_text("read")
    expect(text.locator("td").first).to_have_text("1")
    expect(answer(chat)).to_have_attribute("data-status", "streaming")
    text.get_by_role("button", name="Copy code").click()
    assert copied(chat, CODE) == CODE
    text.locator("h3").evaluate("one => { one.wasHere = true; }")
    wire.let_go()
    expect(answer(chat)).to_have_attribute("data-status", "complete")

    # What one has selected or is reading is not put in anew.
    assert text.locator("h3").evaluate("one => one.wasHere")
    assert [one for one in WHOLE if one not in text.inner_text()] == []
    assert text.locator(".draft, .tail").count() == 0
    grown = text.inner_html()
    chat.reload()
    expect(answer(chat).locator(".code")).to_be_visible()
    assert answer(chat).locator(".text").inner_html().strip() == grown.strip()


def test_the_block_under_way_is_drawn_as_what_it_will_be(wire: Wire, wired_chat: Page) -> None:
    """Code is in its frame from its first lines on, and what follows stands in it."""
    wire.hold_at("middle")
    line = "value = 1 # a comment\n"
    ask(wired_chat, f"spell ```python\n{line * 15}# the middle\n{line * 15}```\n")
    text = answer(wired_chat).locator(".text")
    expect(text.locator(".draft .code header")).to_contain_text("python")
    expect(text.locator(".draft pre code .tail")).to_have_count(1)
    wire.let_go()
    expect(answer(wired_chat)).to_have_attribute("data-status", "complete")

    assert text.locator("pre").count() == 1
    assert text.locator("pre").inner_text().count("value = 1") == 30


def test_a_cut_connection_loses_nothing_of_it(wire: Wire, wired_chat: Page) -> None:
    """In the middle of Markdown the rest arrives, and nothing twice."""
    wire.hold_at("follows")
    ask(wired_chat, f"spell {TEXT}{REST}")
    text = answer(wired_chat).locator(".text")
    expect(text.locator("strong").first).to_have_text("read")
    wire.cut()
    expect(wired_chat.get_by_role("alert")).to_contain_text("The connection broke")
    wire.mend()
    expect(text.locator("td").first).to_have_text("1")
    expect(answer(wired_chat)).to_have_attribute("data-status", "complete")

    assert text.locator("h3, table, pre").count() == 3
    assert text.inner_text().count("And so it goes on") == 12


def test_what_was_stopped_stays_rendered_and_goes_on(chat: Page) -> None:
    """Stopped in the middle it is Markdown, and so is what is added."""
    ask(chat, f"spell {TEXT}{REST * 12}")
    text = answer(chat).locator(".text")
    expect(text.locator("table")).to_be_visible()
    chat.keyboard.press("Escape")
    expect(answer(chat)).to_have_attribute("data-status", "interrupted")
    expect(text.locator("h3")).to_have_text("Steps")
    act(answer(chat), "continue")
    expect(answer(chat)).to_have_attribute("data-status", "complete")

    expect(text.locator("h3")).to_have_count(1)
    expect(text).to_contain_text("cut off")


def test_a_page_that_is_opened_in_the_middle_shows_it(chat: Page) -> None:
    """What had come is rendered, and the rest follows."""
    ask(chat, f"spell {TEXT}{REST}")
    expect(answer(chat).locator("table")).to_be_visible()
    chat.reload()
    expect(answer(chat).locator("table")).to_be_visible()
    expect(answer(chat)).to_have_attribute("data-status", "complete")

    assert answer(chat).locator("h3, table, pre").count() == 3
