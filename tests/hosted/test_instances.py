"""Two instances of the application on one store, under load: `secure-openai serve`, twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from secure_openai.jobs.seal import seal
from secure_openai.local.identity_provider.directory import TENANT_ID
from secure_openai.store.verification import verify
from secure_openai.testing.person import named
from secure_openai.types import PrincipalId, utc_now
from tests.hosted.application import Application, Talk, application, lines_of, stores_of
from tests.hosted.estate import Estate

pytestmark = pytest.mark.process

TOKENS_PER_DAY = 300
REQUESTS = 40
RENAMES = 10
MESSAGES = 8

POLICY = f"""
version = 1

[people.user]
deployments = ["chat"]
requests_per_minute = 10_000
requests_per_day = 100_000
tokens_per_minute = 1_000_000
tokens_per_day = {TOKENS_PER_DAY}
largest_prompt_tokens = 500
largest_answer_tokens = 20
concurrent_streams = 100

[people.admin]
deployments = ["chat"]
requests_per_minute = 10_000
requests_per_day = 100_000
tokens_per_minute = 1_000_000
tokens_per_day = 10_000_000
largest_prompt_tokens = 5_000
largest_answer_tokens = 100
concurrent_streams = 100
"""

Both = tuple[Application, Application]


@pytest.fixture
async def both(estate: Estate, tmp_path: Path) -> AsyncIterator[Both]:
    """Run two instances: what people reach is one address for both."""
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    async with (
        application(estate, tmp_path, SECURE_OPENAI_POLICY=str(policy)) as one,
        application(
            estate, tmp_path, port=estate.port + 1, SECURE_OPENAI_POLICY=str(policy)
        ) as other,
    ):
        yield one, other


async def test_a_session_is_one_on_both(both: Both) -> None:
    """Signed in on one is signed in on the other; signed out or revoked on one is so on both."""
    one, other = both
    async with one.browser("Uma") as here, one.browser("Ada") as ada, other.client() as there:
        there.cookies = here.cookies
        me = (await there.get("/api/me")).json()["name"]
        listed = [(await client.get("/api/conversations")).status_code for client in (here, there)]
        path = f"/api/admin/principals/{TENANT_ID}/{named('Uma').oid}/sessions"
        revoked = await ada.delete(path)
        after = [(await client.get("/api/me")).status_code for client in (there, here)]
        async with other.client() as adas_other:
            adas_other.cookies = ada.cookies
            await adas_other.post("/sign-out")
        out = (await ada.get("/api/me")).status_code

    assert me == "Uma User"
    assert listed == [200, 200]
    assert revoked.json() == {"sessions": 1}
    assert after == [401, 401]
    assert out == 401


async def spend(app: Application, token: str) -> list[httpx2.Response]:
    """Ask by the gateway, eight at a time, until the quota is used up and longer."""
    turns = asyncio.Semaphore(8)
    body = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}

    async with app.client(Authorization=f"Bearer {token}") as http:

        async def one() -> httpx2.Response:
            async with turns:
                return await http.post("/openai/v1/chat/completions", json=body)

        return await asyncio.gather(*(one() for _ in range(REQUESTS)))


async def count_up(http: httpx2.AsyncClient, conversation: str) -> int:
    """Add one to a title that the other instance adds to, too; return how often it was faster."""
    conflicts = 0
    for _ in range(RENAMES):
        while True:
            now = (await http.get(conversation)).json()
            answer = await http.patch(
                conversation,
                json={"title": str(int(now["title"]) + 1)},
                headers={"If-Match": f'"{now["etag"]}"'},
            )
            if answer.status_code == 200:
                break
            assert answer.status_code == 412, answer.text
            conflicts += 1
    return conflicts


async def talk_on(http: httpx2.AsyncClient, path: str, who: str) -> None:
    """Ask in a conversation in which the other instance asks, too."""
    for number in range(MESSAGES):
        answer = await Talk(http, path).ask(f"{who} {number}")
        assert answer.status_code == 200, answer.text


async def test_under_load(estate: Estate, both: Both) -> None:
    """No update is lost, nothing over the quota is admitted, and the audit of both holds."""
    one, other = both
    async with one.browser("Ada") as here, other.client() as there:
        there.cookies = here.cookies
        shared = await Talk.begin(here, "0")
        conversation = shared.path.removesuffix("/messages")
        token = estate.token("Uma")
        spent_here, spent_there, *conflicts = await asyncio.gather(
            spend(one, token),
            spend(other, token),
            count_up(here, conversation),
            count_up(there, conversation),
            talk_on(here, shared.path, "here"),
            talk_on(there, shared.path, "there"),
        )
        title = (await there.get(conversation)).json()["title"]
        kept = await shared.kept()

    # No update is lost.
    assert title == str(2 * RENAMES)
    assert sum(count for count in conflicts if count) > 0
    assert Counter(text for author, text, _ in kept if author == "user") == Counter(
        f"{who} {number}" for who in ("here", "there") for number in range(MESSAGES)
    )
    assert {status for _, _, status in kept} == {"complete"}
    assert len(kept) == 4 * MESSAGES

    # Nothing over the quota is admitted, and everything that was is charged once.
    answers = [*spent_here, *spent_there]
    assert {answer.status_code for answer in answers} == {200, 429}
    used = sum(
        answer.json()["usage"]["total_tokens"] for answer in answers if answer.status_code == 200
    )
    assert used <= TOKENS_PER_DAY
    for app in both:
        app.process.terminate()
        await app.process.wait()
        assert [line for line in lines_of(app.log) if line["level"] == "error"] == []
    uma = PrincipalId(TENANT_ID, named("Uma").oid)
    async with stores_of(estate) as stores:
        assert (await stores.usage.totals(uma, "chat", now=utc_now())).tokens_today == used
        await seal(stores.audit, stores.seals, stores.signer)
        report = await verify(stores.audit, stores.seals.all(await stores.signer.public_keys()))
        actions = Counter(
            [
                record.event.action
                for head in await stores.audit.heads()
                for record in (await stores.audit.records(head.chain, limit=1000)).items
            ]
        )
    admitted = sum(answer.status_code == 200 for answer in answers) + 2 * MESSAGES
    assert (report.found, report.sealed) == ((), report.records)
    assert actions["completion.admitted"] == actions["completion.settled"] == admitted
