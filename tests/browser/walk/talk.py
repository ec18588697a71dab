"""What one asks, and does with what is answered."""

from __future__ import annotations

import re

from playwright.sync_api import FilePayload, Locator, expect

from tests.browser.person import act, answer, answered, ask, copied, row, texts
from tests.browser.test_keeping import picture
from tests.browser.test_looks import ANSWER
from tests.browser.walk.choices import QUESTION
from tests.browser.walk.way import Walk


def asked_and_titled(walk: Walk) -> None:
    """What was chosen goes along; the title comes by itself, at the side too."""
    with walk.page.expect_request("**/messages") as sent:
        walk.page.get_by_role("button", name="Send").click()
    last = walk.settled()
    expect(last.locator(".text")).to_have_text(f"You said: {QUESTION}")
    expect(last.locator(".author")).to_have_text("thorough")
    asked = sent.value.post_data_json or {}
    assert (asked["deployment"], bool(asked["instruction"])) == ("thorough", True)

    expect(walk.page.locator("#title")).to_have_text(f"You said: {QUESTION}")
    expect(walk.page).to_have_title(f"You said: {QUESTION}")
    expect(row(walk.page, f"You said: {QUESTION}")).to_have_count(1)


def tokens_and_quota(walk: Walk) -> None:
    """Beside the answer, and under where one writes."""
    expect(answer(walk.page).locator(".usage")).to_have_text(re.compile(r"^[\d,]+ tokens$"))
    quota = walk.page.locator("#quota")
    expect(quota).to_have_text(re.compile(r"^\d+ % of today left$"))
    quota.click()
    expect(walk.page.locator("#quota-menu .line")).to_have_count(4)
    walk.look("the quota")
    walk.page.keyboard.press("Escape")

    expect(walk.page.locator("#quota-menu")).to_be_hidden()


def code_tables_and_mathematics(walk: Walk) -> None:
    """Code is in colours that are not the text's; copies are what was written."""
    answered(walk.page, ANSWER)
    last = walk.settled()
    expect(last.locator("td").first).to_have_text("one")
    expect(last.locator("math")).to_be_visible()
    expect(last.locator(".code header")).to_contain_text("python")
    colours = last.locator(".code pre").evaluate(
        "pre => [...pre.querySelectorAll('span'), pre].map(one => getComputedStyle(one).color)"
    )
    assert len(set(colours)) >= 3, colours
    walk.look("an answer with everything in it")
    code = ANSWER.partition("```python\n")[2].partition("\n```")[0]
    last.get_by_role("button", name="Copy code").click()
    assert copied(walk.page, code) == code
    act(last, "copy")

    expect(walk.page.locator("#announcer")).to_have_text("Copied.")
    said = f"You said: {ANSWER}"
    assert copied(walk.page, said) == said


def regenerated(walk: Walk) -> None:
    """Both are kept, and one goes between them."""
    act(answer(walk.page), "again")
    place = answer(walk.page).locator(".place")
    expect(place).to_have_text("2/2")
    walk.settled()
    act(answer(walk.page), "previous")
    expect(place).to_have_text("1/2")
    act(answer(walk.page), "next")

    expect(place).to_have_text("2/2")


def edited_into_branches(walk: Walk) -> None:
    """What followed stays on the other branch."""
    first = walk.page.locator(".message.user").first
    act(first, "edit")
    field = walk.page.locator(".editing textarea")
    expect(field).to_have_value(QUESTION)
    walk.look("a question that is being edited")
    field.fill("What is it, put better?")
    walk.page.get_by_role("button", name="Save and ask").click()
    expect(first.locator(".place")).to_have_text("2/2")
    expect(walk.page.locator(".message")).to_have_count(2)
    walk.settled()
    assert texts(walk.page) == ["What is it, put better?", "You said: What is it, put better?"]
    act(first, "previous")
    expect(walk.page.locator(".message")).to_have_count(4)
    expect(first.locator(".text")).to_have_text(QUESTION)
    walk.look("a talk with branches")
    act(first, "next")

    expect(walk.page.locator(".message")).to_have_count(2)


def feedback_with_a_reason(walk: Walk) -> None:
    """Down, why, and in one's own words."""
    act(answer(walk.page), "down")
    dialog = walk.dialog("What do you think")
    dialog.get_by_role("button", name="Not true").click()
    dialog.get_by_label("Comment").fill("It is another one.")
    walk.look("the feedback")
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog).to_be_hidden()
    walk.read("Thank you")

    down = answer(walk.page).locator("[data-action=down]")
    expect(down).to_have_attribute("aria-pressed", "true")


def coming(walk: Walk, text: str) -> Locator:
    """Ask, and return the answer once its first words are there."""
    before = walk.page.locator(".message").count()
    ask(walk.page, text)
    expect(walk.page.locator(".message")).to_have_count(before + 2)
    last = answer(walk.page)
    expect(last.locator(".text")).to_contain_text("keyless")
    expect(last).to_have_attribute("data-status", "streaming")
    return last


