"""The gateway that clients are pointed at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import pytest

from tests.world import World, running_world


@pytest.fixture
async def gateway(tmp_path: Path, identity_folder: Path) -> AsyncIterator[World]:
    """A gateway whose policy lets a person ask as often as the programs do."""
    default = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
    policy = tmp_path / "policy.toml"
    policy.write_text(
        default.replace("requests_per_minute = 30", "requests_per_minute = 3000")
        .replace("requests_per_day = 3_000", "requests_per_day = 1_000_000")
        .replace("tokens_per_minute = 60_000", "tokens_per_minute = 900_000")
    )
    async with running_world(tmp_path, identity_folder, policy=policy) as world:
        yield world
