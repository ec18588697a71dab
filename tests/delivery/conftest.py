"""The private estate as it would stand, simulated once."""

from __future__ import annotations

from typing import Any

import pytest

from secure_openai.posture.simulation import Workspace
from tests.infra.estate import INFRA, environment


@pytest.fixture(scope="session")
def private_state() -> dict[str, Any]:
    """Return its state, in which every name is known."""
    with Workspace(INFRA, var_files=[environment("private")]) as workspace:
        return dict(workspace.apply())
