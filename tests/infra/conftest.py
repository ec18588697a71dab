"""Every environment, applied once a session; both cores work at it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from secure_openai.posture.architecture.page import ENVIRONMENTS
from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation import Simulation
from tests.infra.estate import ended

Applied = Callable[[str], tuple[Simulation, Estate]]


@pytest.fixture(scope="session")
def applied() -> Applied:
    """Return a function that applies, plans again and destroys an environment, once."""

    @cache
    def looked_at(name: str) -> tuple[Simulation, Estate]:
        for one in ENVIRONMENTS:
            ended(one)
        done = ended(name).result()
        return done, Estate.of(done.state)

    return looked_at


@pytest.fixture(params=ENVIRONMENTS)
def estate(request: pytest.FixtureRequest, applied: Applied) -> Estate:
    """Return each environment's estate in turn."""
    return applied(request.param)[1]


@pytest.fixture
def private(applied: Applied) -> Estate:
    """Return the private environment's estate."""
    return applied("private")[1]
