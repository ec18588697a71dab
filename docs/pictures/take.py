"""Take the pictures of the README and of the documentation: `python docs/pictures/take.py`.

Real applications: the chat with a talk put into its store, as no scripted model writes one worth
showing; the starter as it answers by script.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.browser.conftest import chromium  # noqa: E402
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
    PrincipalId,
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
        take_starter(browser, Path(folder))
        browser.close()


def take_chat(browser: Browser, folder: Path) -> None:
    """Start, put a talk into the store, and keep how it looks."""
    with running(folder / "chat") as system:
        page = browser.new_page(device_scale_factor=1)
        page.goto(system.url)
        take_page(page, "sign-in", (640, 560))
        sign_in(page, system, "Uma")
        database = Folder(folder / "chat").database
        # The browser has a loop of its own in this thread.
        with ThreadPoolExecutor(1) as thread:
            talk = thread.submit(asyncio.run, fill(database)).result()
        page.goto(f"{system.url}/conversations/{talk}")
        take(page, "chat-light", "light", (1200, 860))
        take(page, "chat-dark", "dark", (1200, 860))
        take(page, "chat-phone", "light", (390, 780))


if __name__ == "__main__":
    main()
