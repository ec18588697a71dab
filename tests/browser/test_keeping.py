"""What a person keeps beside conversations: prompts, instructions, feedback, files, quota."""

from __future__ import annotations

import io
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.browser.person import act, answer, answered, api, until

pytestmark = pytest.mark.browser


def picture() -> bytes:
    """Return a small picture."""
    written = io.BytesIO()
    Image.new("RGB", (64, 40), "#336699").save(written, "PNG")
    return written.getvalue()


def test_a_prompt_is_saved_found_used_changed_and_removed(chat: Page) -> None:
    """It is put where one writes."""
    chat.locator("#open-prompts").click()
    dialog = chat.get_by_role("dialog", name="Prompts")
    dialog.get_by_role("button", name="Add").click()
    dialog.get_by_label("Name").fill("Minutes")
    dialog.get_by_label("Text").fill("Write minutes of: ")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".saved li")).to_have_count(1)
    dialog.get_by_label("Search prompts").fill("nothing like it")
    expect(dialog.locator(".saved li")).to_have_count(0)
    dialog.get_by_label("Search prompts").fill("minut")
    dialog.locator(".saved").get_by_role("button", name="Minutes").click()
    expect(chat.get_by_label("Message")).to_have_value("Write minutes of:")

    chat.locator("#open-prompts").click()
    dialog.get_by_label("Search prompts").fill("")
    dialog.get_by_role("button", name="Edit").click()
    dialog.get_by_label("Name").fill("Protocol")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".saved strong")).to_have_text("Protocol")
    chat.context.set_offline(True)
    dialog.get_by_role("button", name="Remove").click()
    expect(dialog.get_by_text("There is no connection").first).to_be_visible()
    expect(dialog.locator(".saved strong")).to_have_text("Protocol")
    chat.context.set_offline(False)
    dialog.get_by_role("button", name="Remove").click()

    expect(dialog.get_by_text("No prompts yet")).to_be_visible()


def test_instructions_are_chosen_for_what_one_asks(chat: Page) -> None:
    """The choice is sent with the message, and stays for the next one."""
    api(chat, "POST", "/api/me/instructions", {"name": "Brief", "text": "Answer briefly."})
    chat.reload()
    chat.locator("#instruction-button").click()
    chat.locator("#instruction-menu").get_by_role("button", name="Brief").click()
    expect(chat.locator("#instruction-name")).to_have_text("Brief")
    with chat.expect_request("**/messages") as sent:
        answered(chat, "hello")
    listed = api(chat, "GET", "/api/me/instructions")
    chosen = listed["items"][0]["id"]  # type: ignore[index]
    assert (sent.value.post_data_json or {})["instruction"] == chosen
    chat.reload()
    expect(chat.locator("#instruction-name")).to_have_text("Brief")
    chat.locator("#instruction-button").click()
    chat.locator("#instruction-menu").get_by_role("button", name="No instructions").click()

    expect(chat.locator("#instruction-name")).to_have_text("No instructions")


def test_an_answer_is_judged_with_a_reason(chat: Page) -> None:
    """Down with a reason and a comment; it is there after a reload, and can be taken back."""
    last = answered(chat, "judge this")
    act(last, "down")
    dialog = chat.get_by_role("dialog", name="What do you think")
    dialog.get_by_role("button", name="Not true").click()
    dialog.get_by_label("Comment").fill("The year is another one.")
    dialog.get_by_role("button", name="Submit").click()
    expect(chat.get_by_text("Thank you")).to_be_visible()
    chat.reload()
    down = answer(chat).locator("[data-action=down]")
    expect(down).to_have_attribute("aria-pressed", "true")
    act(answer(chat), "down")
    expect(down).to_have_attribute("aria-pressed", "false")
    act(answer(chat), "up")

    expect(answer(chat).locator("[data-action=up]")).to_have_attribute("aria-pressed", "true")


def test_what_was_pressed_last_is_kept(chat: Page) -> None:
    """Also where what was pressed before it is slow on its way."""
    last = answered(chat, "judge this twice")
    slow: list[Route] = []

    def carry(route: Route) -> None:
        if route.request.method == "DELETE":
            slow.append(route)
        else:
            route.continue_()

    chat.route("**/messages/*/feedback", carry)
    act(last, "up")
    expect(chat.get_by_text("Thank you")).to_be_visible()
    act(last, "up")
    act(last, "down")
    until(chat, lambda: bool(slow))
    with chat.expect_response(lambda answered_so: answered_so.request.method == "DELETE"):
        slow[0].continue_()
    expect(chat.get_by_role("dialog", name="What do you think")).to_be_visible()
    kept = api(chat, "GET", f"/api{urlsplit(chat.url).path}/feedback")

    assert [one["rating"] for one in kept["items"]] == ["down"]  # type: ignore[index]


def test_text_files_are_attached_sent_and_shown(chat: Page) -> None:
    """Chosen by a button, taken away again, dropped; what was sent stands beside the question."""
    files = [
        FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"some notes"),
        FilePayload(name="away.txt", mimeType="text/plain", buffer=b"not these"),
    ]
    chat.locator("#file").set_input_files(files)
    expect(chat.locator(".chip[aria-busy]")).to_have_count(0)
    chat.get_by_role("button", name="Remove away.txt").click()
    expect(chat.locator(".chip")).to_have_text(["notes.txt✕"])
    answered(chat, "read this")
    expect(chat.locator(".message.user .attached a")).to_have_text("notes.txt")
    expect(chat.locator(".chip")).to_have_count(0)
    chat.reload()

    expect(chat.locator(".message.user .attached a")).to_have_text("notes.txt")


def test_a_file_that_is_none_is_refused_by_name(chat: Page) -> None:
    """Beside its name stands why, and the message is sent without it."""
    program = FilePayload(name="run.exe", mimeType="application/x-msdownload", buffer=b"MZ\x00\x01")
    chat.locator("#file").set_input_files(program)
    failed = chat.locator(".chip.failed")
    expect(failed).to_contain_text("run.exe: ")
    answered(chat, "hello without it")

    expect(chat.locator(".message.user .attached")).to_be_hidden()


def test_a_picture_is_pasted(chat: Page) -> None:
    """It is kept at once, sent with the question, and shown beside it."""
    chat.get_by_label("Message").focus()
    chat.evaluate(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "shot.png", {type: "image/png"}));
          const how = {clipboardData: data, bubbles: true, cancelable: true};
          document.querySelector("#text").dispatchEvent(new ClipboardEvent("paste", how));
        }""",
        list(picture()),
    )
    expect(chat.locator(".chip:not([aria-busy])")).to_have_text(["shot.png✕"])
    answered(chat, "what is this?")
    shown = chat.locator(".message.user .attached img")
    expect(shown).to_have_attribute("alt", "shot.png")

    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64


def test_what_is_left_of_the_quota_is_shown(chat: Page) -> None:
    """Under where one writes, by day and by minute; and each answer says what it took."""
    last = answered(chat, "count me")
    expect(last.locator(".usage")).to_contain_text("tokens")
    expect(chat.locator("#quota")).to_contain_text("% of today left")
    chat.locator("#quota").click()

    expect(chat.locator("#quota-menu .line")).to_have_count(4)
    expect(chat.locator("#quota-menu")).to_contain_text("Tokens today")
    expect(chat.locator("#quota-menu")).to_contain_text("Questions today")
