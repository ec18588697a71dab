"""What the estate asks of the telemetry is there under the names that Azure Monitor keeps it by."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from azure.monitor.opentelemetry.exporter.export.metrics._exporter import (
    AzureMonitorMetricExporter,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from secure_openai.telemetry.names import METRICS, Instrument, Metric
from tests.infra.estate import INFRA

TELEMETRY = INFRA / "modules" / "telemetry"
QUESTIONS = sorted(TELEMETRY.glob("*/*.kql"))
BY_NAME = {one.name: one for one in METRICS}
NAMED = re.compile(r'"([a-z_]+(?:\.[a-z_0-9]+)+)"')
PROPERTY = re.compile(r'Properties\["([^"]+)"\]')


def sent(metric: Metric) -> dict[str, Any]:
    """Return what the exporter makes of one measurement with every attribute."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader]).get_meter("test")
    attributes = {one.name: "503" if "status" in one.name else "x" for one in metric.attributes}
    if metric.instrument is Instrument.HISTOGRAM:
        meter.create_histogram(metric.name).record(1.5, attributes)
    elif metric.instrument is Instrument.COUNTER:
        meter.create_counter(metric.name).add(1, attributes)
    else:
        meter.create_gauge(metric.name).set(1, attributes)
    data = reader.get_metrics_data()
    assert data is not None
    (resource,) = data.resource_metrics
    (scope,) = resource.scope_metrics
    (found,) = scope.metrics
    (point,) = found.data.data_points
    exporter = AzureMonitorMetricExporter(
        connection_string="InstrumentationKey=11111111-2222-3333-4444-555555555555",
        disable_offline_storage=True,
    )
    try:
        envelope = exporter._point_to_envelope(point, found.name, resource.resource, scope.scope)
    finally:
        exporter.shutdown()
    assert envelope is not None
    assert envelope.data is not None
    assert envelope.data.base_data is not None
    made: dict[str, Any] = envelope.data.base_data.as_dict()
    return made


def metrics_in(question: str) -> list[Metric]:
    """Return the metrics that a question names."""
    text = PROPERTY.sub("", question)
    return [BY_NAME[name] for name in NAMED.findall(text)]


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda one: one.stem)
def test_a_question_names_what_is_sent(path: Path) -> None:
    """Every metric is declared; every property is one that its exporter sends with it."""
    question = path.read_text()
    if not question.startswith("AppMetrics"):
        assert question.startswith("StorageBlobLogs")
        return
    asked = metrics_in(question)
    items = [sent(one) for one in asked]

    assert asked
    assert {item["metrics"][0]["name"] for item in items} == {one.name for one in asked}
    for name in PROPERTY.findall(question):
        assert any(name in item["properties"] for item in items), name


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda one: one.stem)
def test_a_question_is_whole(path: Path) -> None:
    """Its brackets and quotes are closed, and after the table every line is a step of its own."""
    text = path.read_text()
    table, *steps = text.rstrip("\n").split("\n")

    for opening, closing in ("()", "[]", "{}"):
        assert text.count(opening) == text.count(closing)
    assert text.count('"') % 2 == 0
    assert table.isidentifier()
    assert all(step.startswith("| ") for step in steps)


def test_azure_monitor_renames_the_status_of_requests() -> None:
    """The attribute of the conventions is not there to be asked for: the exporter's own is."""
    properties = sent(BY_NAME["http.server.request.duration"])["properties"]

    assert properties["request/resultCode"] == "503"
    assert "http.response.status_code" not in properties


def test_every_metric_is_in_the_workbook() -> None:
    """Nobody measures what nobody looks at."""
    shown = {
        one.name
        for path in TELEMETRY.glob("workbook/*.kql")
        for one in metrics_in(path.read_text())
    }

    assert BY_NAME.keys() - shown == set()


def test_the_charts_are_the_files() -> None:
    """Each question of the workbook is drawn, each alert is asked."""
    workbook = (TELEMETRY / "workbook.tf").read_text()
    alerts = (TELEMETRY / "query-alerts.tf").read_text()

    charts = set(re.findall(r'^    "([\w-]+)" += "', workbook, re.MULTILINE))
    assert charts == {path.stem for path in TELEMETRY.glob("workbook/*.kql")}
    rules = set(re.findall(r"^    ([\w-]+) += \{ says", alerts, re.MULTILINE))
    assert rules == {path.stem for path in TELEMETRY.glob("alerts/*.kql")}
