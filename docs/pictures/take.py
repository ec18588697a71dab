"""Take the pictures of the README and of the documentation: `python docs/pictures/take.py`.

Real applications: the chat with a talk put into its store, as no scripted model writes one worth
showing; the desk before the books of an organisation; the starter as it answers by script.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
import tempfile
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.browser.conftest import chromium  # noqa: E402
from tests.browser.ledger import keep_books  # noqa: E402
from tests.browser.person import sign_in  # noqa: E402
from tests.system import running  # noqa: E402

from secure_openai.delivery.new import Template, make_application  # noqa: E402
from secure_openai.local.folder import Folder  # noqa: E402
from secure_openai.local.identity_provider.directory import TENANT_ID  # noqa: E402
from secure_openai.store.sqlite.conversations import SqliteConversationStore  # noqa: E402
from secure_openai.store.sqlite.database import Database  # noqa: E402
from secure_openai.testing.person import named  # noqa: E402
from secure_openai.types import (  # noqa: E402
    Author,
    Message,
    MessageId,
    Principal,
    PrincipalId,
    PrincipalKind,
    Usage,
    utc_now,
)

QUESTION = "How large is a sample of our invoices that finds an error rate of 3\u00a0%?"
ANSWER = """For an error rate of $p = 3\\,\\%$, found to within $e = 1\\,\\%$ with 95 % confidence:

$$
n = \\frac{z^2 \\, p (1 - p)}{e^2} = \\frac{1.96^2 \\cdot 0.03 \\cdot 0.97}{0.01^2} \\approx 1118
$$

| precision | confidence | invoices |
|-----------|-----------:|---------:|
| ±1 %      |       95 % |    1,118 |
| ±2 %      |       95 % |      280 |
| ±1 %      |       99 % |    1,931 |

Draw them at random, so that nobody chooses:

```python
import random

def sample(invoices: list[str], size: int = 1118) -> list[str]:
    return random.sample(invoices, size)  # each as likely as any other
```
"""
PRICES = """
[prices.deployment.scripted]
prompt = 1.25
completion = 10.00
"""
OTHERS = ("Minutes of Tuesday's meeting", "Reply to a supplier", "Plan for the move of the archive")


async def fill(database: Path) -> str:
    """Put a talk and some others into the store; return the talk's id."""
    opened = await Database.open(database)
    store = SqliteConversationStore(opened)
    owner = PrincipalId(TENANT_ID, named("Uma").oid)
    for title in OTHERS:
        await store.create(owner, title=title)
    talk = await store.create(owner, title="Size of a sample of invoices")
    now = utc_now()
    question = Message(MessageId("q"), talk.id, Author.USER, QUESTION, now)
    answer = Message(
        MessageId("a"), talk.id, Author.ASSISTANT, ANSWER, now, deployment="scripted",
        usage=Usage(31, 402), finish_reason="stop",
    )  # fmt: skip
    await store.append(owner, question, answer)
    await opened.aclose()
    return str(talk.id)


def take(page: Page, name: str, theme: Literal["light", "dark"], size: Iterable[int]) -> None:
    """Keep a picture, small."""
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    page.wait_for_timeout(400)
    page.evaluate("document.querySelector('#talk').scrollTop = 0")
    page.evaluate("document.querySelector('#to-end').hidden = true")
    picture = Image.open(io.BytesIO(page.screenshot(caret="hide"))).convert("RGB")
    picture.quantize(128).save(HERE / f"{name}.png", optimize=True)


def take_page(page: Page, name: str, size: tuple[int, int]) -> None:
    """Keep a picture of a page that has no talk, small."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    picture = Image.open(io.BytesIO(page.screenshot(caret="hide"))).convert("RGB")
    picture.quantize(64).save(HERE / f"{name}.png", optimize=True)


def take_starter(browser: Browser, folder: Path) -> None:
    """Make the starter, start it, ask, and keep what is shown."""
    os.chdir(make_application("contoso-answers", Template.STARTER, folder))
    with running(folder / "data") as system:
        page = browser.new_page(device_scale_factor=1)
        sign_in(page, system, "Uma")
        page.fill("#question", "What is the capital of France?")
        page.click("button:has-text('Ask')")
        page.wait_for_selector("text=answered")
        take_page(page, "starter", (640, 520))


def main() -> None:
    """Start, fill, look, keep."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        take_chat(browser, Path(folder))
        take_desk(browser, Path(folder))
        take_starter(browser, Path(folder))
        browser.close()


def take_chat(browser: Browser, folder: Path) -> None:
    """Start, put a talk into the store, and keep how it looks."""
    with running(folder / "chat") as system:
        page = browser.new_page(device_scale_factor=1)
        page.goto(system.url)
        take_page(page, "sign-in", (640, 620))
        sign_in(page, system, "Uma")
        talk = in_a_thread(fill(Folder(folder / "chat").database))
        page.goto(f"{system.url}/conversations/{talk}")
        take(page, "chat-light", "light", (1200, 860))
        take(page, "chat-dark", "dark", (1200, 860))
        take(page, "chat-phone", "light", (390, 780))


def take_desk(browser: Browser, folder: Path) -> None:
    """Keep books, place a hold, verify the audit, and keep how the desk shows it."""
    data, policy = folder / "desk", folder / "policy.toml"
    policy.write_text((files("secure_openai.policy") / "default.toml").read_text("utf-8") + PRICES)
    uma = named("Uma")
    principal = PrincipalId(TENANT_ID, uma.oid)
    person = Principal(principal, PrincipalKind.PERSON, frozenset({"user"}), uma.name, uma.username)
    in_a_thread(keep_books(data, person))
    with running(data, SECURE_OPENAI_POLICY=str(policy)) as system:
        sign_in(browser.new_page(), system, "Uma")
        page = browser.new_page(device_scale_factor=1, reduced_motion="reduce", locale="en-GB")
        sign_in(page, system, "Ada")
        origin = {"Origin": system.url, "Sec-Fetch-Site": "same-origin"}
        page.request.post(
            f"{system.url}/admin/custody/hold",
            form={"principal": uma.oid, "reference": "Case 12/2030"},
            headers=origin,
        )
        page.request.post(f"{system.url}/admin/audit/verification", headers=origin)
        page.goto(f"{system.url}/admin/audit")
        expect(page.locator(".badge.good")).to_be_visible(timeout=30_000)
        page.goto(f"{system.url}/admin")
        page.emulate_media(color_scheme="light")
        take_page(page, "desk-overview", (1200, 1200))
        page.goto(f"{system.url}/admin/principals/{principal.key}")
        page.emulate_media(color_scheme="dark")
        take_page(page, "desk-principal", (1200, 1240))


T = TypeVar("T")


def in_a_thread(work: Coroutine[Any, Any, T]) -> T:
    """Do what waits: the browser has a loop of its own in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


if __name__ == "__main__":
    main()
