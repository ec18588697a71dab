"""One person's way through all that the chat does, at both widths, in both themes.

Each step is a function that is called for what it shows; other files of this folder go deeper into
each. Axe judges every state on the way, menus and dialogs too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import answer, forget, sign_in
from tests.browser.walk import choices, side, talk
from tests.browser.walk.organisation import choosing
from tests.browser.walk.way import Theme, Walk, walking
from tests.browser.wire import Wire
from tests.system import System

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system where there is something to choose."""
    with choosing(tmp_path_factory.mktemp("walk")) as system:
        yield system


@pytest.fixture
def walk(
    browser: Browser, organisation: System, wire: Wire, width: int, theme: Theme
) -> Iterator[Walk]:
    """Somebody who comes to it."""
    with walking(browser, organisation, wire, width, theme) as somebody:
        yield somebody


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_person_walks_through_the_chat(walk: Walk) -> None:
    """Everything works and axe finds nothing, whatever the width and the theme."""
    signed_in(walk)
    choices.theme(walk)
    choices.language(walk)
    choices.suggestion(walk)
    choices.deployment(walk)
    choices.instructions(walk)
    choices.prompts(walk)
    talk.asked_and_titled(walk)
    talk.tokens_and_quota(walk)
    talk.code_tables_and_mathematics(walk)
    talk.regenerated(walk)
    talk.edited_into_branches(walk)
    talk.feedback_with_a_reason(walk)
    talk.stopped_and_continued(walk)
    talk.cut_off_and_resumed(walk)
    talk.failed_and_tried_again(walk)
    talk.filtered_by_a_rule(walk)
    talk.doubtful_link(walk)
    talk.files_attached(walk)
    side.renamed(walk)
    side.pinned(walk)
    side.exported(walk)
    side.searched(walk)
    side.deleted_and_undone(walk)
    used_by_keyboard(walk)
    signed_out(walk)

    assert walk.found == [], "\n".join(walk.found)


def signed_in(walk: Walk) -> None:
    """Come in, with nothing said before."""
    sign_in(walk.page, walk.system, "Uma")
    forget(walk.page)
    walk.page.reload()
    expect(walk.page.get_by_role("heading", name="Hello, Uma")).to_be_visible()


def used_by_keyboard(walk: Walk) -> None:
    """Keys write, change, copy, ask again, search, and explain themselves."""
    keyboard = walk.page.keyboard
    text = walk.page.locator("#messages .text").last
    text.click()
    keyboard.press("/")
    expect(walk.message).to_be_focused()
    keyboard.press("ArrowUp")
    expect(walk.page.locator(".editing textarea")).to_be_focused()
    keyboard.press("Escape")
    keyboard.press("Alt+KeyC")
    expect(walk.page.locator("#announcer")).to_have_text("Copied.")
    keyboard.press("Alt+KeyR")
    expect(answer(walk.page).locator(".place")).to_have_text("2/2")
    walk.settled()
    keyboard.press("Control+k")
    expect(walk.page.get_by_label("Search conversations")).to_be_focused()
    walk.from_side()
    text.click()
    keyboard.press("?")
    walk.dialog("Keyboard")
    walk.look("the keys")
    keyboard.press("Escape")
    keyboard.press("Control+Shift+O")
    walk.page.wait_for_url(f"{walk.system.url}/")

    expect(walk.page.get_by_role("heading", name="Hello, Uma")).to_be_visible()


def signed_out(walk: Walk) -> None:
    """Here and at the issuer: whoever comes back is asked who they are."""
    walk.account().get_by_role("button", name="Sign out").click()
    walk.page.wait_for_url(f"{walk.system.url}/signed-out")
    walk.look("the page after the last one")
    walk.page.goto(walk.system.url)
    walk.page.wait_for_url(re.compile(re.escape(walk.system.issuer)))

    expect(walk.page.get_by_role("button", name=re.compile("Uma"))).to_be_visible()
