"""The whole system sending to Azure Monitor: what leaves it, by whom, and what does not."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx2
import pytest
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from secure_openai import monitoring
from secure_openai.environment import TALKATIVE_VARIABLES
from secure_openai.local.identity_provider.directory import PEOPLE
from secure_openai.monitoring import (
    PAUSE_SECONDS,
    POINTS_AT_ONCE,
    SPANS_AT_ONCE,
    SummingExporter,
    Unhurried,
    WholeTraces,
)
from secure_openai.telemetry.names import JOB, JOB_DURATION, LOG_FIELDS
from secure_openai.telemetry.sums import Sums
from secure_openai.testing.person import sign_in
from tests.azure_cli import AZ, stand_in
from tests.ingestion import Ingestion, ingesting
from tests.system import System, running
from tests.telemetry.markers import ANSWER, PROMPT, found, personal
from tests.tls import Tls

pytestmark = pytest.mark.process


async def use(system: System) -> list[str]:
    """Use both doors as a person does, with markers in everything; return what must not leave."""
    secrets: list[str] = []
    async with httpx2.AsyncClient(base_url=system.url, trust_env=False, timeout=30) as http:
        http.headers |= {"Origin": system.url, "Sec-Fetch-Site": "same-origin"}
        await sign_in(http, system.url, "Uma")
        secrets += [value for _, value in http.cookies.items()]
        talk = (await http.post("/api/conversations", json={"title": PROMPT})).json()["id"]
        for _ in range(20):
            question = {"text": f"{PROMPT} {ANSWER}", "deployment": "scripted"}
            answer = await http.post(f"/api/conversations/{talk}/messages", json=question)
            assert ANSWER in answer.text
        body = {"model": "scripted", "messages": [{"role": "user", "content": PROMPT}]}
        assert (await http.post("/openai/v1/chat/completions", json=body)).status_code == 200
        other = body | {"model": PROMPT}
        assert (await http.post("/openai/v1/chat/completions", json=other)).status_code == 404
        assert (await http.get(f"/nowhere/{PROMPT}?code={PROMPT}")).status_code == 404
    return secrets


def test_what_is_observed_is_sent_and_nothing_else_is(tmp_path: Path, tls: Tls) -> None:
    """Requests, spans, metrics and logs arrive with our token; none of the markers does."""
    commands = tmp_path / "bin"
    commands.mkdir()
    stand_in(commands, "az", AZ)
    data = tmp_path / "data"
    with ingesting(tls) as ingestion:
        with running(
            data,
            APPLICATIONINSIGHTS_CONNECTION_STRING=ingestion.connection_string,
            PATH=f"{commands}:{os.environ['PATH']}",
            SECURE_OPENAI_CA_BUNDLE=str(tls.ca),
            SECURE_OPENAI_TRACE_PERCENT="100",
        ) as system:
            secrets = asyncio.run(use(system))
        sent = json.dumps(ingestion.items, ensure_ascii=False)

    assert {one["name"] for one in ingestion.of("RequestData")} >= {
        "POST /api/conversations/{conversation_id}/messages",
        "POST /openai/v1/chat/completions",
    }
    assert "chat scripted" in {one["name"] for one in ingestion.of("RemoteDependencyData")}
    names = {one["metrics"][0]["name"] for one in ingestion.of("MetricData")}
    assert names >= {"gen_ai.client.token.usage", "secure_openai.decisions"}
    asked = set(zip(ingestion.paths, ingestion.tokens, strict=True))
    # The self-check asks whether anybody answers there, and says nothing.
    assert {token for path, token in asked if path != "/"} == {"Bearer from az"}
    assert {token for path, token in asked if path == "/"} <= {""}
    assert {path.rpartition("/")[2] for path in ingestion.paths} <= {"track", ""}
    assert found(sent, [PROMPT, ANSWER, *secrets, *personal()]) == []
    logs = {path.name: path.read_text() for path in data.rglob("*.log")}
    for text in logs.values():
        assert found(text, [PROMPT, ANSWER, *secrets, *personal()]) == []
    for line in logs["application.log"].splitlines():
        assert json.loads(line).keys() <= {one.name for one in LOG_FIELDS}


def test_a_trace_is_kept_whole_or_not_at_all() -> None:
    """At one in five, every span of a request shares its fate, and says the rate."""
    exporter = InMemorySpanExporter()
    tracing = TracerProvider(sampler=WholeTraces(0.2))
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = tracing.get_tracer("test")
    for _ in range(300):
        with tracer.start_as_current_span("a"), tracer.start_as_current_span("b"):
            tracer.start_span("c").end()
    spans = exporter.get_finished_spans()
    traces: dict[int, int] = {}
    for one in spans:
        context = one.get_span_context()
        assert context is not None
        traces[context.trace_id] = traces.get(context.trace_id, 0) + 1
        assert dict(one.attributes or {}) == {"_MS.sampleRate": 20.0}

    assert set(traces.values()) == {3}
    assert 10 < len(traces) < 150


def test_spans_are_given_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes through a batch gets all of it, and lets other threads go on in between."""
    pauses: list[float] = []
    monkeypatch.setattr("secure_openai.monitoring.sleep", pauses.append)
    tracer = TracerProvider().get_tracer("test")
    made = [tracer.start_span(str(number)) for number in range(3 * SPANS_AT_ONCE)]
    spans = [one for one in made if isinstance(one, ReadableSpan)]
    given = Unhurried(spans)

    assert spans == list(given)
    assert pauses == [PAUSE_SECONDS] * 3
    assert (3 * SPANS_AT_ONCE, spans[0], spans[1:3]) == (len(given), given[0], given[1:3])


