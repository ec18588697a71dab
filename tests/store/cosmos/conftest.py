"""A database of Cosmos DB for each test, on one emulator for all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from secure_openai.store.cosmos.database import CosmosDatabase
from tests.cosmosdb.bridge import Bridge, bridged
from tests.cosmosdb.estate import FixedCredential, make_certificate, make_database, server_context
from tests.cosmosdb.server import running_server


@pytest.fixture(scope="session")
def cosmos_server() -> Iterator[str]:
    """Run the emulator; return its address, which speaks no TLS."""
    with running_server() as address:
        yield address


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file that the bridge proves itself with."""
    return make_certificate(tmp_path_factory.mktemp("cosmosdb"))


@pytest.fixture
async def bridge(cosmos_server: str, certificate: Path) -> AsyncIterator[Bridge]:
    """Serve the emulator as Azure would be served."""
    async with bridged(cosmos_server, server_context(certificate)) as running:
        yield running


@pytest.fixture
async def database_name(bridge: Bridge) -> str:
    """Return the name of a database of the test's own, its containers made from the table."""
    name = await make_database(bridge.url)
    bridge.calls.clear()
    return name


@pytest.fixture
async def cosmos(bridge: Bridge, database_name: str) -> AsyncIterator[CosmosDatabase]:
    """Open the database of the test."""
    opened = CosmosDatabase(bridge.url, database_name, credential=FixedCredential())
    yield opened
    await opened.aclose()
