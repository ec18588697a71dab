"""Charts as SVG that the server draws: no script, and a table beside each says the same.

Only the bars are drawn, in a box that stretches; words stand in HTML around it, so that they are as
large on a phone as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10

HEIGHT = 100.0
STEP = 10.0
"""Width of one bar with its gap, in units of the box."""

GAP = 2.0

ROUND = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
"""What a scale may end at, times a power of ten."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar.

    Attributes:
        y: Of its upper edge.
        height: Of it.
        series: Which series, from 0: its colour.
    """

    y: float
    height: float
    series: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar.

    Attributes:
        x: Of its left edge.
        width: Of it.
        segments: From the ground up.
        label: What it is of.
        values: What it shows, by series.
    """

    x: float
    width: float
    segments: Sequence[Segment]
    label: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars beside each other.

    Attributes:
        width: Of the box; its height is `HEIGHT`.
        bars: In their order.
        top: What the height of the box stands for.
    """

    width: float
    bars: Sequence[Bar]
    top: float

    @property
    def empty(self) -> bool:
        """Return whether there is nothing to see."""
        return not any(sum(bar.values) for bar in self.bars)

    @property
    def first(self) -> str:
        """Return what the first bar is of."""
        return self.bars[0].label

    @property
    def last(self) -> str:
        """Return what the last bar is of."""
        return self.bars[-1].label


def chart(points: Sequence[tuple[str, Sequence[float]]]) -> Chart:
    """Return a chart of points: a label, and a value for each series, stacked."""
    top = round_up(max((sum(values) for _, values in points), default=0.0))
    bars = []
    for number, (label, values) in enumerate(points):
        y = HEIGHT
        segments = []
        for series, value in enumerate(values):
            height = round(value / top * HEIGHT, 2)
            y = round(y - height, 2)
            if height:
                segments.append(Segment(y, height, series))
        left = number * STEP + GAP / 2
        bars.append(Bar(left, STEP - GAP, segments, label, values))
    return Chart(max(STEP, len(points) * STEP), bars, top)


def round_up(value: float) -> float:
    """Return the next of the numbers that a scale may end at."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (ceil(log10(value)) - 1)
    steps = (step * power for step in ROUND)
    return next((one for one in steps if one >= value * 0.999_999), 10 * power)
