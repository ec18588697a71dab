"""The stores that jobs work on, for each test in SQLite and in Cosmos DB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cosmosdb.bridge import Bridge
from tests.jobs.kept import Kept, opened_cosmos, opened_sqlite
from tests.store.cosmos.conftest import (  # noqa: F401 - fixtures
    bridge,
    certificate,
    cosmos_server,
    database_name,
)


@pytest.fixture
async def in_sqlite(tmp_path: Path) -> AsyncIterator[Kept]:
    """Return the stores in SQLite."""
    async with opened_sqlite(tmp_path / "data" / "test.db") as kept:
        yield kept


@pytest.fixture
async def in_cosmos(bridge: Bridge, database_name: str) -> AsyncIterator[Kept]:  # noqa: F811 - a fixture
    """Return the stores in Cosmos DB."""
    async with opened_cosmos(bridge.url, database_name) as kept:
        yield kept


@pytest.fixture(params=["in_sqlite", "in_cosmos"])
def kept(request: pytest.FixtureRequest) -> Kept:
    """Return the stores."""
    found: Kept = request.getfixturevalue(request.param)
    return found
