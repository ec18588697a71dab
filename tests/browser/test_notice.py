"""What an organisation makes its own, as its people meet it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.person import answered, sign_in
from tests.browser.test_desk_looks import violations
from tests.browser.test_looks import RULES, THEMES, WIDTHS
from tests.system import System, running

pytestmark = pytest.mark.browser

FILE = """version = 1
name = "Contoso Assistant"
logo = "logo.svg"
welcome = "Ask about anything but customers."

[colours]
light = "#0b6a4f"
dark = "#5fd3ae"

[notice]
title = "Before you begin"
text = "Answers may be **wrong**."

[[suggestions]]
title = "Minutes"
text = "Write minutes of: "

[[prompts]]
name = "House style"
text = "Put this into our house style: "

[[links]]
text = "House rules"
url = "https://contoso.example/rules"
"""
LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">'
    '<path fill="#0b6a4f" d="M0 0h8v8z"/></svg>'
)


@pytest.fixture(scope="module")
def contoso(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of an organisation that has made it its own."""
    folder = tmp_path_factory.mktemp("contoso")
    (folder / "appearance.toml").write_text(FILE)
    (folder / "logo.svg").write_text(LOGO)
    chosen = str(folder / "appearance.toml")
    with running(folder / "data", SECURE_OPENAI_APPEARANCE=chosen) as started:
        yield started


def test_a_notice_is_accepted_once_and_everything_is_the_organisations(
    page: Page, contoso: System
) -> None:
    """Name, logo, colours, welcome, suggestions, prompts, rules; nothing before the notice."""
    sign_in(page, contoso, "Uma")
    expect(page.get_by_role("heading", name="Before you begin")).to_be_visible()
    expect(page.locator(".prose strong")).to_have_text("wrong")
    judged(page)
    page.goto(contoso.url)
    page.wait_for_url(re.compile("/notice"))
    page.get_by_role("button", name="I have read this and accept it").click()
    page.wait_for_url(f"{contoso.url}/")

    expect(page).to_have_title("Contoso Assistant")
    expect(page.get_by_text("Ask about anything but customers.")).to_be_visible()
    judged(page)
    rules = page.get_by_role("link", name="House rules")
    expect(rules).to_have_attribute("href", "https://contoso.example/rules")
    logo = page.locator(".mark img")
    assert logo.evaluate("image => image.naturalWidth") > 0
    assert page.locator(".initials").evaluate("one => getComputedStyle(one).backgroundColor") == (
        "rgb(11, 106, 79)"
    )
    page.locator("#open-prompts").click()
    dialog = page.get_by_role("dialog", name="Prompts")
    expect(dialog.get_by_text("Organisation", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="House style").click()
    expect(page.get_by_label("Message")).to_have_value(re.compile("Put this into our house style:"))
    page.get_by_label("Message").fill("")
    page.get_by_role("button", name="Minutes").click()
    answered(page, "hello")
    page.goto(f"{contoso.url}/notice?return_to=//evil.example")

    page.wait_for_url(f"{contoso.url}/")


def judged(page: Page) -> None:
    """Axe finds nothing at either width in either theme, with the organisation's colours."""
    for width in (*WIDTHS[1:], WIDTHS[0]):
        page.set_viewport_size({"width": width, "height": 800})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            assert violations(page, RULES[theme]) == [], (width, theme)
    page.emulate_media(color_scheme="light")
