"""A real estate, by its settings: from the environment, or from `terraform output`.

    make test-azure                    # the slot `staging` of infra/, as who is signed in with az
    make test-azure SLOT=production    # refused: the suite writes

Without an estate every test here is skipped, and says so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.core.pipeline.transport import AioHttpTransport

from secure_openai.credential import Credential
from secure_openai.credential_source import credential_for
from secure_openai.outbound import Outbound
from secure_openai.settings import Settings
from secure_openai.stores import Stores, open_stores
from secure_openai.types import PrincipalId

INFRA = Path(__file__).parents[2] / "infra"
NONE = (
    "no estate was named: apply infra/, or set SECURE_OPENAI_COSMOS_URL and its neighbours, and "
    "run `make test-azure`"
)
ONLY_ON_A_HOST = (
    "AZURE_CLIENT_ID",
    "SECURE_OPENAI_LISTEN_HOST",
    "SECURE_OPENAI_LISTEN_PORT",
    "SECURE_OPENAI_POLICY",
)

measured: dict[str, list[float]] = {}
"""Request units of what was done, as the account charged them."""


def settings_of_terraform(slot: str) -> dict[str, str]:
    """Return the web application's settings of a slot, as the estate's outputs say."""
    terraform = shutil.which("terraform") or shutil.which("tofu")
    if terraform is None:
        return {}
    asked = subprocess.run(
        [terraform, f"-chdir={INFRA}", "output", "-json", "settings"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if asked.returncode != 0:
        return {}
    found: dict[str, str] = json.loads(asked.stdout)["web"][slot]
    return {name: value for name, value in found.items() if name not in ONLY_ON_A_HOST}


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Return the estate's settings; skipped without an estate, refused for production."""
    environment = dict(os.environ)
    slot = environment.get("SLOT")
    if slot and not environment.get("SECURE_OPENAI_COSMOS_URL"):
        environment |= settings_of_terraform(slot)
    if not slot or not environment.get("SECURE_OPENAI_COSMOS_URL"):
        # Whoever runs all tests beside an estate means those that touch nothing of it.
        pytest.skip(NONE)
    loaded = Settings.load(environment)
    if loaded.cosmos_database == "production":
        pytest.fail("These tests write: run them on the slot staging (make test-azure SLOT=…).")
    return loaded


@pytest.fixture
async def credential(settings: Settings) -> AsyncIterator[Credential]:
    """Return our credential: the developer's sign-in, or the identity of this host."""
    opened = credential_for(settings, Outbound.of(settings))
    assert opened is not None
    yield opened
    await opened.close()


@pytest.fixture
async def stores(settings: Settings, credential: Credential) -> AsyncIterator[Stores]:
    """Open what the slot keeps."""
    async with open_stores(
        settings, outbound=Outbound.of(settings), credential=credential
    ) as opened:
        yield opened


@pytest.fixture
def somebody() -> PrincipalId:
    """Return a principal whom nobody has seen."""
    return PrincipalId("live-suite", str(uuid4()))


@contextmanager
def charged(what: str) -> Iterator[None]:
    """Add up what Cosmos DB charges inside the block."""
    units: list[float] = []
    send = AioHttpTransport.send

    async def counting(self: AioHttpTransport, request: Any, **options: Any) -> Any:
        response = await send(self, request, **options)
        units.append(float(response.headers.get("x-ms-request-charge", 0)))
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AioHttpTransport, "send", counting)
        yield
    measured.setdefault(what, []).append(sum(units))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the request units that were measured, for docs/store.md."""
    if measured:
        terminalreporter.section("request units, as the account charged them")
        for what, units in measured.items():
            terminalreporter.line(f"{what}: {sum(units) / len(units):.1f}")
