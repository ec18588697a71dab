"""The whole application on an Azure host: every service of Azure, and settings only."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import httpx2
import openai
import pytest

from secure_openai.jobs.catalogue import JOBS
from secure_openai.jobs.resident import Resident
from secure_openai.store.verification import verify
from tests.hosted.application import Talk, application, lines_of, stores_of
from tests.hosted.estate import COSMOS, FEDERATION, INGESTION, MODEL_RESOURCE, MODELS, Estate

pytestmark = pytest.mark.process


async def test_a_person_chats_and_the_audit_holds(estate: Estate, tmp_path: Path) -> None:
    """Sign-in, chat, list, gateway; then the Function App runs every job, and the audit verifies.

    The application keeps nothing on its host and signs nothing.
    """
    async with application(estate, tmp_path) as app:
        await app.started()
        looked_at = list(estate.vault.asked)
        async with app.browser("Uma") as http:
            talk = await Talk.begin(http, "Azure")
            answer = await talk.ask("hello there")
            listed = (await http.get("/api/conversations")).json()["items"]
            kept = await talk.kept()
        async with openai.AsyncOpenAI(
            base_url=f"{estate.url}/openai/v1", api_key=estate.token("Uma"), max_retries=0
        ) as sdk:
            completion = await sdk.chat.completions.create(
                model="chat", messages=[{"role": "user", "content": "by the gateway"}]
            )
    signed_by_the_application = estate.vault.asked[len(looked_at) :]

    assert answer.status_code == 200
    assert [one["title"] for one in listed] == ["Azure"]
    assert kept == [
        ("user", "hello there", "complete"),
        ("assistant", "You said: hello there", "complete"),
    ]
    assert completion.choices[0].message.content == "You said: by the gateway"
    assert [line for line in lines_of(app.log) if line["level"] != "info"] == []
    assert not (tmp_path / "data").exists()
    assert signed_by_the_application == []
    assert {path.rpartition("/")[2] for method, path in looked_at if method == "POST"} == {"verify"}
    assert set(estate.identity.asked) == {
        FEDERATION,
        MODEL_RESOURCE,
        f"https://{COSMOS}",
        # The self-check looks at what the Function App seals with.
        "https://storage.azure.com",
        "https://vault.azure.net",
    }

    resident = Resident()
    with patch.dict(os.environ, {**estate.settings(), "FUNCTIONS_WORKER_RUNTIME": "python"}):
        jobs = {name: await resident.run(name) for name in JOBS}
        await resident.aclose()
    async with stores_of(estate) as stores:
        keys = await stores.signer.public_keys()
        report = await verify(stores.audit, stores.seals.all(keys))
        actions = Counter(
            [
                record.event.action
                for head in await stores.audit.heads()
                for record in (await stores.audit.records(head.chain, limit=100)).items
            ]
        )

    assert all(not outcome.get("failed") for outcome in jobs.values())
    assert report.found == ()
    assert report.seals >= 1
    assert report.sealed >= 5
    assert actions["completion.admitted"] == actions["completion.settled"] == 2


async def test_azure_may_be_away_at_the_start(estate: Estate, tmp_path: Path) -> None:
    """The application starts, says that it is not ready, and serves as soon as Azure is there."""
    estate.network.away = True
    async with application(estate, tmp_path, ready=False) as app:
        async with asyncio.timeout(60), app.client() as http:
            while True:
                try:
                    alive = await http.get("/healthz")
                    break
                except httpx2.HTTPError:
                    await asyncio.sleep(0.1)
            unready = await http.get("/readyz")
            estate.network.away = False
            while not await app.ready():
                await asyncio.sleep(0.2)
        async with app.browser("Uma") as http:
            talk = await Talk.begin(http)
            await talk.ask("here again")
            kept = await talk.kept()

    assert (alive.status_code, unready.status_code) == (200, 503)
    assert kept[0] == ("user", "here again", "complete")


async def test_settings_that_do_not_fit_stop_the_start(estate: Estate, tmp_path: Path) -> None:
    """A stand-in on loopback is refused on an Azure host: our credential would go there."""
    async with application(
        estate,
        tmp_path,
        ready=False,
        SECURE_OPENAI_COSMOS_URL=f"https://127.0.0.1:{estate.cosmos.port}",
        SECURE_OPENAI_SEAL_KEY_URL="",
    ) as app:
        ended = await app.process.wait()
        said = app.log.read_text()

    assert ended == 2
    assert "SECURE_OPENAI_COSMOS_URL is https and its host ends with documents.azure.com" in said
    assert "SECURE_OPENAI_SEAL_KEY_URL is missing: without it no key signs the audit's" in said
    assert "Traceback" not in said
    assert estate.cosmos.calls == []


async def test_it_is_started_once_it_has_found_everything(estate: Estate, tmp_path: Path) -> None:
    """A ping is told so by a status alone, and no service that is away takes it back."""
    routes = {host: estate.network.routes.pop(host) for host in MODELS}
    async with application(estate, tmp_path, ready=False) as app, app.client() as http:
        async with asyncio.timeout(60):
            while "the self-check has not passed" not in app.log.read_text():
                await asyncio.sleep(0.1)
            refused = await http.get("/startupz")
            estate.network.routes |= routes
            await app.started()
            passed = await http.get("/startupz")
        asked = list(estate.vault.asked)
        for _ in range(20):
            await http.get("/startupz")
        told = [str(one["message"]) for one in lines_of(app.log) if "self-check" in str(one)]
        estate.network.away = True
        kept = (await http.get("/startupz")).status_code

    assert (refused.status_code, refused.content) == (503, b"")
    assert (passed.status_code, passed.content) == (200, b"")
    assert kept == 200
    assert estate.vault.asked == asked
    assert "no account of a model answers" in told[0]
    assert told[-1] == "the self-check has passed"


async def test_it_is_started_without_what_serving_does_not_need(
    estate: Estate, tmp_path: Path
) -> None:
    """Telemetry, a key and one of two models' accounts may be away; the log names them, once."""
    sent = {"APPLICATIONINSIGHTS_CONNECTION_STRING": estate.telemetry_to(1)}
    for host in (INGESTION, MODELS[1]):
        estate.network.routes.pop(host)
    estate.vault.refuses = True
    async with application(estate, tmp_path, settings=sent) as app:
        await app.started()
        async with asyncio.timeout(60), app.browser("Uma") as http:
            talk = await Talk.begin(http)
            answer = await talk.ask("without telemetry")
            while "the self-check has passed, without" not in app.log.read_text():
                await asyncio.sleep(0.1)
        told = [str(one["message"]) for one in lines_of(app.log) if "self-check" in str(one)]

    assert answer.status_code == 200
    assert len(told) == 1
    assert "key of the seals: our identity lacks the role" in told[0]
    assert "telemetry: " in told[0]
    assert "not passed" not in told[0]