def stopped_and_continued(walk: Walk) -> None:
    """What streams in ends with the button, and goes on in the same message."""
    last = coming(walk, "slow 1500")
    walk.page.get_by_role("button", name="Stop").click()
    walk.settled("interrupted")
    expect(last.locator(".note")).to_contain_text("Interrupted")
    walk.look("an answer that was stopped")
    before = last.locator(".text").inner_text()
    count = walk.page.locator(".message").count()
    act(last, "continue")
    walk.settled()

    expect(last.locator(".note")).to_be_hidden()
    after = last.locator(".text").inner_text()
    assert after.startswith(before[:40])
    assert len(after) > len(before)
    expect(walk.page.locator(".message")).to_have_count(count)


def cut_off_and_resumed(walk: Walk) -> None:
    """In the middle of an answer; nothing is missing and nothing comes twice."""
    walk.wire.hold_at("keyless")
    last = coming(walk, "slow 150")
    walk.wire.cut()
    alert = walk.page.get_by_role("alert")
    expect(alert).to_contain_text("The connection broke")
    walk.wire.mend()
    walk.settled()

    assert len(last.locator(".text").inner_text().split()) == 150
    expect(alert).to_be_hidden()


def failed_and_tried_again(walk: Walk) -> None:
    """Without a connection what one wrote stays; what the model failed is asked once more."""
    walk.wire.cut()
    ask(walk.page, "Is anybody there?")
    alert = walk.page.get_by_role("alert")
    expect(alert).to_contain_text("There is no connection. What you wrote is still here.")
    expect(walk.message).to_have_value("Is anybody there?")
    walk.look("a message that could not be sent")
    walk.wire.mend()
    walk.page.get_by_role("button", name="Try again").click()
    expect(answer(walk.page)).to_contain_text("You said: Is anybody there?")
    walk.settled()
    expect(walk.message).to_have_value("")

    answered(walk.page, "throttle", "interrupted")
    expect(alert).to_contain_text("The model is over its own quota")
    walk.look("a model that failed")
    count = walk.page.locator(".message").count()
    walk.page.get_by_role("button", name="Try again").click()
    expect(answer(walk.page).locator(".place")).to_have_text("2/2")
    expect(walk.page.locator(".message")).to_have_count(count)
    walk.settled("interrupted")


def filtered_by_a_rule(walk: Walk) -> None:
    """A question and an answer; each says which rule, and of the answer what came is there."""
    answered(walk.page, "filter", "interrupted")
    alert = walk.page.get_by_role("alert")
    expect(alert).to_contain_text("Its rule: an attempt to get round the rules")
    expect(walk.page.get_by_role("button", name="Try again")).to_be_hidden()
    walk.look("a question that was filtered")
    last = answered(walk.page, "censor 5")
    expect(last.locator(".note")).to_contain_text("The content filter stopped this answer")
    expect(last.locator(".note")).to_contain_text("violence")
    expect(last.locator(".text")).to_contain_text("secure private")
    walk.settled()
    walk.look("an answer that was filtered")


def doubtful_link(walk: Walk) -> None:
    """A dialog says where it leads; whoever stays has opened nothing, and nothing was loaded."""
    asked: list[str] = []
    context = walk.page.context
    context.on("request", lambda request: asked.append(request.url))
    answered(walk.page, "[bank.example](https://evil.example)")
    walk.settled().get_by_role("link", name="bank.example").click()
    dialog = walk.dialog("Look where this leads")
    expect(dialog).to_contain_text("The link says “bank.example”, but it leads to evil.example")
    expect(dialog.locator("code")).to_have_text("https://evil.example")
    walk.look("a doubtful link")
    dialog.get_by_role("button", name="Stay here").click()
    expect(dialog).to_be_hidden()

    assert [url for url in asked if not url.startswith(f"{walk.system.url}/")] == []
    assert context.pages == [walk.page]


def files_attached(walk: Walk) -> None:
    """Chosen by the button, shown where one writes, then beside the question."""
    with walk.page.expect_file_chooser() as chooser:
        walk.page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files(
        [
            FilePayload(name="shot.png", mimeType="image/png", buffer=picture()),
            FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"some notes"),
        ]
    )
    expect(walk.page.locator(".chip:not([aria-busy]) .name")).to_have_text(
        ["shot.png", "notes.txt"]
    )
    expect(walk.page.locator(".chip.failed")).to_have_count(0)
    walk.look("files that are attached")
    answered(walk.page, "Read these")
    walk.settled()
    attached = walk.page.locator(".message.user").last.locator(".attached")

    expect(attached.get_by_role("link", name="notes.txt")).to_be_visible()
    image = attached.get_by_role("img", name="shot.png")
    assert image.evaluate("one => one.decode().then(() => one.naturalWidth)") == 64
