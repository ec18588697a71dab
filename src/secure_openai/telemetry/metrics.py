"""Metrics: what happened how often, and how much of it. They are measured always, never sampled.

An SDK gets measurements by the group, and whatever waits before it collects: it runs through much
code for each, which takes half as long over and over as once among everything else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeAlias

from opentelemetry import metrics

from secure_openai.telemetry import names
from secure_openai.telemetry.names import Metric

meter = metrics.get_meter(names.SCOPE)


GROUP = 64
"""How many measurements wait for each other."""

Told: TypeAlias = Mapping[str, str | bool | int]
"""What a measurement is told apart by; not changed any more once it is given."""

_waiting: deque[tuple[Callable[[float, Told], None], float, Told]] = deque()


def hand_on() -> None:
    """Give the SDK what waits; several threads may."""
    while True:
        try:
            take, value, told = _waiting.popleft()
        except IndexError:
            return
        take(value, told)


class Measured:
    """An instrument whose measurements wait for a group.

    Args:
        take: What the API's instrument takes one with.
    """

    def __init__(self, take: Callable[[float, Told], None]) -> None:
        self._take = take

    def record(self, value: float, told: Told) -> None:
        """Measure."""
        _waiting.append((self._take, value, told))
        if len(_waiting) >= GROUP:
            hand_on()

    add = record


def _histogram(metric: Metric) -> Measured:
    return Measured(
        meter.create_histogram(
            metric.name,
            unit=metric.unit,
            description=metric.meaning,
            explicit_bucket_boundaries_advisory=metric.buckets,
        ).record
    )


def _counter(metric: Metric) -> Measured:
    return Measured(
        meter.create_counter(metric.name, unit=metric.unit, description=metric.meaning).add
    )


request_duration = _histogram(names.REQUEST_DURATION)
decisions = _counter(names.DECISIONS)
token_usage = _histogram(names.TOKEN_USAGE)
operation_duration = _histogram(names.OPERATION_DURATION)
first_chunk = _histogram(names.FIRST_CHUNK)
failed_attempts = _counter(names.FAILED_ATTEMPTS)
store_duration = _histogram(names.STORE_DURATION)
job_duration = _histogram(names.JOB_DURATION)
