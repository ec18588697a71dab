"""What a person does with their own data, and what is not theirs to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from secure_openai.edge.my_data import CONFIRMATION
from tests.browser.walk.acts import BROKE
from tests.browser.walk.office import Office
from tests.browser.walk.way import Walk


def refused_at_the_desk(walk: Walk, office: Office) -> None:
    """Who is no administrator reads why, and it is recorded."""
    with office.recorded(route__refused=1):
        answer = walk.page.goto(f"{walk.system.url}/admin/custody")
        assert answer is not None
        assert answer.status == 403
    walk.look("the desk for somebody else")
    walk.page.goto(walk.system.url)


def exported(walk: Walk, office: Office) -> None:
    """Asked for over a cut, made by a job, fetched: everything that was said is in it."""
    walk.go(walk.account().get_by_role("link", name="My data"))
    expect(walk.page.get_by_role("heading", level=1)).to_have_text("My data")
    expect(walk.page.get_by_text("A legal hold keeps what you have")).to_be_visible()
    walk.look("one's own data")
    ask = walk.page.get_by_role("button", name="Ask for an export")
    with office.recorded(export__asked=1):
        walk.wire.cut()
        ask.click()
        expect(walk.page.get_by_role("alert")).to_have_text(BROKE)
        walk.look("an export that could not be asked for")
        walk.wire.mend()
        ask.click()
        expect(walk.page.get_by_text("Your export is asked for.")).to_be_visible()
    office.carry_out()
    walk.page.reload()
    walk.look("an export that is ready")
    with walk.page.expect_download() as begun:
        walk.page.get_by_role("link", name="Fetch").first.click()
    text = Path(begun.value.path()).read_text("utf-8")
    assert json.loads(text)["seen"]["name"] == "Uma User"
    assert f"Remember {walk.own}" in text


def who_looked(walk: Walk) -> None:
    """By role and not by name."""
    looks = walk.page.get_by_role("region", name="Looks and acts, the latest first")
    placed = looks.locator("tbody tr").filter(has_text="Hold placed").first
    expect(placed).to_contain_text("an administrator")
    expect(walk.page.locator("main")).not_to_contain_text("Ada")


def erased(walk: Walk, office: Office) -> None:
    """With the very words, once nothing is held; then one is a stranger, and the notice is back."""
    walk.page.locator("main summary").filter(has_text="Erase everything of mine").click()
    confirm = walk.page.get_by_label(re.compile("To have it done"))
    erase = walk.page.get_by_role("button", name="Erase everything of mine")
    with office.recorded(erasure__asked=1, erasure__held=1, erasure__erased=1):
        confirm.fill("erase it")
        erase.click()
        expect(walk.page.get_by_role("alert")).to_contain_text("nothing was asked for")
        expect(confirm).to_have_value("erase it")
        walk.look("an erasure in other words")
        confirm.fill(CONFIRMATION)
        erase.click()
        expect(walk.page.get_by_text("Your erasure is asked for.")).to_be_visible()
        office.carry_out()
        walk.page.reload()
        expect(walk.page.locator("ul.plain")).to_contain_text("waits for a legal hold")
        walk.look("an erasure that waits for a hold")
        office.lift("Uma")
        office.carry_out()
    assert office.sessions("Uma") == 0
    walk.page.goto(walk.system.url)

    # The issuer still knows who they are; the application has never heard of them.
    expect(walk.page.get_by_role("heading", name="Before you begin")).to_be_visible()


def signed_out(walk: Walk) -> None:
    """From the notice, which nobody has to accept to leave; the issuer asks who comes next."""
    walk.page.get_by_role("button", name="Sign out").click()
    walk.page.wait_for_url(f"{walk.system.url}/signed-out")
    walk.look("the page after the last one")
    walk.page.goto(walk.system.url)
    walk.page.wait_for_url(re.compile(re.escape(walk.system.issuer)))
