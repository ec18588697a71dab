"""Steps of a workflow, run in a folder as GitHub runs them in a clone."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.infra.estate import INFRA, ROOT
from tests.system import environment

WORKFLOWS = ROOT / ".github" / "workflows"
DELIVER = WORKFLOWS / "deliver.yml"


def jobs(path: Path) -> dict[str, Any]:
    """Return a workflow's jobs by name."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return found


def step(path: Path, job: str, name: str) -> dict[str, Any]:
    """Return one step of a workflow by what it is called."""
    (found,) = [one for one in jobs(path)[job]["steps"] if one["name"] == name]
    return dict(found)


def clone(folder: Path) -> Path:
    """Make a folder look like the clone in which our own commands are installed."""
    command = folder / ".venv" / "bin" / "secure-openai"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m secure_openai.cli "$@"\n')
    command.chmod(0o755)
    (folder / "infra").symlink_to(INFRA)
    return folder


@dataclass(frozen=True)
class Ran:
    """How a step ended, and what it said."""

    code: int
    said: str


async def run(text: str, folder: Path, **values: str) -> Ran:
    """Run what a step runs, with the shell and the options that GitHub gives it.

    Source: GitHub Docs, "Workflow syntax", `jobs.<job_id>.steps[*].shell`, unspecified.
    """
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-c", text),
        cwd=folder,
        env=environment(COLUMNS="200", NO_COLOR="1", PYTHONPATH=str(ROOT / "src")) | values,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, said.decode())
