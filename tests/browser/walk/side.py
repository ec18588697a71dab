"""What one does with a conversation, most of it at the side."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.person import do, row
from tests.browser.walk.way import Walk


def renamed(walk: Walk) -> None:
    """In its place at the side."""
    walk.to_side()
    do(walk.page, "You said", "Rename")
    walk.page.get_by_label("Title", exact=True).fill("Endpoints")
    walk.page.keyboard.press("Enter")

    expect(walk.page.locator("#title")).to_have_text("Endpoints")
    expect(row(walk.page, "Endpoints")).to_have_count(1)


def pinned(walk: Walk) -> None:
    """It stands first, under a heading of its own."""
    walk.to_side()
    do(walk.page, "Endpoints", "Pin")

    expect(walk.page.locator("#conversations .when").first).to_have_text("Pinned")


def exported(walk: Walk) -> None:
    """As Markdown and as JSON, with what was said on the branch one sees."""
    for what, ending in (("Markdown", ".md"), ("JSON", ".json")):
        walk.from_side()
        walk.page.locator("#current-actions").click()
        link = walk.page.get_by_role("link", name=f"Export as {what}")
        expect(link).to_be_visible()
        if what == "Markdown":
            walk.look("what can be done with a conversation")
        with walk.page.expect_download() as begun:
            link.click()
        text = Path(begun.value.path()).read_text("utf-8")
        assert begun.value.suggested_filename.endswith(ending)
        assert "You said: What is it, put better?" in text
        if what == "JSON":
            json.loads(text)


def searched(walk: Walk) -> None:
    """By what was said in it, with the place where that is."""
    walk.to_side()
    field = walk.page.get_by_label("Search conversations")
    field.fill("put better")
    expect(walk.page.locator("#found li")).to_have_count(1)
    expect(walk.page.locator("#found .excerpt")).to_contain_text("put better")
    walk.look("what was found")
    field.fill("nothing of the kind")
    expect(walk.page.locator("#none")).to_contain_text("Nothing is found for")
    field.press("Escape")

    expect(row(walk.page, "Endpoints")).to_be_visible()


def deleted_and_undone(walk: Walk) -> None:
    """By one button, as it was."""
    walk.to_side()
    do(walk.page, "Endpoints", "Delete")
    walk.page.wait_for_url(f"{walk.system.url}/")
    undo = walk.page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    expect(row(walk.page, "Endpoints")).to_have_count(0)
    undo.hover()
    walk.look("a conversation that was deleted")
    undo.click()
    expect(row(walk.page, "Endpoints")).to_have_count(1)
    expect(walk.page.locator("#conversations .when").first).to_have_text("Pinned")
    walk.to_side()
    row(walk.page, "Endpoints").get_by_role("link").click()
    walk.page.wait_for_url("**/conversations/*")

    expect(walk.page.locator("#title")).to_have_text("Endpoints")
    expect(walk.page.locator(".message").first).to_contain_text("What is it, put better?")
