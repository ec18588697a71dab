"""Measurements summed up in the process, for whoever sends sums: what an SDK would make of them.

An SDK's way from one measurement to its place in a sum costs more than ten times what adding it
there does, and a request makes seven.
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
        total: Their sum.
        least: The smallest.
        most: The largest.
    """

    told: Told
    buckets: list[int]
    total: float = 0
    least: float = field(default=float("inf"))
    most: float = field(default=float("-inf"))

    @property
    def count(self) -> int:
        """Return how many in all."""
        return sum(self.buckets)


class Sums:
    """What was measured since it was taken last; threads add and take one at a time."""

    def __init__(self) -> None:
        self._metrics: dict[str, tuple[Metric, dict[frozenset[tuple[str, object]], Sum]]] = {}
        self._known: list[dict[int, Sum]] = []

    def adding(self, metric: Metric) -> Callable[[float, Told], None]:
        """Return what adds a measurement of a metric."""
        _, sums = self._metrics.setdefault(metric.name, (metric, {}))
        bounds, places = metric.buckets, len(metric.buckets) + 1
        # Whoever measures often says the same object each time, which is found without being read.
        known: dict[int, Sum] = {}
        self._known.append(known)

        def add(value: float, told: Told) -> None:
            found = known.get(id(told))
            if found is None or found.told is not told:
                key = frozenset(told.items())
                found = sums.get(key) or sums.setdefault(key, Sum(told, [0] * places))
                # An object that its sum holds leaves its place to no other.
                known[id(found.told)] = found
            found.total += value
            if value < found.least:  # noqa: PLR1730 - a call costs as much as all else here
                found.least = value
            if value > found.most:  # noqa: PLR1730 - the same
                found.most = value
            found.buckets[bisect_left(bounds, value)] += 1

        return add

    def take(self) -> list[tuple[Metric, list[Sum]]]:
        """Return every metric with its sums, and begin again; none that has none."""
        every = self._metrics.values()
        taken = [(metric, list(sums.values())) for metric, sums in every if sums]
        for _, sums in every:
            sums.clear()
        for known in self._known:
            known.clear()
        return taken
