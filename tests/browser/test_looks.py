"""How pages look: judged by axe, compared with kept pictures, in both themes and at both widths.

To keep new pictures, after looking at them:

    python -m pytest tests/browser/test_looks.py --renew-pictures
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Response, Route, StorageState, expect

from secure_openai.local.identity_provider.directory import TENANT_ID
from tests.browser.conftest import watched
from tests.browser.likeness import PICTURES, SHARE, Likeness, difference, kept, taken
from tests.browser.person import PATIENCE, act, answer, answered, api, forget, sign_in
from tests.system import System

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (1200, 390)
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
ANSWER = """Here is **what** to do:

1. Open the file, then read `data.csv`.
2. Compute $s = \\sum_i x_i^2$ and see [the guide](https://learn.microsoft.com/azure).

| name | value |
|------|------:|
| one  | 1.25  |

```python
def total(rows: list[int]) -> int:
    return sum(rows) + 42  # all of them
```

- [x] done
- [ ] open: [bank.example](https://evil.example)
"""


def home(page: Page, system: System) -> None:
    """The first page."""
    page.goto(system.url)
    loaded(page)


def talk(page: Page, system: System) -> None:
    """What a model answers, with everything that Markdown makes."""
    page.goto(system.url)
    (only,) = api(page, "GET", "/api/conversations")["items"]  # type: ignore[index]
    page.goto(f"{system.url}/conversations/{only['id']}")
    loaded(page)


def loaded(page: Page) -> None:
    """Wait for what a page of the chat asks for by itself, and shows where one writes."""
    expect(page.locator("#quota")).not_to_be_empty()


def account(page: Page, system: System) -> None:
    """The account's menu."""
    home(page, system)
    opener = page.locator(".side-opener").first
    if opener.is_visible():
        opener.click()
    page.locator(".account").click()


def choices(page: Page, system: System) -> None:
    """Who answers."""
    home(page, system)
    page.locator("#deployment-button").click()


def actions(page: Page, system: System) -> None:
    """What can be done with a conversation."""
    talk(page, system)
    page.locator("#current-actions").click()


def prompts(page: Page, system: System) -> None:
    """No prompt yet."""
    home(page, system)
    page.locator("#open-prompts").click()
    expect(page.locator("#prompts .nothing")).to_be_visible()


def adding(page: Page, system: System) -> None:
    """A prompt that is being written."""
    prompts(page, system)
    page.locator("#prompts").get_by_role("button", name="Add").click()


def instructions(page: Page, system: System) -> None:
    """What is saved for every answer to follow."""
    home(page, system)
    page.locator("#instruction-button").click()
    page.get_by_role("button", name="Write and change").click()
    expect(page.locator("#instructions .saved li")).to_have_count(1)


def feedback(page: Page, system: System) -> None:
    """What is wrong with an answer; nobody is told, so that it can be opened again."""
    talk(page, system)
    page.route("**/messages/*/feedback", lambda route: route.fulfill(status=204))
    act(answer(page), "down")
    page.locator("#reasons").get_by_role("button", name="Not true").click()


def doubt(page: Page, system: System) -> None:
    """A link that says otherwise than where it leads."""
    talk(page, system)
    answer(page).get_by_role("link", name="bank.example").click()
    expect(page.locator("#doubt-address")).to_be_visible()


def keys(page: Page, system: System) -> None:
    """What the keyboard does."""
    home(page, system)
    page.locator("#welcome h2").click()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()


def editing(page: Page, system: System) -> None:
    """A question that is being changed."""
    talk(page, system)
    page.locator(".message.user").first.hover()
    page.locator(".message.user [data-action=edit]").first.click()


def failed(page: Page, system: System) -> None:
    """A question that could not be sent."""
    home(page, system)
    page.route("**/api/conversations", lambda route: route.abort())
    page.get_by_label("Message").fill("hello")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_be_visible()


def missing(page: Page, system: System) -> None:
    """A page that is not there."""
    page.goto(f"{system.url}/nowhere")


def signed_out(page: Page, system: System) -> None:
    """The page after the last one."""
    page.goto(f"{system.url}/signed-out")


def no_role(page: Page, system: System) -> None:
    """What somebody without a role sees."""
    page.context.clear_cookies()
    sign_in(page, system, "Nora")


def issuer(page: Page, system: System) -> None:
    """The laptop's issuer, which asks who one is."""
    page.context.clear_cookies()
    page.goto(system.url)
    expect(page.get_by_role("button")).to_have_count(3)


def issuers(name: str, query: str = "") -> Callable[[Page, System], None]:
    """Return what goes to another page of the issuer."""

    def opened(page: Page, system: System) -> None:
        page.goto(f"{system.issuer}/{TENANT_ID}/oauth2/v2.0/{name}{query}")

    return opened


PAGES: dict[str, Callable[[Page, System], None]] = {
    "home": home,
    "talk": talk,
    "account": account,
    "choices": choices,
    "actions": actions,
    "prompts": prompts,
    "adding": adding,
    "instructions": instructions,
    "feedback": feedback,
    "doubt": doubt,
    "keys": keys,
    "editing": editing,
    "failed": failed,
    "missing": missing,
    "signed-out": signed_out,
    "no-role": no_role,
    "issuer": issuer,
    "issuer-device": issuers("deviceauth", "?user_code=ABCD-EFGH"),
    "issuer-error": issuers("authorize"),
    "issuer-done": issuers("logout"),
}
RULES = {"light": "", "dark": "runOnly: ['color-contrast'], "}
"""What axe looks at: everything, then what another theme can change of it."""


CHANGES = {
    "another accent": ("signed-out", "[data-theme] { --accent: #b3261e !important; }"),
    "narrower dialogs": ("keys", ".dialog { padding: 8px !important; }"),
    "menus of another height": ("actions", ".menu > button { padding: .25rem !important; }"),
    "no ground under what one said": (
        "talk",
        ".message.user .text { background: none !important; }",
    ),
    "closer suggestions": ("home", ".suggestions { gap: 0 !important; }"),
    "larger headings": ("missing", "h1 { font-size: 1.75rem !important; }"),
    "an issuer's closer choices": ("issuer", "form { gap: 0 !important; }"),
}
"""Style sheets that somebody changed by mistake, and a page that shows it."""


@pytest.fixture(scope="module")
def somebody(browser: Browser, system: System) -> StorageState:
    """The cookies of somebody who has one conversation, and one instruction."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, system, "Ada")
    forget(page)
    answered(page, ANSWER)
    expect(page.locator("#title")).to_contain_text("You said")
    brief = {"name": "Brief", "text": "Answer in three sentences, without lists."}
    api(page, "POST", "/api/me/instructions", brief)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def seen(browser: Browser, somebody: StorageState) -> Iterator[Page]:
    """A page of theirs."""
    context = browser.new_context(storage_state=somebody, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    yield from watched(context.new_page())
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_used_and_looks_as_kept(
    seen: Page, system: System, name: str, likeness: Likeness
) -> None:
    """Axe finds nothing (WCAG 2.2 A and AA, best practices), and the page is the one kept."""
    source = AXE.read_text("utf-8")
    found = []
    for width in WIDTHS:
        seen.set_viewport_size({"width": width, "height": 800})
        seen.emulate_media(color_scheme=THEMES[0])
        PAGES[name](seen, system)
        seen.evaluate(source)
        for theme in THEMES:
            seen.emulate_media(color_scheme=theme)
            result = seen.evaluate(f"axe.run({{{RULES[theme]}resultTypes: ['violations']}})")
            found += [
                (width, theme, fault["id"], fault["nodes"][0]["html"][:200])
                for fault in result["violations"]
            ]
            # How much is left depends on what was asked before.
            seen.evaluate("document.querySelector('#quota')?.setAttribute('hidden', '')")
            likeness.look(seen, f"{name}-{width}-{theme}")
        assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth"), width

    assert found == []
    assert likeness.different == {}


def test_another_page_is_not_taken_for_it() -> None:
    """The comparison tells pages, themes and a missing part apart."""
    others = {path.stem: kept(path.stem) for path in PICTURES.glob("*-1200-*")}
    home_page = others["home-1200-light"]
    without = home_page.copy()
    without.paste((255, 255, 255), (70, 60, 230, 125))

    for name, other in {**others, "without": without}.items():
        assert (difference(home_page, other) <= SHARE) == (name == "home-1200-light"), name


@pytest.mark.parametrize("width", WIDTHS)
def test_another_style_is_a_difference(seen: Page, system: System, width: int) -> None:
    """The comparison finds whatever a changed style sheet does to a page."""
    added = ""

    def sheet(route: Route) -> None:
        answered_so = route.fetch()
        route.fulfill(response=answered_so, body=f"{answered_so.text()}\n{added}")

    # From the first page on: a sheet that came once is kept, and not asked for again.
    seen.route(re.compile(r"\.css$"), sheet)
    seen.set_viewport_size({"width": width, "height": 800})
    for change, (name, rules) in CHANGES.items():
        added = rules
        PAGES[name](seen, system)
        assert difference(taken(seen), kept(f"{name}-{width}-light")) > SHARE, change


def test_the_first_page_weighs_little(seen: Page, system: System) -> None:
    """Under 150 kB in all, uncompressed, and nothing but our own."""
    responses: list[Response] = []

    def came(response: Response) -> None:
        responses.append(response)

    seen.on("response", came)
    seen.goto(system.url, wait_until="networkidle")
    sizes = {response.url: len(response.body()) for response in responses}

    assert {url for url in sizes if not url.startswith(system.url)} == set()
    assert sum(sizes.values()) < 150_000, sorted(sizes.items(), key=lambda one: -one[1])[:5]
    again: list[str] = []
    seen.on("response", lambda response: again.append(response.url))
    seen.reload(wait_until="networkidle")
    assert [url for url in again if "/static/" in url and not cached(seen, url)] == []


def cached(page: Page, url: str) -> bool:
    """Return whether the browser had a file already."""
    return bool(
        page.evaluate(
            "url => performance.getEntriesByName(url).every(one => one.transferSize === 0)", url
        )
    )


def test_a_theme_and_a_language_are_chosen_where_one_stands(seen: Page, system: System) -> None:
    """At once, and on the next page from its first byte."""
    seen.set_viewport_size({"width": 1200, "height": 800})
    seen.emulate_media(color_scheme="light")
    account(seen, system)
    with seen.expect_response("**/preferences"):
        seen.get_by_role("button", name="Dark").click()
    expect(seen.locator("html")).to_have_attribute("data-theme", "dark")
    dark = seen.evaluate("getComputedStyle(document.body).backgroundColor")
    account(seen, system)
    assert (
        seen.evaluate("getComputedStyle(document.body).backgroundColor")
        == dark
        != "rgb(255, 255, 255)"
    )
    with seen.expect_navigation():
        seen.get_by_role("button", name="Deutsch").click()
    expect(seen.locator("#new")).to_have_text("Neue Unterhaltung")
    assert seen.locator("html").get_attribute("lang") == "de"
    answered_in = seen.get_by_label("Nachricht")
    answered_in.fill("filter")
    seen.get_by_role("button", name="Senden").click()
    expect(seen.get_by_role("alert")).to_contain_text(
        "Der Inhaltsfilter hat dies nicht durchgelassen"
    )
    account(seen, system)
    with seen.expect_navigation():
        seen.get_by_role("button", name="English").click()
    account(seen, system)
    seen.get_by_role("button", name="As the system").click()

    expect(seen.locator("html")).to_have_attribute("data-theme", "system")


def test_on_a_phone_the_side_is_a_drawer(seen: Page, system: System) -> None:
    """Opened by a button, closed by Escape or beside it; what is behind cannot be reached."""
    seen.set_viewport_size({"width": 390, "height": 780})
    home(seen, system)
    link = seen.locator("#new")
    expect(link).to_be_hidden()
    opener = seen.locator(".bar .side-opener")
    opener.click()
    expect(link).to_be_visible()
    assert seen.locator("#main").evaluate("main => main.inert")
    seen.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    seen.mouse.click(380, 400)

    expect(link).to_be_hidden()


def test_without_motion_nothing_moves(seen: Page, system: System) -> None:
    """Who asks for less motion gets none."""
    home(seen, system)
    seen.evaluate("document.querySelector('#keys').showModal()")
    timing = "one.effect.getComputedTiming().duration"
    longest = seen.evaluate(f"Math.max(0, ...document.getAnimations().map(one => {timing}))")

    assert longest <= 1
    duration = seen.locator("#keys").evaluate("one => getComputedStyle(one).animationDuration")
    assert duration in {"1ms", "0.001s"}
