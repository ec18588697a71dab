"""Measurements summed up in the process, for whoever sends sums: what an SDK would make of them.

An SDK's way from one measurement to its place in a sum costs some ten times what adding it there
does, and a request makes eight.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from secure_openai.telemetry.names import Metric

Told: TypeAlias = Mapping[str, str | bool | int]
"""What a measurement is told apart by; not changed any more once it is given."""


@dataclass(slots=True)
class Sum:
    """What was measured under the same attributes.

    Attributes:
        told: The attributes.
        buckets: How many lie between the metric's boundaries: up to the first, up to the second …
        count: How many in all.
        total: Their sum.
        least: The smallest.
        most: The largest.
    """

    told: Told
    buckets: list[int]
    count: int = 0
    total: float = 0
    least: float = field(default=float("inf"))
    most: float = field(default=float("-inf"))


class Sums:
    """What was measured since it was taken last; not for several threads at once."""

    def __init__(self) -> None:
        self._metrics: dict[str, tuple[Metric, dict[frozenset[tuple[str, object]], Sum]]] = {}

    def adding(self, metric: Metric) -> Callable[[float, Told], None]:
        """Return what adds a measurement of a metric."""
        _, sums = self._metrics.setdefault(metric.name, (metric, {}))
        bounds = metric.buckets

        def add(value: float, told: Told) -> None:
            key = frozenset(told.items())
            found = sums.get(key)
            if found is None:
                found = sums[key] = Sum(told, [0] * (len(bounds) + 1))
            found.count += 1
            found.total += value
            found.least = min(found.least, value)
            found.most = max(found.most, value)
            found.buckets[bisect_left(bounds, value)] += 1

        return add

    def take(self) -> list[tuple[Metric, list[Sum]]]:
        """Return every metric with its sums, and begin again; none that has none."""
        taken = [(metric, list(sums.values())) for metric, sums in self._metrics.values() if sums]
        for _, sums in self._metrics.values():
            sums.clear()
        return taken
