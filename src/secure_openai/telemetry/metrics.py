"""Metrics: what happened how often, and how much of it. They are measured always, never sampled.

Measurements are handed on by the group, and whatever waits before someone collects: what takes them
runs through much code for each, which takes half as long over and over as once among everything
else. They go to OpenTelemetry's instruments, or while somebody asks for `summed` into sums.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry import metrics

from secure_openai.telemetry import names
from secure_openai.telemetry.names import Metric
from secure_openai.telemetry.sums import Sum, Sums, Told

meter = metrics.get_meter(names.SCOPE)


GROUP = 64
"""How many measurements wait for each other."""

_waiting: deque[tuple[Measured, float, Told]] = deque()
_handing_on = threading.Lock()
"""Whoever collects does so in a thread of its own."""


def hand_on() -> None:
    """Give what waits to what takes it; several threads may."""
    with _handing_on:
        while _waiting:
            measured, value, told = _waiting.popleft()
            measured.take(value, told)


class Measured:
    """An instrument whose measurements wait for a group.

    Attributes:
        take: Takes one: what the API's instrument has for that.
    """

    def __init__(self, take: Callable[[float, Told], None]) -> None:
        self.take = take

    def record(self, value: float, told: Told) -> None:
        """Measure."""
        _waiting.append((self, value, told))
        if len(_waiting) >= GROUP:
            hand_on()

    add = record


@contextmanager
def summed() -> Iterator[Callable[[], list[tuple[Metric, list[Sum]]]]]:
    """Sum up until the block is left, in place of what the API's instruments do.

    Yields:
        What takes the sums of all that was measured since it was called last; any thread may.
    """
    sums = Sums()

    def take() -> list[tuple[Metric, list[Sum]]]:
        hand_on()
        with _handing_on:
            return sums.take()

    hand_on()
    before = [measured.take for _, measured in _ALL]
    for metric, measured in _ALL:
        measured.take = sums.adding(metric)
    try:
        yield take
    finally:
        hand_on()
        for (_, measured), taken in zip(_ALL, before, strict=True):
            measured.take = taken


def _histogram(metric: Metric) -> Measured:
    return _kept(
        metric,
        meter.create_histogram(
            metric.name,
            unit=metric.unit,
            description=metric.meaning,
            explicit_bucket_boundaries_advisory=metric.buckets,
        ).record,
    )


def _counter(metric: Metric) -> Measured:
    return _kept(
        metric,
        meter.create_counter(metric.name, unit=metric.unit, description=metric.meaning).add,
    )


_ALL: list[tuple[Metric, Measured]] = []


def _kept(metric: Metric, take: Callable[[float, Told], None]) -> Measured:
    measured = Measured(take)
    _ALL.append((metric, measured))
    return measured


request_duration = _histogram(names.REQUEST_DURATION)
decisions = _counter(names.DECISIONS)
token_usage = _histogram(names.TOKEN_USAGE)
operation_duration = _histogram(names.OPERATION_DURATION)
first_chunk = _histogram(names.FIRST_CHUNK)
failed_attempts = _counter(names.FAILED_ATTEMPTS)
store_duration = _histogram(names.STORE_DURATION)
job_duration = _histogram(names.JOB_DURATION)