def test_points_are_taken_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch, tls: Tls) -> None:
    """Every sum arrives, and other threads go on in between."""
    for name in TALKATIVE_VARIABLES:
        monkeypatch.setenv(name, "true")
    pauses: list[float] = []
    monkeypatch.setattr("secure_openai.monitoring.sleep", pauses.append)
    sums = Sums()
    add = sums.adding(JOB_DURATION)
    for number in range(3 * POINTS_AT_ONCE):
        add(number, {JOB.name: f"job {number}"})
    with ingesting(tls) as ingestion:
        exporter = SummingExporter(
            sums.take,
            Resource({}),
            connection_string=ingestion.connection_string,
            connection_verify=str(tls.ca),
            disable_offline_storage=True,
        )
        assert exporter.export(MetricsData([])) is MetricExportResult.SUCCESS
        exporter.client.close()
    sent = [one["metrics"][0]["value"] for one in ingestion.of("MetricData")]

    assert sorted(sent) == [float(number) for number in range(3 * POINTS_AT_ONCE)]
    assert pauses == [PAUSE_SECONDS] * 3


async def test_an_end_waits_for_nobody_who_takes_all_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be sent in time is dropped with a word, and what comes after goes on."""
    monkeypatch.setattr(monitoring, "FLUSH_SECONDS", 0.1)
    forever = threading.Event()

    class Silent:
        def force_flush(self, timeout_millis: int = 0) -> bool:
            return forever.wait(timeout_millis)

        def shutdown(self) -> None:
            forever.wait()

    async with asyncio.timeout(60):
        await monitoring._stop([Silent()])
    forever.set()

    assert "observations were dropped" in caplog.text


def test_without_a_place_to_send_to_no_sdk_is_imported() -> None:
    """The application without the setting knows the API only."""
    rooms = (
        "azure",
        "opentelemetry.exporter",
        "opentelemetry.instrumentation",
        "opentelemetry.sdk",
    )
    code = (
        "import sys, secure_openai.app, secure_openai.cli;"
        f"print([name for name in sys.modules if name.startswith({rooms})])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert ended.stdout.strip() == "[]"


def test_exporters_say_nothing_of_themselves() -> None:
    """None starts a thread of its own, in which it would report on itself or ask how to behave."""
    code = (
        "import threading, secure_openai.monitoring as monitoring;"
        "monitoring.keep_within_the_estate();"
        f"how = {{'connection_string': '{Ingestion('https://localhost:1').connection_string}',"
        " 'disable_offline_storage': True};"
        "made = [monitoring.UnhurriedExporter(**how), monitoring.AzureMonitorLogExporter(**how),"
        " monitoring.SummingExporter(list, None, **how)];"
        "print([one.name for one in threading.enumerate()])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert ended.stdout.strip() == "['MainThread']"


def test_a_person_is_in_the_directory() -> None:
    """What is looked for is there to be found: names and addresses of the people who sign in."""
    assert {one.name for one in PEOPLE} & set(personal())


def test_a_marker_would_be_found() -> None:
    """The search finds what it looks for, however it is written."""
    assert found(json.dumps({"a": [PROMPT]}), [PROMPT]) == [PROMPT]


def test_ingestion_keeps_kinds_apart() -> None:
    """The stand-in tells items apart by their kind."""
    made = Ingestion(items=[{"data": {"baseType": "MessageData", "baseData": {"message": "x"}}}])

    assert made.of("MessageData") == [{"message": "x"}]
