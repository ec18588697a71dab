"""Forms that act: what is sent of them."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from tests.browser.person import sign_in
from tests.system import System

pytestmark = pytest.mark.browser

FORM = """<form method="post" action="/admin/act"><input name="reference" value="case 7">
<button name="decision" value="keep">Keep</button><button name="decision" value="drop">Drop</button>
</form>"""


def test_the_button_that_was_pressed_is_sent(
    page: Page, context: BrowserContext, system: System
) -> None:
    """As a form without scripts sends it, and no other button with it."""
    sent: list[str | None] = []

    def answer(route: Route) -> None:
        sent.append(route.request.post_data)
        route.fulfill(json={"location": "/admin"})

    sign_in(page, system, "Ada")
    context.route("**/admin/act", answer)
    page.goto(f"{system.url}/admin")
    page.locator("main").evaluate("(main, form) => { main.innerHTML = form; }", FORM)
    with page.expect_navigation():
        page.get_by_role("button", name="Drop").click()

    assert sent == ["reference=case+7&decision=drop"]
