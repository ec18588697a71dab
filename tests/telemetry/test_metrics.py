"""Measurements wait for each other, and never longer than until someone collects."""

from unittest import mock

from secure_openai.telemetry import metrics, names
from secure_openai.telemetry.sums import Told
from tests.telemetry.conftest import Observed


def test_whoever_collects_gets_all(observed: Observed) -> None:
    """One measurement that nothing follows is collected."""
    metrics.job_duration.record(1.5, {names.JOB.name: "retention"})

    assert observed.total(names.JOB_DURATION.name) == 1.5


def test_a_whole_group_is_handed_on() -> None:
    """What waits is bounded, each is handed on once, and in its order."""
    metrics.hand_on()
    take = mock.Mock()
    measured = metrics.Measured(take)
    told = {names.JOB.name: "retention"}

    for value in range(metrics.GROUP - 1):
        measured.record(value, told)
    assert take.mock_calls == []
    measured.record(metrics.GROUP - 1, told)

    assert take.mock_calls == [mock.call(value, told) for value in range(metrics.GROUP)]


def test_what_is_measured_while_others_are_handed_on_is_handed_on_too() -> None:
    """What takes a measurement may measure, as garbage that is found then does, whole groups."""
    metrics.hand_on()
    told = {names.JOB.name: "retention"}
    taken: list[float] = []
    inner = metrics.Measured(lambda value, _: taken.append(value))

    def take(value: float, _: Told) -> None:
        taken.append(value)
        for more in range(metrics.GROUP):
            inner.record(value + more + 1, told)

    outer = metrics.Measured(take)
    outer.record(0, told)
    metrics.hand_on()
    assert list(range(metrics.GROUP + 1)) == taken

    taken.clear()
    for _ in range(metrics.GROUP):
        outer.record(0, told)
    assert len(taken) == metrics.GROUP * (metrics.GROUP + 1)
