"""A real Chromium before the real system."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    StorageState,
    expect,
    sync_playwright,
)

from tests.browser.likeness import Likeness
from tests.browser.person import PATIENCE, sign_in
from tests.browser.wire import Wire, wired
from tests.system import System, running

# Before anything imports them: a step's assertions read as a test's own do.
pytest.register_assert_rewrite("tests.browser.walk")

CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
INSTALL = "sudo apt-get install chromium   # macOS: brew install --cask google-chrome"


def chromium() -> str | None:
    """Return the path of a Chromium, or `None`."""
    found = next((path for name in CANDIDATES if (path := shutil.which(name))), None)
    return found or (str(MAC) if MAC.exists() else None)


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system with the scripted model, for people who ask faster than people do."""
    folder = tmp_path_factory.mktemp("browser")
    shipped = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
    limits = re.sub(r"(?m)^(requests_per_minute|concurrent_streams) = .*", r"\1 = 10_000", shipped)
    (folder / "policy.toml").write_text(limits, "utf-8")
    chosen = str(folder / "policy.toml")
    with running(folder / "data", SECURE_OPENAI_POLICY=chosen) as started:
        yield started


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A Chromium; skipped where there is none, but never in CI."""
    path = chromium()
    if path is None:
        message = f"no Chromium here; to run the browser tests: {INSTALL}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        expect.set_options(timeout=PATIENCE)
        yield launched
        expect.set_options(timeout=None)
        launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile of its own."""
    opened = browser.new_context(viewport={"width": 1200, "height": 800})
    opened.set_default_timeout(PATIENCE)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page; errors in scripts and violations of the content security policy fail the test."""
    yield from watched(context.new_page())


@pytest.fixture(scope="package")
def uma(browser: Browser, system: System) -> StorageState:
    """The cookies of a user who has signed in once."""
    context = browser.new_context()
    sign_in(context.new_page(), system, "Uma")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def chat(browser: Browser, system: System, uma: StorageState) -> Iterator[Page]:
    """The first page of a user who is signed in, watched as `page` is."""
    context = browser.new_context(
        viewport={"width": 1200, "height": 800},
        storage_state=uma,
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    opened.goto(system.url)
    yield from watched(opened)
    context.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    """What can be cut or held between the browser of `wired_chat` and the application."""
    with wired() as whole:
        yield whole


@pytest.fixture
def wired_chat(browser: Browser, system: System, uma: StorageState, wire: Wire) -> Iterator[Page]:
    """As `chat`, behind a wire that can be cut or held."""
    context = browser.new_context(
        viewport={"width": 1200, "height": 800},
        storage_state=uma,
        permissions=["clipboard-read", "clipboard-write"],
        proxy={"server": wire.address, "bypass": "<-loopback>"},
    )
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    opened.goto(system.url)
    yield from watched(opened)
    context.close()


@pytest.fixture
def likeness(request: pytest.FixtureRequest) -> Likeness:
    """What compares pages with kept pictures, or keeps them."""
    return Likeness(renew=bool(request.config.getoption("--renew-pictures")))


def watched(opened: Page) -> Iterator[Page]:
    """Give a page away; afterwards, neither a script nor the policy may have complained."""
    faults: list[str] = []

    def hear(said: ConsoleMessage) -> None:
        if said.type == "error" and not _expected(said):
            faults.append(said.text)

    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", hear)
    yield opened
    assert faults == []


def _expected(said: ConsoleMessage) -> bool:
    """Return whether an error of the console only repeats what a test has brought about.

    A refusal and a wire that is cut are told there, too: not where one of our files does not come,
    or one that a browser asks for by itself because a page names no icon.
    """
    address = said.location.get("url", "")
    ours = "/static/" in address or address.endswith("/favicon.ico")
    return said.text.startswith("Failed to load resource") and not ours


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take `--renew-pictures`, which keeps what pages look like instead of comparing it."""
    parser.addoption("--renew-pictures", action="store_true", help="keep new pictures of the pages")
