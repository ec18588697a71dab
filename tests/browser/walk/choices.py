"""What one chooses before one asks."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.walk.way import Walk

QUESTION = "What is a private endpoint?"


def theme(walk: Walk) -> None:
    """In the account's menu; it holds where one stands and after a reload."""
    menu = walk.account()
    with walk.page.expect_response("**/preferences"):
        menu.get_by_role("button", name=walk.theme.title()).click()
    html = walk.page.locator("html")
    expect(html).to_have_attribute("data-theme", walk.theme)
    walk.look("the account's menu")
    walk.page.reload()

    expect(html).to_have_attribute("data-theme", walk.theme)
    ground = walk.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", ground)[:3]) / 3
    assert (brightness < 128) == (walk.theme == "dark"), ground


def language(walk: Walk) -> None:
    """German and back, in the same menu."""
    walk.go(walk.account().get_by_role("button", name="Deutsch"))
    expect(walk.page.locator("#new")).to_have_text("Neue Unterhaltung")
    walk.look("the first page in German")
    walk.go(walk.account().get_by_role("button", name="English"))

    expect(walk.page.locator("#new")).to_have_text("New conversation")


def suggestion(walk: Walk) -> None:
    """What is suggested is written for one."""
    walk.look("the first page")
    walk.page.get_by_role("button", name=re.compile("Make a plan")).click()

    expect(walk.message).to_have_value(re.compile("Make a plan with steps"))
    walk.message.fill("")


def deployment(walk: Walk) -> None:
    """By what each is good for, reads and costs."""
    walk.page.locator("#deployment-button").click()
    menu = walk.page.locator("#deployment-menu")
    thorough = menu.get_by_role("button", name=re.compile("^thorough"))
    for said in ("What has to be right.", "reads pictures", "128,000 tokens", "1.25 USD"):
        expect(thorough).to_contain_text(said)
    walk.look("the choice of deployments")
    thorough.click()

    expect(walk.page.locator("#deployment-name")).to_have_text("thorough")


def instructions(walk: Walk) -> None:
    """Written in a dialog, chosen in a menu."""
    name = f"Brief {walk.own}"
    walk.page.locator("#instruction-button").click()
    menu = walk.page.locator("#instruction-menu")
    walk.look("the choice of instructions")
    menu.get_by_role("button", name="Write and change").click()
    dialog = walk.dialog("Instructions")
    dialog.get_by_role("button", name="Add").click()
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("What every answer follows").fill("Answer briefly.")
    dialog.get_by_role("button", name="Save").click()
    expect(saved(dialog, name)).to_be_visible()
    walk.look("the instructions")
    walk.page.keyboard.press("Escape")
    walk.page.locator("#instruction-button").click()
    menu.get_by_role("button", name=name).click()

    expect(walk.page.locator("#instruction-name")).to_have_text(name)


def prompts(walk: Walk) -> None:
    """Beside the organisation's; it is put where one writes."""
    name = f"Explain {walk.own}"
    walk.page.locator("#open-prompts").click()
    dialog = walk.dialog("Prompts")
    expect(saved(dialog, "House style")).to_contain_text("Organisation")
    dialog.get_by_role("button", name="Add").click()
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Text").fill(QUESTION)
    walk.look("a prompt that is being written")
    dialog.get_by_role("button", name="Save").click()
    expect(saved(dialog, name)).to_be_visible()
    walk.look("the prompts")
    dialog.get_by_label("Search prompts").fill(name)
    expect(dialog.locator(".saved li")).to_have_count(1)
    saved(dialog, name).locator(".use").click()

    expect(dialog).to_be_hidden()
    expect(walk.message).to_have_value(QUESTION)


def saved(dialog: Locator, name: str) -> Locator:
    """Return a saved text in the dialog where they are listed."""
    return dialog.locator(".saved li").filter(has_text=name)
