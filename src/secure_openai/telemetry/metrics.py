"""Metrics: what happened how often, and how much of it. They are measured always, never sampled.

They go to OpenTelemetry's instruments, or while somebody asks for `summed` into sums: by the group,
and whatever waits before someone collects. What each runs through there takes half as long over and
over as once among everything else.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from opentelemetry import metrics

from secure_openai.telemetry import names
from secure_openai.telemetry.names import Metric
from secure_openai.telemetry.sums import Sum, Sums, Told

meter = metrics.get_meter(names.SCOPE)


Take: TypeAlias = Callable[[float, Told], None]
"""Takes one measurement."""

GROUP = 64
"""How many measurements wait for each other."""

_waiting: deque[tuple[Take, float, Told]] = deque()
_handing_on = threading.Lock()
"""Whoever collects does so in a thread of its own."""


def hand_on() -> None:
    """Give what waits to what takes it; several threads may."""
    with _handing_on:
        _hand_on()


def _hand_on() -> None:
    while _waiting:
        take, value, told = _waiting.popleft()
        take(value, told)


class Measured:
    """An instrument whose measurements wait for a group.

    Args:
        take: Takes one: what the API's instrument has for that.

    Attributes:
        record: Measures.
        add: The same, of what counts.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self.goes_to(None)

    def goes_to(self, sums: Take | None) -> None:
        """Measure into sums, or as before."""
        self.record = self.add = _by_the_group(sums or self._take)


def _by_the_group(take: Take) -> Take:
    waiting, append = _waiting, _waiting.append

    def measure(value: float, told: Told) -> None:
        append((take, value, told))
        # Whoever hands on already comes to it: another thread, or this one where what is found to
        # be garbage meanwhile measures as it ends.
        if len(waiting) >= GROUP and _handing_on.acquire(blocking=False):
            try:
                _hand_on()
            finally:
                _handing_on.release()

    return measure


@contextmanager
def summed() -> Iterator[Callable[[], list[tuple[Metric, list[Sum]]]]]:
    """Sum up until the block is left, in place of what the API's instruments do.

    Yields:
        What takes the sums of all that was measured since it was called last; any thread may.
    """
    sums = Sums()

    def taken() -> list[tuple[Metric, list[Sum]]]:
        with _handing_on:
            _hand_on()
            return sums.take()

    for metric, measured in _ALL:
        measured.goes_to(sums.adding(metric))
    try:
        yield taken
    finally:
        for _, measured in _ALL:
            measured.goes_to(None)


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


def _kept(metric: Metric, take: Take) -> Measured:
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
