"""The Function App over Azure's services, each by the real client against the nearest server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import azure.functions as func
import pytest
from azure.functions.timer import TimerRequestConverter

from secure_openai.assembly import Assembly, assemble
from secure_openai.jobs.catalogue import JOBS
from secure_openai.jobs.resident import JobFailed
from secure_openai.settings import Settings
from secure_openai.store.cosmos.container import Container
from secure_openai.store.requests import RequestKind, RequestState, export_name
from secure_openai.store.verification import verify
from secure_openai.tables import table
from secure_openai.testing.conversations_contract import ANNA, BEN, message_in
from secure_openai.testing.holds_contract import hold_on
from secure_openai.testing.usage_contract import LIMITS
from secure_openai.types import Usage, utc_now
from tests.functions.test_function_app import TICK, functions_of, loaded
from tests.hosted.application import stores_of
from tests.hosted.conftest import estate, servers  # noqa: F401 - fixtures
from tests.hosted.estate import Estate
from tests.ingestion import Ingestion, ingesting
from tests.jobs.kept import events_of
from tests.system import environment as environment_of

MARKER = "PLANTED-MARKER-51c9"


@pytest.fixture
def environment(
    estate: Estate,  # noqa: F811 - a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Say what Terraform and App Service would say."""
    for name, value in estate.settings().items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def web() -> AsyncIterator[Assembly]:
    """Open what the web application has open beside the functions."""
    async with assemble(Settings.load()) as assembly:
        yield assembly


async def invoke(*names: str) -> None:
    """Start the Function App's process, call functions as its host does, and end it."""
    module = loaded()
    timer = TimerRequestConverter.decode(func.meta.Datum(TICK, "json"), trigger_metadata={})
    functions = {one.get_function_name(): one for one in functions_of(module)}
    try:
        for name in names:
            await functions[name].get_user_function()(timer=timer)
    finally:
        await module.resident.aclose()


@pytest.mark.usefixtures("environment")
async def test_every_function(estate: Estate) -> None:  # noqa: F811 - a fixture
    """Each does its job by the managed identity alone, and what is left is the same after two."""
    async with web() as assembly:
        for owner in (ANNA, BEN):
            conversation = await assembly.conversations.create(owner, title=MARKER)
            await assembly.conversations.append(owner, message_in(conversation, MARKER))
            now = utc_now()
            reservation = await assembly.usage.reserve(
                owner, "chat", tokens=9, limits=LIMITS, now=now, lifetime=60
            )
            await assembly.usage.settle(reservation, Usage(3, 4))
        requests = assembly.requests
        export = await requests.ask(ANNA, RequestKind.EXPORT, by=ANNA, now=utc_now())
        await assembly.holds.place(hold_on(BEN))
        held = await requests.ask(BEN, RequestKind.ERASURE, by=BEN, now=utc_now())

        await invoke(*JOBS)
        await invoke(*JOBS)

        document = json.loads(await assembly.exports.get(export_name(export)))
        assert [one["title"] for one in document["conversations"]] == [MARKER]
        assert (await requests.get(BEN, held.id)).state is RequestState.HELD
        assert len((await assembly.usage.day(now.date().isoformat())).items) == 2

        erasure = await requests.ask(ANNA, RequestKind.ERASURE, by=ANNA, now=utc_now())
        await invoke("erasure", "erasure", "seal")

        assert (await requests.get(ANNA, erasure.id)).state is RequestState.ERASED
        assert (await assembly.conversations.list(ANNA)).items == []
        assert [one async for one in assembly.exports.list()] == []
        assert len((await assembly.conversations.list(BEN)).items) == 1
        report = await verify(assembly.audit, assembly.seals.all())
        assert report.found == ()
        assert report.seals == 2
        recorded = [one.action for one in await events_of(assembly.audit)]
        for action in ("export.made", "erasure.held", "erasure.erased"):
            assert recorded.count(action) == 1
    assert {call.container for call in estate.cosmos.calls} == set(table("containers"))


POLICY = """version = 1

[people.user]
deployments = ["*"]
requests_per_minute = 30
requests_per_day = 3_000
tokens_per_minute = 60_000
tokens_per_day = 1_000_000
largest_prompt_tokens = 24_000
largest_answer_tokens = 4_096
concurrent_streams = 4

[retention]
conversation_days = 30
"""


@pytest.mark.usefixtures("environment")
async def test_the_policy_of_the_package_counts(
    estate: Estate,  # noqa: F811 - a fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the policy that Terraform names is too old is deleted; without the file nothing runs."""
    policy = tmp_path / "policy.toml"
    monkeypatch.setenv("SECURE_OPENAI_POLICY", str(policy))
    with pytest.raises(JobFailed, match="the file cannot be read"):
        await invoke("retention")
    policy.write_text(POLICY)
    async with stores_of(estate) as stores:
        old, young = [
            await stores.conversations.create(ANNA, title=title) for title in ("old", "young")
        ]
        container: Container = stores.conversations._container  # type: ignore[attr-defined]
        item = await container.read_latest(f"conversation.{old.id}", ANNA.key)
        assert item is not None
        last = (utc_now() - timedelta(days=31)).isoformat()
        await container.upsert({**item, "updated": last})

        await invoke("retention")

        (kept,) = (await stores.conversations.list(ANNA)).items
        assert kept.id == young.id
        (expired,) = [
            one for one in await events_of(stores.audit) if one.action == "conversation.expired"
        ]
        assert expired.facts is not None
        assert expired.facts["conversation"] == old.id


def told(ingestion: Ingestion, name: str) -> set[tuple[str, str | None]]:
    """Return which jobs a metric tells of, each with its error."""
    return {
        (one["properties"]["secure_openai.job.name"], one["properties"].get("error.type"))
        for one in ingestion.of("MetricData")
        if one["metrics"][0]["name"] == name
    }


@pytest.mark.process
async def test_runs_are_measured_where_azure_monitor_is(estate: Estate) -> None:  # noqa: F811 - a fixture
    """Each run arrives by the managed identity, one that failed with its error; no log does."""
    estate.vault.refuses = True
    with ingesting(estate.tls) as ingestion:
        port = urlsplit(ingestion.url).port
        assert port is not None
        settings = {
            **estate.settings(),
            "APPLICATIONINSIGHTS_CONNECTION_STRING": estate.telemetry_to(port),
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "SECURE_OPENAI_TRACE_PERCENT": "100",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.functions.host", "retention", "seal"),
            env=environment_of(**settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            said, _ = await process.communicate()

    assert process.returncode == 0, said
    assert told(ingestion, "secure_openai.job.duration") == {
        ("retention", None),
        ("seal", "store-unavailable"),
    }
    assert {one["name"] for one in ingestion.of("RemoteDependencyData")} >= {
        "job retention",
        "job seal",
    }
    assert ingestion.of("MessageData") == []
    assert ingestion.of("ExceptionData") == []
    accepted = {
        estate.identity.accepts(token, "https://monitor.azure.com/") for token in ingestion.tokens
    }
    assert accepted == {True}
