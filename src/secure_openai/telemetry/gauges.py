"""Gauges: how things stand, looked at whenever someone collects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.metrics import CallbackOptions, Observation

from secure_openai.telemetry import names
from secure_openai.telemetry.metrics import hand_on, meter
from secure_openai.telemetry.names import Metric

Look = Callable[[], Iterable[tuple[float, Mapping[str, str]]]]
"""Returns values, each with the attributes that it is told apart by."""

_LOOKS: dict[str, list[Look]] = {}


@contextmanager
def watched(metric: Metric, look: Look) -> Iterator[None]:
    """Look whenever a gauge is collected, until the block is left; several may look."""
    looks = _LOOKS[metric.name]
    looks.append(look)
    try:
        yield
    finally:
        looks.remove(look)


def _observe(metric: Metric) -> None:
    looks = _LOOKS.setdefault(metric.name, [])

    def collect(_: CallbackOptions) -> list[Observation]:
        # Gauges are asked first: what was measured until now is collected with them.
        hand_on()
        return [
            Observation(value, dict(attributes)) for look in looks for value, attributes in look()
        ]

    meter.create_observable_gauge(
        metric.name, callbacks=[collect], unit=metric.unit, description=metric.meaning
    )


for _metric in names.METRICS:
    if _metric.instrument is names.Instrument.GAUGE:
        _observe(_metric)
