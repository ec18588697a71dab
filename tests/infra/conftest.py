"""Every environment, applied once a session; both cores work at it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import pytest

from secure_openai.posture.architecture.page import ENVIRONMENTS
from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation import Simulation, simulate
from tests.infra.estate import INFRA, environment

Applied = Callable[[str], tuple[Simulation, Estate]]


def _once(name: str) -> tuple[Simulation, Estate]:
    with simulate(INFRA, var_files=[environment(name)]) as done:
        done.workspace.validate()
        done.destroy()
        return done, Estate.of(done.state)


@pytest.fixture(scope="session")
def applied() -> Iterator[Applied]:
    """Return a function that validates, applies, plans again and destroys an environment, once."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        @cache
        def begun() -> dict[str, Future[tuple[Simulation, Estate]]]:
            return {name: pool.submit(_once, name) for name in ENVIRONMENTS}

        yield lambda name: begun()[name].result()


@pytest.fixture(params=ENVIRONMENTS)
def estate(request: pytest.FixtureRequest, applied: Applied) -> Estate:
    """Return each environment's estate in turn."""
    return applied(request.param)[1]


@pytest.fixture
def private(applied: Applied) -> Estate:
    """Return the private environment's estate."""
    return applied("private")[1]
