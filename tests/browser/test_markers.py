"""A browser before the whole application on Azure's services, with markers in everything typed.

Nothing that leaves the application, to whoever looks after it, may hold a prompt, an answer, a
token, or a person's name or address.
"""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.person import PATIENCE, until
from tests.cosmosdb.bridge import Fault
from tests.cosmosdb.faults import always
from tests.hosted.application import Application, application, in_a_thread, stores_of
from tests.hosted.conftest import servers  # noqa: F401 - a fixture
from tests.hosted.estate import Estate, Servers, running_estate
from tests.ingestion import Ingestion, ingesting
from tests.telemetry.markers import ANSWER, PROMPT, found, personal

pytestmark = [pytest.mark.browser, pytest.mark.process]


@dataclass(frozen=True)
class Observed:
    """An application, and what is sent of it."""

    app: Application
    ingestion: Ingestion

    @property
    def estate(self) -> Estate:
        """Return what it runs on."""
        return self.app.estate


@asynccontextmanager
async def whole(servers: Servers, folder: Path, port: int) -> AsyncIterator[Application]:  # noqa: F811 - a fixture
    """Run an application on an estate of its own, every request of it traced."""
    async with running_estate(servers, uuid4().hex[:12]) as estate:
        sent = estate.telemetry_to(port)
        async with application(
            estate,
            folder,
            APPLICATIONINSIGHTS_CONNECTION_STRING=sent,
            SECURE_OPENAI_TRACE_PERCENT="100",
        ) as app:
            yield app


@pytest.fixture
def observed(servers: Servers, tmp_path: Path) -> Iterator[Observed]:  # noqa: F811 - a fixture
    """Run it in a thread: the browser's own calls wait."""
    with ingesting(servers.tls) as ingestion:
        port = urlsplit(ingestion.url).port
        assert port is not None
        with in_a_thread(whole(servers, tmp_path, port)) as app:
            yield Observed(app, ingestion)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that takes the certificate of the tests' own authority."""
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def ask(page: Page, text: str) -> None:
    """Write a message and send it."""
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()


def use(page: Page, observed: Observed) -> list[str]:
    """Use everything as a person does, faults included; return what must not leave."""
    estate = observed.estate
    page.goto(estate.url)
    page.get_by_role("button", name=re.compile("Uma")).click()
    page.wait_for_url(re.compile(re.escape(estate.url)))
    secrets = [str(cookie["value"]) for cookie in page.context.cookies()]
    answers = page.locator(".message.assistant")
    for number in range(3):
        ask(page, f"{PROMPT} {ANSWER} {number}")
        expect(answers).to_have_count(number + 1)
        expect(answers.last).to_have_attribute("data-status", "complete")
    expect(answers.last).to_contain_text(ANSWER)

    # A model that breaks off, and a store that is away: what was typed stays where it was typed.
    for account in estate.models:
        account.instead = lambda _: f"cut 2 {ANSWER}"
    ask(page, f"{PROMPT} cut")
    expect(answers.last).to_have_attribute("data-status", "interrupted")
    expect(page.get_by_role("alert")).not_to_be_empty()
    for account in estate.models:
        account.instead = lambda _: None
    estate.cosmos.fault = always(Fault(status=503))
    ask(page, f"{PROMPT} while the store is away")
    expect(page.get_by_role("alert")).to_contain_text("The store is not available")
    expect(page.get_by_label("Message")).to_have_value(f"{PROMPT} while the store is away")
    estate.cosmos.fault = lambda _: None
    # The audit tries again a moment later.
    until(page, lambda: page.request.get(f"{estate.url}/readyz").status == 200)

    page.goto(f"{estate.url}/nowhere/{PROMPT}?code={ANSWER}")
    secrets.append(by_gateway(observed))
    page.goto(estate.url)
    expect(page.get_by_role("link", name=re.compile(PROMPT)).first).to_be_visible()
    page.locator(".account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{estate.url}/signed-out")
    return secrets


def by_gateway(observed: Observed) -> str:
    """Ask by the gateway, once well and once for what is not there; return the token."""
    token = observed.estate.token("Uma")
    for deployment, status in (("chat", 200), (PROMPT, 404)):
        body = {"model": deployment, "messages": [{"role": "user", "content": PROMPT}]}
        request = urllib.request.Request(
            f"{observed.estate.url}/openai/v1/chat/completions",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        assert status_of(request) == status
    return token


def status_of(request: urllib.request.Request) -> int:
    """Return the status that a request is answered with."""
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_no_marker_leaves(observed: Observed, page: Page, tmp_path: Path) -> None:
    """None of them is in a log, a trace or a metric, nor any prompt or answer in the audit."""
    secrets = use(page, observed)
    estate = observed.estate
    secrets += [estate.identity.header, *filter(None, observed.ingestion.tokens)]

    async def audit() -> str:
        async with stores_of(estate) as stores:
            return repr(
                [
                    record
                    for head in await stores.audit.heads()
                    for record in (await stores.audit.records(head.chain, limit=1000)).items
                ]
            )

    observed.app.process.terminate()
    until(page, lambda: "POST /sign-out" in {one["name"] for one in requests_of(observed)})
    # In a thread: the browser's calls run on a loop of their own in this one.
    with ThreadPoolExecutor(1) as thread:
        recorded = thread.submit(asyncio.run, audit()).result()
    sent = json.dumps(observed.ingestion.items, ensure_ascii=False)
    log = observed.app.log.read_text()

    names = {one["name"] for one in requests_of(observed)}
    assert names >= {
        "POST /api/conversations/{conversation_id}/messages",
        "POST /openai/v1/chat/completions",
        "GET /auth/callback",
    }
    assert "chat chat" in {one["name"] for one in observed.ingestion.of("RemoteDependencyData")}
    assert "azure.cosmosdb" in sent
    assert {one["metrics"][0]["name"] for one in observed.ingestion.of("MetricData")} >= {
        "gen_ai.client.token.usage",
        "secure_openai.decisions",
    }
    assert "completion.settled" in recorded
    assert "WARNING" in log.upper()
    for text in (sent, log):
        assert found(text, [PROMPT, ANSWER, *secrets, *personal()]) == []
    assert found(recorded, [PROMPT, ANSWER, *secrets]) == []
    assert list((tmp_path).glob("data*")) == []


def requests_of(observed: Observed) -> list[dict[str, str]]:
    """Return every request that was sent as one."""
    return observed.ingestion.of("RequestData")
