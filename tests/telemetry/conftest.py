"""The SDK with exporters in memory, set up once: a process has one provider of each kind."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from secure_openai.telemetry.logs import ExportingHandler


@dataclass(frozen=True)
class Observed:
    """What was observed since the test began."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    records: InMemoryLogRecordExporter
    before: dict[tuple[str, frozenset[tuple[str, Any]]], tuple[float, int]]

    @property
    def spans(self) -> list[ReadableSpan]:
        """Return the spans that have ended."""
        return list(self.exporter.get_finished_spans())

    @property
    def logged(self) -> list[ReadableLogRecord]:
        """Return what was logged."""
        return list(self.records.get_finished_logs())

    def values(self, name: str) -> dict[frozenset[tuple[str, Any]], tuple[float, int]]:
        """Return sum (or value) and count of a metric's points, less what was there before."""
        found = {}
        for (metric, told), (total, count) in points(self.reader).items():
            if metric == name:
                old_total, old_count = self.before.get((metric, told), (0.0, 0))
                if count != old_count:
                    found[told] = (total - old_total, count - old_count)
        return found

    def count(self, name: str, **told: Any) -> int:
        """Return how often something was measured with these attributes, dots as underscores."""
        return sum(
            count for point, (_, count) in self.values(name).items() if _fits(dict(point), told)
        )

    def total(self, name: str, **told: Any) -> float:
        """Return the sum of what was measured with these attributes."""
        return sum(
            total for point, (total, _) in self.values(name).items() if _fits(dict(point), told)
        )

    def metric_names(self) -> set[str]:
        """Return the names of all metrics that have a point."""
        return {metric for metric, _ in points(self.reader)}


def _fits(point: dict[str, Any], told: dict[str, Any]) -> bool:
    return all(
        any(name.replace(".", "_") == key and found == value for name, found in point.items())
        for key, value in told.items()
    )


def points(
    reader: InMemoryMetricReader,
) -> dict[tuple[str, frozenset[tuple[str, Any]]], tuple[float, int]]:
    """Return every point: name and attributes to sum and count; a gauge counts as once."""
    found = {}
    data = reader.get_metrics_data()
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    told = frozenset(dict(point.attributes or {}).items())
                    total = getattr(point, "sum", None)
                    value = total if total is not None else getattr(point, "value", 0)
                    count = getattr(point, "count", None)
                    found[metric.name, told] = (value, count if count is not None else int(value))
    return found


@pytest.fixture(scope="session")
def providers() -> Iterator[
    tuple[InMemorySpanExporter, InMemoryMetricReader, InMemoryLogRecordExporter]
]:
    """Set the providers; everything is sampled."""
    exporter, reader, records = (
        InMemorySpanExporter(),
        InMemoryMetricReader(),
        InMemoryLogRecordExporter(),  # type: ignore[no-untyped-call]
    )
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    logging_ = LoggerProvider()
    logging_.add_log_record_processor(SimpleLogRecordProcessor(records))
    measuring = MeterProvider([reader])
    trace.set_tracer_provider(tracing)
    metrics.set_meter_provider(measuring)
    _logs.set_logger_provider(logging_)
    yield exporter, reader, records
    tracing.shutdown()
    measuring.shutdown()
    logging_.shutdown()


@pytest.fixture
def observed(
    providers: tuple[InMemorySpanExporter, InMemoryMetricReader, InMemoryLogRecordExporter],
) -> Iterator[Observed]:
    """What is observed from here on; logs of every level and library are taken."""
    exporter, reader, records = providers
    exporter.clear()
    records.clear()
    handler, root = ExportingHandler(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield Observed(exporter, reader, records, points(reader))
    root.setLevel(level)
    root.removeHandler(handler)
