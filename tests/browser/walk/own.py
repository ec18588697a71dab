"""What an organisation makes its own, from the first page that somebody sees."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.person import answer, answered, ask, until
from tests.browser.walk.office import Office
from tests.browser.walk.way import Theme, Walk

BROKE = "The connection broke"
TOLD = """() => {
  window.told = [];
  const words = document.querySelector("#problem .words");
  const hear = () => window.told.push(words.textContent);
  new MutationObserver(hear).observe(words, { childList: true });
}"""
ACCENT: dict[Theme, str] = {"light": "rgb(11, 106, 79)", "dark": "rgb(95, 211, 174)"}


def signed_in(walk: Walk, name: str) -> None:
    """At the laptop's issuer, whose pages anybody can use."""
    walk.page.goto(walk.system.url)
    walk.page.wait_for_url(re.compile(re.escape(walk.system.issuer)))
    walk.look("the issuer's page")
    walk.page.get_by_role("button", name=re.compile(name)).click()
    walk.page.wait_for_url(re.compile(re.escape(walk.system.url)))


def issuers_other_pages(walk: Walk) -> None:
    """For a device with a code, and where a sign-in cannot go on."""
    address = walk.page.url.partition("?")[0].rpartition("/")[0]
    walk.page.goto(f"{address}/deviceauth")
    walk.look("the issuer's page for a device")
    walk.page.get_by_label("Code that the command line shows").fill("ABCD-EFGH")
    walk.go(walk.page.get_by_role("button", name=re.compile("Uma")))
    walk.look("a sign-in that cannot go on")


def notice_accepted(walk: Walk, office: Office) -> None:
    """Nothing before it; a cut is told, tried again, and the record stands once."""
    expect(walk.page.get_by_role("heading", name="Before you begin")).to_be_visible()
    expect(walk.page.locator(".prose strong")).to_have_text("wrong")
    walk.look("the notice")
    walk.page.goto(walk.system.url)
    walk.page.wait_for_url(re.compile("/notice"))
    accept = walk.page.get_by_role("button", name="I have read this and accept it")
    with office.recorded(notice__accepted=1):
        walk.wire.cut()
        accept.click()
        expect(walk.page.get_by_role("alert")).to_contain_text("There is no connection")
        walk.look("a notice that could not be accepted")
        walk.wire.mend()
        accept.click()
        walk.page.wait_for_url(f"{walk.system.url}/")


def named_and_coloured(walk: Walk) -> None:
    """Name, logo, welcome, and the colour of the theme that is chosen."""
    menu = walk.account()
    with walk.page.expect_response("**/preferences"):
        menu.get_by_role("button", name=walk.theme.title()).click()
    expect(walk.page.locator("html")).to_have_attribute("data-theme", walk.theme)
    ground = walk.page.locator(".initials").evaluate("one => getComputedStyle(one).backgroundColor")
    assert ground == ACCENT[walk.theme]
    walk.page.keyboard.press("Escape")
    walk.look("the organisation's side")
    walk.from_side()
    expect(walk.page).to_have_title("Contoso Assistant")
    assert walk.page.locator(".mark img").first.evaluate("image => image.naturalWidth") > 0
    expect(walk.page.get_by_text("Ask about anything but customers.")).to_be_visible()
    walk.look("the organisation's first page")


def offered(walk: Walk) -> None:
    """Links to its rules, its prompts and what it suggests, which is asked."""
    rules = walk.page.get_by_role("link", name="House rules")
    expect(rules).to_have_attribute("href", "https://contoso.example/rules")
    walk.page.locator("#open-prompts").click()
    dialog = walk.dialog("Prompts")
    expect(dialog.get_by_text("Organisation", exact=True)).to_be_visible()
    walk.look("the organisation's prompts")
    dialog.get_by_role("button", name="House style").click()
    expect(walk.message).to_have_value(re.compile("Put this into our house style:"))
    walk.message.fill("")
    walk.page.get_by_role("button", name="Minutes").click()
    expect(walk.message).to_have_value(re.compile("Write minutes of:"))
    answered(walk.page, f"Remember {walk.own}")
    walk.settled()
    walk.page.goto(f"{walk.system.url}/notice?return_to=//evil.example")

    walk.page.wait_for_url(f"{walk.system.url}/")


def cut_off_for_good(walk: Walk, office: Office) -> None:
    """Who comes back after the grace finds what had come, marked interrupted."""
    before = office.acts()["completion.settled"]
    ask(walk.page, "slow 1500")
    expect(answer(walk.page).locator(".text")).to_contain_text("keyless")
    # It is said for as long as the grace is, which is short here.
    walk.page.evaluate(TOLD)
    walk.wire.cut()
    until(walk.page, lambda: any(BROKE in one for one in walk.page.evaluate("window.told")))
    until(walk.page, lambda: office.acts()["completion.settled"] > before)
    walk.wire.mend()

    last = walk.settled("interrupted")
    expect(last.locator(".note")).to_contain_text("Interrupted")
    expect(last.locator(".text")).to_contain_text("keyless")
    walk.look("an answer that nobody came back to in time")
