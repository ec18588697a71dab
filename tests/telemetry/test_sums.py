"""What is summed up here is what an SDK would have sent of the same measurements."""

import random
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    Metric,
)

from secure_openai.monitoring import as_sent
from secure_openai.telemetry import metrics, names
from secure_openai.telemetry.sums import Sums, Told
from tests.telemetry.conftest import Observed

DELTA: dict[type, AggregationTemporality] = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
}
MEASURED = [one for one in names.METRICS if one.instrument is not names.Instrument.GAUGE]


def api_instrument(meter: Meter, metric: names.Metric) -> Callable[[float, Told], None]:
    """Return what the SDK takes measurements of a metric with."""
    if metric.instrument is names.Instrument.COUNTER:
        return meter.create_counter(metric.name, metric.unit, metric.meaning).add
    return meter.create_histogram(
        metric.name,
        metric.unit,
        metric.meaning,
        explicit_bucket_boundaries_advisory=metric.buckets,
    ).record


def shown(metric: Metric) -> dict[str, Any]:
    """Return a metric without the times at which it was collected, its points in one order."""
    told = asdict(metric)
    for point in told["data"]["data_points"]:
        point |= {"start_time_unix_nano": 0, "time_unix_nano": 0}
    told["data"]["data_points"].sort(key=lambda point: sorted(point["attributes"].items()))
    return told


def test_sums_are_what_the_sdk_would_send() -> None:
    """Every metric with any values, on a boundary too, in the order of any attributes, twice."""
    drawn = random.Random(6)
    reader = InMemoryMetricReader(preferred_temporality=DELTA)
    provider = MeterProvider([reader], exemplar_filter=AlwaysOffExemplarFilter())
    meter, sums = provider.get_meter(names.SCOPE), Sums()
    adding = {one.name: sums.adding(one) for one in MEASURED}
    theirs = {one.name: api_instrument(meter, one) for one in MEASURED}
    for _ in range(2):
        for metric in MEASURED:
            for _ in range(200):
                value = drawn.choice([drawn.expovariate(1), *metric.buckets, 0, 10**6])
                told = [(one.name, drawn.choice(["a", "b"])) for one in metric.attributes]
                drawn.shuffle(told)
                adding[metric.name](value, dict(told))
                theirs[metric.name](value, dict(told))
        collected = reader.get_metrics_data()
        assert collected is not None
        expected = {
            metric.name: shown(metric)
            for resource in collected.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        actual = {metric.name: shown(as_sent(metric, found, 0, 0)) for metric, found in sums.take()}

        assert expected == actual
    provider.shutdown()


def test_nothing_measured_is_nothing_taken() -> None:
    """What was taken once does not come again."""
    sums = Sums()
    add = sums.adding(names.DECISIONS)
    assert sums.take() == []
    add(1, {names.DECISION.name: "allowed"})

    assert [[metric.name, len(found)] for metric, found in sums.take()] == [
        ["secure_openai.decisions", 1]
    ]
    assert sums.take() == []


def test_attributes_are_what_they_say_not_which_object_they_are() -> None:
    """The same object again and equal ones are one sum, after what was there is taken too."""
    sums = Sums()
    add = sums.adding(names.JOB_DURATION)
    same, other = {names.JOB.name: "retention"}, {names.JOB.name: "seal"}
    for _ in range(2):
        for told in (same, dict(same), other, same, dict(other)):
            add(1, told)
        ((_, found),) = sums.take()
        counted = {one.told[names.JOB.name]: (one.count, one.total) for one in found}

        assert counted == {"retention": (3, 3.0), "seal": (2, 2.0)}


def test_while_summed_the_instruments_are_told_nothing(observed: Observed) -> None:
    """Inside the block sums are taken, what still waits included; around it the API is told."""
    told = {names.JOB.name: "retention"}
    metrics.job_duration.record(1, told)
    with metrics.summed() as take:
        metrics.job_duration.record(2, told)
        taken = {metric.name: found for metric, found in take()}
        metrics.job_duration.record(4, told)
    metrics.job_duration.record(8, told)

    assert [(one.count, one.total) for one in taken[names.JOB_DURATION.name]] == [(1, 2.0)]
    assert observed.total(names.JOB_DURATION.name) == 9


def test_several_threads_measure_and_collect() -> None:
    """None is lost and none counted twice, whoever hands on."""
    told = {names.JOB.name: "retention"}
    with metrics.summed() as take:
        take()

        def measure() -> None:
            for _ in range(5_000):
                metrics.job_duration.record(1, told)

        measuring = [threading.Thread(target=measure) for _ in range(4)]
        for one in measuring:
            one.start()
        taken = []
        while any(one.is_alive() for one in measuring):
            taken += take()
        taken += take()

    found = [one for metric, sums in taken if metric is names.JOB_DURATION for one in sums]
    assert sum(one.count for one in found) == 20_000
