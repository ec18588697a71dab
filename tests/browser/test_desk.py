"""What an administrator does at the desk, and a person with their own data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from secure_openai.edge.my_data import CONFIRMATION
from secure_openai.testing.person import named
from tests.browser.person import sign_in
from tests.system import System

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def state(browser: Browser, system: System) -> Iterator[Any]:
    """Ada's cookies, after both have used the system and Ada has done something about Uma."""
    for name in ("Uma", "Ada"):
        context = browser.new_context()
        page = context.new_page()
        sign_in(page, system, name)
        origin = {"Origin": system.url, "Sec-Fetch-Site": "same-origin"}
        made = page.request.post(
            f"{system.url}/api/conversations", data={"title": "t"}, headers=origin
        )
        page.request.post(
            f"{system.url}/api/conversations/{made.json()['id']}/messages",
            data={"text": "hello", "deployment": "scripted"},
            headers=origin,
        )
        if name == "Ada":
            address = f"{system.url}/admin/custody/hold"
            form: dict[str, Any] = {"principal": named("Uma").oid, "reference": "Case 1"}
            page.request.post(address, form=form, headers=origin)
            page.request.post(f"{system.url}/admin/usage/roll-up", headers=origin)
            yield context.storage_state()
        context.close()


def test_an_administrator_walks_the_desk(browser: Browser, system: System, state: Any) -> None:
    """From the chat to the desk, days chosen, a hold lifted, the audit verified and searched."""
    context = browser.new_context(storage_state=state, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(system.url)
    page.get_by_role("button", name="Ada Admin").click()
    page.get_by_role("link", name="Administration").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")

    page.get_by_role("link", name="Usage and cost").first.click()
    page.get_by_role("button", name="7 days").click()
    expect(page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename.startswith("usage-by-principal-")

    page.get_by_role("link", name="Retention and holds").click()
    expect(page.get_by_role("cell", name="Everything")).to_be_visible()
    page.get_by_role("button", name="Lift").click()
    expect(page.get_by_text("The hold is lifted.")).to_be_visible()

    page.get_by_role("link", name="Audit", exact=True).click()
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text(re.compile(r"Records read: \d+, in chains: 1\."))).to_be_visible()
    page.get_by_label("Action").fill("hold.lifted")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("Uma User")
    context.close()


def test_a_person_sees_who_looked_and_thinks_twice(page: Page, system: System, state: Any) -> None:
    """What an administrator did is there without a name; other words than the words do nothing."""
    assert state
    sign_in(page, system, "Uma")
    page.goto(f"{system.url}/my-data")
    expect(page.get_by_role("cell", name="Hold placed")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("Ada")
    page.get_by_text("Erase everything of mine").first.click()
    page.get_by_label(re.compile("To have it done")).fill("no")
    page.locator("form[action='/my-data/erase'] button").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing was asked for")
    page.get_by_label(re.compile("To have it done")).fill(CONFIRMATION)
    expect(page.locator("form[action='/my-data/erase'] button")).to_be_enabled()
    page.get_by_role("button", name="Ask for an export").click()
    expect(page.get_by_text("Your export is asked for.")).to_be_visible()
