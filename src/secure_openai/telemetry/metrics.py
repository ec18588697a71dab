"""Metrics: what happened how often, and how much of it. They are measured always, never sampled."""

from __future__ import annotations

from opentelemetry import metrics
from opentelemetry.metrics import Counter, Histogram

from secure_openai.telemetry import names
from secure_openai.telemetry.names import Metric

meter = metrics.get_meter(names.SCOPE)


def _histogram(metric: Metric) -> Histogram:
    return meter.create_histogram(
        metric.name,
        unit=metric.unit,
        description=metric.meaning,
        explicit_bucket_boundaries_advisory=metric.buckets,
    )


def _counter(metric: Metric) -> Counter:
    return meter.create_counter(metric.name, unit=metric.unit, description=metric.meaning)


request_duration = _histogram(names.REQUEST_DURATION)
decisions = _counter(names.DECISIONS)
token_usage = _histogram(names.TOKEN_USAGE)
operation_duration = _histogram(names.OPERATION_DURATION)
first_chunk = _histogram(names.FIRST_CHUNK)
failed_attempts = _counter(names.FAILED_ATTEMPTS)
store_duration = _histogram(names.STORE_DURATION)
job_duration = _histogram(names.JOB_DURATION)
