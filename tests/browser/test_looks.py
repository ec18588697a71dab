"""How pages look: judged by axe, compared with kept pictures, in both themes and at both widths.

To keep new pictures, after looking at them:

    python -m pytest tests/browser/test_looks.py --renew-pictures
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image, ImageChops, ImageFilter
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import watched
from tests.browser.person import answered, api, forget, sign_in
from tests.system import System

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = Path(__file__).parent / "pictures"
WIDTHS = (1200, 390)
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
SMALLER = 5
"""How much smaller a kept picture is: made of areas, and not of letters."""
DIFFERENT = 8
"""Of 255: what one point may differ by, once letters are blurred away."""
SHARE = 0.02
"""How much of a page may differ. Another sans serif makes 1.4 % of the first page differ, a missing
button 2.4 %, an open menu 3.6 %, a serif 7 %."""

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


def talk(page: Page, system: System) -> None:
    """What a model answers, with everything that Markdown makes."""
    page.goto(system.url)
    (only,) = api(page, "GET", "/api/conversations")["items"]  # type: ignore[index]
    page.goto(f"{system.url}/conversations/{only['id']}")


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


def dialog(name: str) -> Callable[[Page, System], None]:
    """Return what opens a dialog."""

    def opened(page: Page, system: System) -> None:
        home(page, system)
        page.evaluate("id => document.getElementById(id).showModal()", name)

    return opened


def adding(page: Page, system: System) -> None:
    """A prompt that is being written."""
    dialog("prompts")(page, system)
    page.get_by_role("button", name="Add").click()


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


PAGES: dict[str, Callable[[Page, System], None]] = {
    "home": home,
    "talk": talk,
    "account": account,
    "choices": choices,
    "actions": actions,
    "prompts": dialog("prompts"),
    "adding": adding,
    "instructions": dialog("instructions"),
    "feedback": dialog("feedback"),
    "doubt": dialog("doubt"),
    "keys": dialog("keys"),
    "editing": editing,
    "failed": failed,
    "missing": missing,
    "signed-out": signed_out,
}
RULES = {"light": "", "dark": "runOnly: ['color-contrast'], "}
"""What axe looks at: everything, then what another theme can change of it."""
KEPT = ("home", "talk", "account", "prompts", "failed", "missing", "signed-out")


@pytest.fixture(scope="module")
def somebody(browser: Browser, system: System) -> StorageState:
    """The cookies of somebody who has one conversation."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, system, "Ada")
    forget(page)
    answered(page, ANSWER)
    expect(page.locator("#title")).to_contain_text("You said")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def seen(browser: Browser, somebody: StorageState) -> Iterator[Page]:
    """A page of theirs."""
    context = browser.new_context(storage_state=somebody, reduced_motion="reduce")
    context.set_default_timeout(10_000)
    yield from watched(context.new_page())
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_used_and_looks_as_kept(
    seen: Page, system: System, name: str, request: pytest.FixtureRequest
) -> None:
    """Axe finds nothing (WCAG 2.2 A and AA, best practices), and the page is the one kept."""
    source = AXE.read_text("utf-8")
    renew = request.config.getoption("--renew-pictures", default=False)
    found, different = [], {}
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
            if name in KEPT:
                # How much is left depends on what was asked before.
                seen.evaluate("document.querySelector('#quota')?.setAttribute('hidden', '')")
                now = reduced(seen.screenshot(caret="hide", animations="disabled"))
                path = PICTURES / f"{name}-{width}-{theme}.png"
                if renew:
                    now.quantize(64).save(path, optimize=True)
                elif (share := difference(now, Image.open(path).convert("RGB"))) > SHARE:
                    different[path.name] = share
        assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth"), width

    assert found == []
    assert different == {}


def reduced(picture: bytes) -> Image.Image:
    """Return a screenshot as small as kept ones are."""
    whole = Image.open(io.BytesIO(picture)).convert("RGB")
    size = (whole.width // SMALLER, whole.height // SMALLER)
    return whole.resize(size, Image.Resampling.BOX)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the share of points that differ, after blurring both."""
    assert one.size == other.size
    soft = [picture.filter(ImageFilter.GaussianBlur(2)) for picture in (one, other)]
    points = ImageChops.difference(*soft).convert("L").point(lambda value: int(value > DIFFERENT))
    return sum(points.tobytes()) / (points.width * points.height)


def test_another_page_is_not_taken_for_it() -> None:
    """The comparison tells pages, themes and a missing part apart."""
    pictures = {path.stem: Image.open(path).convert("RGB") for path in PICTURES.glob("*-1200-*")}
    home_page = pictures["home-1200-light"]
    without = home_page.copy()
    without.paste((255, 255, 255), (70, 60, 230, 125))

    for name, other in {**pictures, "without": without}.items():
        assert (difference(home_page, other) <= SHARE) == (name == "home-1200-light"), name


def test_the_first_page_weighs_little(seen: Page, system: System) -> None:
    """Under 150 kB in all, uncompressed, and nothing but our own."""
    sizes: dict[str, int] = {}
    seen.on("response", lambda response: sizes.update({response.url: len(response.body())}))
    seen.goto(system.url, wait_until="networkidle")

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
    seen.get_by_role("button", name="Dark").click()
    expect(seen.locator("html")).to_have_attribute("data-theme", "dark")
    dark = seen.evaluate("getComputedStyle(document.body).backgroundColor")
    account(seen, system)
    assert (
        seen.evaluate("getComputedStyle(document.body).backgroundColor")
        == dark
        != "rgb(255, 255, 255)"
    )
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
