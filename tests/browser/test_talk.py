"""A talk: asked again, edited, continued, copied, and what goes wrong in it."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.person import act, answer, answered, ask, copied, texts, until
from tests.browser.wire import Wire
from tests.system import System

pytestmark = pytest.mark.browser


def test_an_answer_is_asked_for_again_beside_the_first(chat: Page) -> None:
    """Both are kept, and one goes from one to the other; a reload shows the newest."""
    last = answered(chat, "hello")
    act(last, "again")
    expect(answer(chat).locator(".place")).to_have_text("2/2")
    expect(answer(chat)).to_have_attribute("data-status", "complete")
    act(answer(chat), "previous")
    expect(answer(chat).locator(".place")).to_have_text("1/2")
    expect(answer(chat).locator("[data-action=next]")).to_be_focused()
    chat.reload()

    expect(answer(chat).locator(".place")).to_have_text("2/2")
    assert texts(chat) == ["hello", "You said: hello"]


def test_an_edited_question_begins_a_branch(chat: Page) -> None:
    """What came after it stays on the other branch, and is there again when one goes back."""
    answered(chat, "one")
    answered(chat, "two")
    first = chat.locator(".message.user").first
    act(first, "edit")
    field = chat.get_by_label("Edit", exact=True).and_(chat.locator("textarea"))
    expect(field).to_have_value("one")
    field.fill("one, put better")
    chat.get_by_role("button", name="Save and ask").click()
    expect(first.locator(".place")).to_have_text("2/2")
    assert texts(chat) == ["one, put better", "You said: one, put better"]

    act(first, "previous")
    expect(chat.locator(".message")).to_have_count(4)
    assert texts(chat) == ["one", "You said: one", "two", "You said: two"]


def test_an_edit_can_be_left(chat: Page) -> None:
    """Escape changes nothing and gives the focus back."""
    answered(chat, "as it is")
    act(chat.locator(".message.user").first, "edit")
    chat.keyboard.type(" not")
    chat.keyboard.press("Escape")

    expect(chat.locator(".message.user [data-action=edit]")).to_be_focused()
    assert texts(chat)[0] == "as it is"


def test_a_stopped_answer_is_continued(chat: Page) -> None:
    """What follows is added to what had come, in the same message."""
    ask(chat, "slow 1500")
    expect(answer(chat).locator(".text")).to_contain_text("keyless")
    chat.keyboard.press("Escape")
    expect(answer(chat)).to_have_attribute("data-status", "interrupted")
    expect(answer(chat).locator(".note")).to_contain_text("Interrupted")
    before = answer(chat).locator(".text").inner_text()
    act(answer(chat), "continue")
    expect(answer(chat)).to_have_attribute("data-status", "complete")

    after = answer(chat).locator(".text").inner_text()
    assert after.startswith(before[:40])
    assert len(after) > len(before)
    expect(chat.locator(".message")).to_have_count(2)


def test_messages_and_code_are_copied_as_they_were_written(chat: Page) -> None:
    """Markdown of a message, and nothing but the code of a block."""
    text = "**bold**\n\n```python\nprint(1)\n```"
    last = answered(chat, text)
    act(last, "copy")
    assert copied(chat, f"You said: {text}") == f"You said: {text}"
    last.get_by_role("button", name="Copy code").click()

    assert copied(chat, "print(1)") == "print(1)"
    expect(last.locator(".code header")).to_contain_text("python")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("filter", "Its rule: an attempt to get round the rules"),
        ("throttle", "The model is over its own quota"),
        ("cut 3", "The model broke off"),
    ],
)
def test_what_failed_says_why(chat: Page, asked: str, said: str) -> None:
    """In a sentence beside where one writes, which is told to who cannot see it."""
    answered(chat, asked, "interrupted")

    expect(chat.get_by_role("alert")).to_contain_text(said)


def test_nobody_waits_for_a_title(chat: Page) -> None:
    """Once an answer has ended one goes on; its title comes later, and takes no focus away."""
    answered(chat, "spell A short title\n\n" + "word " * 60)
    act(answer(chat), "again")
    expect(answer(chat).locator(".place")).to_have_text("2/2")
    act(chat.locator(".message.user"), "copy")
    expect(chat.locator("#title")).to_have_text("A short title")
    expect(answer(chat)).to_have_attribute("data-status", "complete")

    expect(chat.locator(".message.user [data-action=copy]")).to_be_focused()


def test_a_broken_connection_is_taken_up_where_it_broke(wire: Wire, wired_chat: Page) -> None:
    """Within the grace the rest arrives, and nothing twice."""
    wire.hold_at("keyless")
    ask(wired_chat, "slow 150")
    expect(answer(wired_chat).locator(".text")).to_contain_text("keyless")
    wire.cut()
    expect(wired_chat.get_by_role("alert")).to_contain_text("The connection broke")
    expect(wired_chat.get_by_role("alert")).to_contain_text("goes on for 15 seconds")
    wire.mend()
    expect(answer(wired_chat)).to_have_attribute("data-status", "complete")

    words = answer(wired_chat).locator(".text").inner_text().split()
    assert len(words) == 150
    assert words[:4] == ["secure", "private", "keyless", "signed-in"]
    expect(wired_chat.get_by_role("alert")).to_be_hidden()


def test_an_answer_that_ended_meanwhile_is_shown(
    wire: Wire, wired_chat: Page, system: System
) -> None:
    """Who comes back after it has ended is shown what is kept."""
    wire.hold_at("keyless")
    ask(wired_chat, "slow 20")
    expect(answer(wired_chat).locator(".text")).to_contain_text("keyless")
    wire.cut()
    expect(wired_chat.get_by_role("alert")).to_contain_text("The connection broke")
    until(wired_chat, lambda: kept(wired_chat, system)["status"] == "complete")
    wire.mend()
    expect(answer(wired_chat)).to_have_attribute("data-status", "complete")

    assert len(answer(wired_chat).locator(".text").inner_text().split()) == 20


def kept(page: Page, system: System) -> dict[str, Any]:
    """Return the last message as it is kept, which is asked for beside the wire."""
    cookies = page.context.cookies(system.url)
    asked = urllib.request.Request(
        f"{system.url}/api{urlsplit(page.url).path}/messages",
        headers={"Cookie": "; ".join(f"{one['name']}={one['value']}" for one in cookies)},
    )
    with urllib.request.urlopen(asked, timeout=60) as answered_so:
        return json.load(answered_so)["items"][-1]  # type: ignore[no-any-return]


def test_a_page_that_is_opened_again_hears_the_rest(chat: Page) -> None:
    """A reload in the middle of an answer goes on with it."""
    ask(chat, "slow 200")
    expect(answer(chat).locator(".text")).to_contain_text("keyless")
    chat.reload()
    expect(answer(chat)).to_have_attribute("data-status", "complete")

    assert len(answer(chat).locator(".text").inner_text().split()) == 200


def test_the_keyboard_reaches_everything(chat: Page, system: System) -> None:
    """Keys write, change, stop, copy, ask again and explain themselves."""
    answered(chat, "by keys")
    chat.locator("#messages .text").first.click()
    chat.keyboard.press("/")
    expect(chat.get_by_label("Message")).to_be_focused()
    chat.keyboard.press("ArrowUp")
    expect(chat.locator(".editing textarea")).to_have_value("by keys")
    chat.keyboard.press("Escape")
    chat.keyboard.press("Alt+KeyC")
    expect(chat.locator("#announcer")).to_have_text("Copied.")
    chat.keyboard.press("Alt+KeyR")
    expect(answer(chat).locator(".place")).to_have_text("2/2")
    chat.keyboard.press("Control+b")
    expect(chat.get_by_label("Search conversations")).to_be_hidden()
    chat.keyboard.press("Control+k")
    expect(chat.get_by_label("Search conversations")).to_be_focused()
    chat.locator("#messages .text").first.click()
    chat.keyboard.press("?")
    dialog = chat.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Keys of a single sign").uncheck()
    chat.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    chat.keyboard.press("?")
    expect(dialog).to_be_hidden()
    chat.keyboard.press("Control+Shift+O")

    chat.wait_for_url(f"{system.url}/")
    expect(chat.get_by_label("Message")).to_be_focused()


def test_a_suggestion_is_written_for_one(chat: Page) -> None:
    """It stands in the field, to be completed."""
    chat.get_by_role("button", name=re.compile("Make a plan")).click()

    expect(chat.get_by_label("Message")).to_have_value(re.compile("Make a plan with steps"))
    expect(chat.get_by_label("Message")).to_be_focused()


def test_a_screen_reader_hears_an_answer_once_it_is_whole(chat: Page) -> None:
    """No region that is read aloud changes with every word."""
    chat.evaluate(
        """() => {
          window.heard = [];
          const live = document.querySelector("#announcer");
          const hear = () => window.heard.push(live.textContent);
          new MutationObserver(hear).observe(live, {childList: true});
        }"""
    )
    answered(chat, "say this in one piece")

    assert chat.evaluate("window.heard") == [
        "An answer is being written.",
        "You said: say this in one piece",
    ]
    assert chat.locator("#messages").get_attribute("aria-live") is None
    roles = [one.inner_text() for one in chat.locator("#messages h2").all()]
    assert roles == ["You", "scripted"]


def test_a_draft_is_not_taken_by_what_is_tried_again(chat: Page) -> None:
    """What was written meanwhile stays, while the earlier message is sent once more."""
    answered(chat, "throttle", "interrupted")
    chat.get_by_label("Message").fill("a draft")
    chat.get_by_role("button", name="Try again").click()
    expect(answer(chat).locator(".place")).to_have_text("2/2")

    expect(chat.get_by_label("Message")).to_have_value("a draft")


def test_a_long_question_shows_its_beginning(chat: Page) -> None:
    """All of it is one press away; a short one stays as it is, and what is copied is whole."""
    answered(chat, "short")
    lines = "\n".join(f"line {number}" for number in range(60))
    answered(chat, lines)
    short, long = chat.locator(".message.user").all()
    expect(short.get_by_role("button", name="Show all of it")).to_be_hidden()
    assert long.locator(".text").evaluate("one => one.clientHeight < one.scrollHeight")
    act(long, "copy")
    assert copied(chat, lines) == lines
    long.get_by_role("button", name="Show all of it").click()
    assert long.locator(".text").evaluate("one => one.clientHeight >= one.scrollHeight")
    long.get_by_role("button", name="Show less").click()

    expect(long.get_by_role("button", name="Show all of it")).to_have_attribute(
        "aria-expanded", "false"
    )


def test_what_failed_says_why_in_the_readers_language(chat: Page, system: System) -> None:
    """Beside where one writes and in the answer, without a word of another language."""
    chat.context.set_extra_http_headers({"Accept-Language": "de"})
    chat.goto(system.url)
    chat.get_by_label("Nachricht").fill("throttle")
    chat.get_by_role("button", name="Senden").click()
    expect(chat.get_by_role("alert")).to_contain_text("Das Modell ist ausgelastet.")
    expect(answer(chat).locator(".note")).to_have_text("Es kam keine Antwort.")
    for asked, rule in (("filter", "ein Versuch, die Regeln zu umgehen"), ("censor 5", "Gewalt")):
        before = chat.locator(".message").count()
        chat.get_by_label("Nachricht").fill(asked)
        chat.get_by_role("button", name="Senden").click()
        expect(chat.locator(".message")).to_have_count(before + 2)
        expect(answer(chat).locator(".note")).to_contain_text(f"Seine Regel: {rule}.")
        chat.reload()
        expect(answer(chat).locator(".note")).to_contain_text(f"Seine Regel: {rule}.")
    chat.locator("#file").set_input_files(
        FilePayload(name="a.zip", mimeType="application/zip", buffer=b"PK\x03\x04\xff")
    )

    expect(chat.locator(".chip.failed")).to_contain_text("a.zip: Das wird hier nicht gelesen")
