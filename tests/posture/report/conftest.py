"""States of the environments, and their reports."""

from __future__ import annotations

from typing import Any

import pytest

from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.report.report import Report
from tests.infra.estate import INFRA, built
from tests.posture.report.reports import broken, report_of

State = dict[str, Any]


@pytest.fixture(scope="package")
def state() -> State:
    """Return the state of the private estate."""
    return built("private").state


@pytest.fixture(scope="package")
def private(state: State) -> Report:
    """Return the report of an estate of which everything is proven."""
    return report_of(state)


@pytest.fixture(scope="package")
def public() -> Report:
    """Return the report of an estate that is open to listed addresses."""
    return report_of(built("public").state)


@pytest.fixture(scope="package")
def vouched() -> Report:
    """Return the report of an estate that stands on assumptions."""
    path = INFRA / "environments" / "existing-network.assumptions.json"
    return report_of(built("existing-network").state, assumed=Assumptions.load(path))


@pytest.fixture(scope="package")
def faults(state: State) -> State:
    """Return a state with many faults and a doubt."""
    return broken(state)


@pytest.fixture(scope="package")
def faulty(faults: State) -> Report:
    """Return the report of an estate with many faults and a doubt."""
    return report_of(faults)


@pytest.fixture(params=["private", "public", "vouched", "faulty"])
def report(request: pytest.FixtureRequest) -> Report:
    """Return each report in turn."""
    found: Report = request.getfixturevalue(request.param)
    return found
