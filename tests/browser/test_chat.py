"""What a person sees: sign in, chat, stop, reload, sign out, be refused without a role."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.browser.person import ask, sign_in
from tests.browser.test_desk_looks import violations
from tests.browser.test_looks import THEMES
from tests.system import System

pytestmark = pytest.mark.browser


def test_a_user_signs_in_chats_reloads_and_signs_out(page: Page, system: System) -> None:
    """The whole path: the answer streams in, is kept, and sign-out ends it here and there."""
    sign_in(page, system, "Uma")
    ask(page, "Hello from the browser")
    answer = page.locator(".message.assistant").last
    expect(answer).to_have_attribute("data-status", "complete")
    text = answer.locator(".text").inner_text()
    assert text.strip()
    expect(page).to_have_url(re.compile(r"/conversations/[\w-]+$"))

    page.reload()
    expect(page.locator(".message.user .text")).to_have_text("Hello from the browser")
    expect(page.locator(".message.assistant .text")).to_have_text(re.compile(re.escape(text[:20])))

    address = page.url
    page.locator(".account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{system.url}/signed-out")
    page.goto(address)
    page.wait_for_url(re.compile(re.escape(system.issuer)))
    expect(page.get_by_role("button", name=re.compile("Uma"))).to_be_visible()


def test_a_long_answer_can_be_stopped_and_is_kept(page: Page, system: System) -> None:
    """Stop ends the answer; what came is there after a reload, marked interrupted."""
    sign_in(page, system, "Uma")
    ask(page, "slow 1500")
    answer = page.locator(".message.assistant").last
    expect(answer.locator(".text")).not_to_be_empty()
    page.get_by_role("button", name="Stop").click()
    expect(answer).to_have_attribute("data-status", "interrupted")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()

    page.reload()
    kept = page.locator(".message.assistant").last
    expect(kept).to_have_attribute("data-status", "interrupted")
    expect(kept.locator(".text")).not_to_be_empty()


def test_without_its_script_nothing_that_is_written_leaves(
    browser: Browser, system: System, uma: StorageState
) -> None:
    """Before the script is there, or where it never comes, no address holds what one wrote."""
    context = browser.new_context(storage_state=uma, java_script_enabled=False)
    page = context.new_page()
    page.goto(system.url)
    page.get_by_label("Message").fill("a secret")
    page.get_by_role("button", name="Send").click()
    page.wait_for_timeout(300)

    assert page.url == f"{system.url}/"
    context.close()


def test_without_a_role_one_is_told_whom_to_ask(page: Page, system: System) -> None:
    """A person without a role meets a page that says so, and no chat."""
    sign_in(page, system, "Nora")

    expect(page.get_by_role("heading")).to_contain_text("have no role")
    expect(page.get_by_text("Ask")).to_be_visible()
    expect(page.get_by_label("Message")).to_have_count(0)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        assert violations(page) == [], theme


def test_what_the_model_does_wrong_is_said(page: Page, system: System) -> None:
    """A failing model is explained in a sentence, and one can go on."""
    sign_in(page, system, "Uma")
    ask(page, "throttle")
    expect(page.get_by_role("alert")).not_to_be_empty()
    ask(page, "and now an answer")
    expect(page.locator(".message.assistant").last).to_have_attribute("data-status", "complete")


def test_an_ended_session_leads_to_signing_in_again(
    page: Page, context: BrowserContext, system: System
) -> None:
    """A foreign cookie means signing in again, and coming back to where one was."""
    sign_in(page, system, "Uma")
    ask(page, "Remember this place")
    expect(page.locator(".message.assistant").last).to_have_attribute("data-status", "complete")
    address = page.url
    # Left before: what the page asks for by itself would lead away from it, too.
    page.goto("about:blank")
    context.add_cookies([{"name": "secure_openai_session", "value": "foreign", "url": system.url}])
    page.goto(address)

    expect(page.locator(".message.user .text")).to_have_text("Remember this place")


def test_no_cookie_can_be_read_by_a_script(
    page: Page, context: BrowserContext, system: System
) -> None:
    """Every cookie is HttpOnly and SameSite=Lax, and the two servers' names differ."""
    sign_in(page, system, "Ada")

    cookies = context.cookies()
    assert cookies
    assert page.evaluate("document.cookie") == ""
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Lax" for cookie in cookies)
    assert len({cookie["name"] for cookie in cookies}) == len(cookies)
