"""The report of a proof in a real Chromium that reaches nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from secure_openai.posture.report.html import as_html
from secure_openai.posture.simulation import simulate
from tests.infra.estate import INFRA, environment
from tests.posture.report.reports import broken, report_of

pytestmark = pytest.mark.browser

Scheme = Literal["light", "dark"]
THEMES: tuple[Scheme, ...] = ("light", "dark")
SIZES = (390, 1280)

# The least contrast by WCAG 2.2: text 4.5, large text 3 (1.4.3), lines 3 (1.4.11).
CONTRAST = """
() => {
  const parse = text => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (a, b) => {
    const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (hi + 0.05) / (lo + 0.05);
  };
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const found = parse(getComputedStyle(one).backgroundColor);
      if (found[3] === 1) return found;
    }
    return parse('rgb(255, 255, 255)');
  };
  const faults = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || element.closest('svg, style')) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize), bold = parseInt(style.fontWeight) >= 700;
    const least = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    const found = ratio(parse(style.color), behind(element));
    seen += 1;
    if (found < least) {
      faults.push(`${element.className} ${found.toFixed(2)} ${element.textContent.slice(0, 40)}`);
    }
  }
  const paint = (name, what) => {
    const one = document.querySelector('svg.estate').appendChild(
      document.createElementNS('http://www.w3.org/2000/svg', 'rect'));
    one.setAttribute('class', name);
    const found = parse(getComputedStyle(one)[what]);
    one.remove();
    return found;
  };
  const fill = name => paint(name, 'fill');
  const grounds = ['page', 'box', 'net', 'none', 'sub', 'who', 'sky'];
  for (const ink of ['ink', 'dim', 'alarm', 'doubtful']) {
    for (const ground of grounds) {
      const found = ratio(fill(ink), fill(ground));
      seen += 1;
      if (found < 4.5) faults.push(`svg ${ink} on ${ground} ${found.toFixed(2)}`);
    }
  }
  const lines = ['', 'stopped', 'doubted', 'open', 'listed', 'declared', 'closed', 'sign'];
  for (const name of [...lines.map(one => `line ${one}`), 'cross', 'end stopped', 'end doubted']) {
    for (const ground of ['page', 'net', 'sub']) {
      const found = ratio(paint(name, 'stroke'), fill(ground));
      seen += 1;
      if (found < 3) faults.push(`svg ${name} on ${ground} ${found.toFixed(2)}`);
    }
  }
  for (const kind of ['critical', 'high', 'medium', 'low', 'doubt']) {
    const found = ratio(fill('number'), fill(`badge ${kind}`));
    seen += 1;
    if (found < 4.5) faults.push(`badge ${kind} ${found.toFixed(2)}`);
  }
  return [seen, faults];
}
"""


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """Return the state of the private estate."""
    with simulate(INFRA, var_files=[environment("private")]) as done:
        return json.loads(json.dumps(done.state))  # type: ignore[no-any-return]


@pytest.fixture(scope="module", params=["proven", "broken"])
def written(
    request: pytest.FixtureRequest, state: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the file of a report, of an estate that is proven and of one with many faults."""
    path = tmp_path_factory.mktemp("report") / f"{request.param}.html"
    report = report_of(state if request.param == "proven" else broken(state))
    path.write_text(as_html(report), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, written: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Return the report in a browser without a network; anything said or asked for is a fault."""
    screen: tuple[int, Scheme] = getattr(request, "param", (1280, "light"))
    width, theme = screen
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=theme,
        offline=True,
        java_script_enabled=True,
    )
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda one: asked.append(one.url))
    page.goto(written.as_uri())
    yield page
    context.close()
    assert said == []
    assert asked == [written.as_uri()]


@pytest.mark.parametrize(
    "opened", [(size, theme) for size in SIZES for theme in THEMES], indirect=True
)
def test_it_reads_in_both_themes_on_any_screen(opened: Page) -> None:
    """Nothing runs out of the screen, everything has enough contrast, nothing is asked for."""
    seen, faults = opened.evaluate(CONTRAST)

    assert seen > 500
    assert faults == []
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert opened.locator("svg.estate").is_visible()


def test_it_says_its_verdict_first(opened: Page, written: Path) -> None:
    """Large, before everything else."""
    verdict = "proven" if written.stem == "proven" else "finding"

    assert opened.locator("#verdict").inner_text().casefold() == verdict
    size = opened.locator("h1").evaluate("one => parseFloat(getComputedStyle(one).fontSize)")
    assert size >= 40


def test_it_prints_whole(opened: Page) -> None:
    """On paper the evidence of every statement is shown, dark or not, and pages are numbered."""
    assert opened.locator("details dl").first.is_hidden()
    opened.emulate_media(media="print", color_scheme="dark")
    lists = "[...document.querySelectorAll('details dl')]"
    heights = opened.evaluate(f"{lists}.map(one => one.getBoundingClientRect().height)")
    assert heights
    assert min(heights) > 0
    assert (
        opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    )
    printed = opened.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 5 <= pages <= 40


def test_a_mark_on_the_picture_leads_to_its_finding(opened: Page, written: Path) -> None:
    """By the keyboard or the mouse."""
    marks = opened.locator("svg.estate a[href^='#finding-']")
    if written.stem == "proven":
        assert marks.count() == 0
        return
    target = marks.first.get_attribute("href")
    marks.first.focus()
    opened.keyboard.press("Enter")
    expect(opened).to_have_url(re.compile(f"{re.escape(str(target))}$"))
    expect(opened.locator(str(target))).to_be_visible()
