"""The collector is paused for a proof and for nothing else."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from secure_openai.posture import collector


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Leave the collector as it was found."""
    was = gc.isenabled()
    yield
    if was:
        gc.enable()


def test_it_collects_again_whatever_happens() -> None:
    """An error inside does not leave it off."""
    gc.enable()

    def fail() -> None:
        with collector.paused():
            assert not gc.isenabled()
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert gc.isenabled()


def test_whoever_switched_it_off_finds_it_off() -> None:
    """A process that collects at times of its own keeps doing so."""
    gc.disable()
    with collector.paused():
        pass
    assert not gc.isenabled()


def test_pauses_may_stand_in_one_another() -> None:
    """The outermost one ends it."""
    gc.enable()
    with collector.paused():
        with collector.paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
