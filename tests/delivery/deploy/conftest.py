"""What the command is tried on.

Terraform is the real one, its providers are the simulation's, and App Service is a server in
Azure's shapes.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from secure_openai.cli import deploy as command
from secure_openai.delivery.azure.rest import Rest
from secure_openai.outbound import Outbound
from secure_openai.posture.simulation.machine import borrowed
from tests.delivery.app_service import AppService
from tests.delivery.conftest import Tokens
from tests.delivery.deploy.road import SMALL, Road, lock, pack
from tests.servers import listening, port_of, served


@pytest.fixture
def providers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put Terraform on the PATH, with an empty simulated cloud behind its providers."""
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    script = Path(__file__).parents[1] / "terraform_program.py"
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with borrowed() as machine:
        # The command hands no such variable on: this program attaches them by itself.
        attached = "".join(
            f"export {name}={shlex.quote(value)}\n"
            for name, value in machine.servers.environment.items()
        )
        run = f'exec "{sys.executable}" "{script}" "$@"\n'
        program.write_text(f"#!/bin/sh\n{attached}{run}")
        program.chmod(0o755)
        yield


@pytest.fixture
async def road(
    tmp_path: Path, azure: AppService, providers: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Road]:
    """Return a small estate, two packages, and App Service behind our credential."""
    folder, dist, bound = tmp_path / "clone" / "infra", tmp_path / "dist", listening()
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(SMALL)
    lock(folder)
    url = f"http://127.0.0.1:{port_of(bound)}"
    made = Road(folder, dist, azure, f"{url}/packages")
    made.variables.write_text('prefix = "chat"\n')
    pack(dist, 1)

    @asynccontextmanager
    async def resource_manager() -> AsyncIterator[Rest]:
        rest = Rest(Tokens(), Outbound(), base_url=url, scope=f"{url}/.default", poll_seconds=0.01)
        try:
            yield rest
        finally:
            await rest.aclose()

    monkeypatch.setattr(command, "resource_manager", resource_manager)
    async with served(azure.app(), bound):
        yield made
