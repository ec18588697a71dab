"""The suite for a real estate, run where there is none, and where the emulators are one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from secure_openai.settings import PREFIX, child_environment
from tests.azure_cli import stand_in
from tests.hosted.application import application
from tests.hosted.estate import Estate
from tests.system import environment

pytestmark = pytest.mark.process

SLOT = {"SLOT": "staging"}
ROOT = Path(__file__).parents[2]


async def suite(settings: dict[str, str], *options: str) -> tuple[int, str]:
    """Run `tests/azure` with settings; return the exit code and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "tests/azure", "-p", "no:cacheprovider", *options),
        cwd=ROOT,
        env=child_environment(environment(**settings, COLUMNS="200")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(120):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_without_an_estate_it_says_so() -> None:
    """Every test is skipped, with what to do; nothing fails."""
    code, said = await suite({})

    assert code == 0
    assert "8 skipped" in said
    assert "no estate was named: apply infra/" in said


async def test_it_never_runs_on_production(estate: Estate) -> None:
    """It writes: where the settings are production's, nothing is asked."""
    settings = estate.settings() | SLOT | {"SECURE_OPENAI_COSMOS_DATABASE": "production"}
    code, said = await suite(settings)

    assert code == 1
    assert "These tests write: run them on the slot staging" in said
    assert estate.cosmos.calls == []


async def test_it_runs(estate: Estate, tmp_path: Path) -> None:
    """On the emulators it passes by Terraform's outputs, and prints what was charged.

    Azurite knows no immutability.
    """
    settings = estate.settings()
    ours = {name: settings.pop(name) for name in tuple(settings) if name.startswith(PREFIX)}
    stand_in(tmp_path, "terraform", json.dumps({"web": {"staging": ours}}))
    on_this_host = settings | SLOT | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    async with application(estate, tmp_path):
        code, said = await suite(on_this_host, "-k", "not beside_the_seals")

    assert code == 0, said
    assert "7 passed" in said
    assert "request units, as the account charged them" in said
    assert "a conversation, opened: " in said
