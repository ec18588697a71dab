"""What a model writes to attack who reads it, in a real browser: nothing runs, loads or leaves.

And what a page elsewhere does to whoever is signed in here.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.person import answer, answered
from tests.edge.attacks import BEACONS, DOUBTS, HIDDEN, IMITATIONS, LINKS, MARKUP
from tests.system import System

pytestmark = pytest.mark.browser

ATTACKS = {
    "markup": [*MARKUP.values()],
    "beacons": [*BEACONS.values()],
    "links": [*LINKS.values()],
    "doubts": [text for text, _, _ in DOUBTS.values()],
    # A person cannot send a bell either: it is refused before any model sees it.
    "hidden": [text for text in HIDDEN.values() if "\a" not in text],
    "imitations": [*IMITATIONS.values()],
}


def test_no_attack_reaches_anything(chat: Page, system: System) -> None:
    """Whole lists of them: no request to another host, no dialog, no fault, no imitation."""
    asked: list[str] = []
    said: list[str] = []
    chat.on("request", lambda request: asked.append(request.url))
    chat.on("dialog", lambda dialog: said.append(dialog.message))
    chat.on("popup", lambda popup: said.append(popup.url))
    for name, attacks in ATTACKS.items():
        fenced = sorted(attacks, key=lambda text: text.startswith("```"))
        last = answered(chat, "\n\n".join([f"{name}:", *fenced]))
        expect(last.locator(".text")).to_contain_text(f"{name}:")
    chat.reload()
    expect(chat.locator(".message.assistant")).to_have_count(len(ATTACKS))
    frame = chat.locator(".message.assistant .text")

    assert [url for url in asked if not url.startswith(f"{system.url}/")] == []
    assert said == []
    never = "script, style, iframe, img, form, input, dialog, [id], [style]"
    assert frame.locator(never).count() == 0
    # Blocks of code have a button of ours, and no other.
    ours = "[data-action]:not([data-action=copy-code]), [data-opens], .toast, .notice, .message"
    assert frame.locator(ours).count() == 0
    assert chat.locator(".message.user").count() == len(ATTACKS)
    # Nothing of it lies over what is ours.
    assert chat.evaluate(
        """() => [...document.querySelectorAll(".message.assistant .text *")].every(
          one => ["static", "relative"].includes(getComputedStyle(one).position))"""
    )
    assert chat.locator("h1").count() == 1
    assert chat.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_doubtful_link_is_followed_only_by_who_has_read_it(chat: Page) -> None:
    """The dialog says what the link says and where it leads; an honest link asks nothing."""
    went: list[str] = []

    def away(route: Route) -> None:
        went.append(route.request.url)
        route.fulfill(body="elsewhere")

    chat.context.route("https://*/**", away)
    answered(chat, "[bank.example](https://evil.example/in) and [a guide](https://good.example/)")
    link = answer(chat).get_by_role("link", name="bank.example")
    dialog = chat.get_by_role("dialog", name="Look where this leads")
    for button in ("left", "middle"):
        link.click(button=button)
        expect(dialog).to_contain_text("bank.example")
        expect(dialog.locator("code")).to_have_text("https://evil.example/in")
        dialog.get_by_role("button", name="Stay here").click()
        expect(dialog).to_be_hidden()
    assert went == []
    link.focus()
    chat.keyboard.press("Enter")
    with chat.expect_popup() as opened:
        dialog.get_by_role("button", name="Open it").click()
    opened.value.wait_for_url("https://evil.example/in")
    assert opened.value.evaluate("[window.opener, document.referrer]") == [None, ""]
    with chat.expect_popup() as opened:
        answer(chat).get_by_role("link", name="a guide").click()
    opened.value.wait_for_url("https://good.example/")

    assert opened.value.evaluate("[window.opener, document.referrer]") == [None, ""]
    assert went == ["https://evil.example/in", "https://good.example/"]


def test_a_foreign_form_signs_nobody_out(chat: Page, system: System) -> None:
    """A page elsewhere sends the form of our sign-out, for which the browser keeps cookies back."""
    form = f"<form method=post action='{system.url}/sign-out'></form>"
    chat.route(
        "http://evil.example/", lambda route: route.fulfill(content_type="text/html", body=form)
    )
    chat.goto("http://evil.example/")
    with chat.expect_response("**/sign-out") as answer:
        chat.evaluate("document.forms[0].submit()")
    assert "cookie" not in answer.value.request.all_headers()
    assert answer.value.status == 403
    chat.wait_for_url("**/sign-out")
    chat.goto(system.url)

    expect(chat.get_by_label("Message")).to_be_visible()
