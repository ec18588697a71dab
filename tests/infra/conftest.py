"""Every environment, applied once a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from secure_openai.posture.architecture.page import ENVIRONMENTS
from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation import Simulation, simulate
from tests.infra.estate import INFRA, environment

Applied = Callable[[str], tuple[Simulation, Estate]]


@pytest.fixture(scope="session")
def applied() -> Applied:
    """Return a function that applies an environment, plans it again and keeps the result."""

    @cache
    def once(name: str) -> tuple[Simulation, Estate]:
        with simulate(INFRA, var_files=[environment(name)]) as done:
            done.destroy()
            return done, Estate.of(done.state)

    return once


@pytest.fixture(params=ENVIRONMENTS)
def estate(request: pytest.FixtureRequest, applied: Applied) -> Estate:
    """Return each environment's estate in turn."""
    return applied(request.param)[1]


@pytest.fixture
def private(applied: Applied) -> Estate:
    """Return the private environment's estate."""
    return applied("private")[1]
