"""A database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from secure_openai.store.sqlite.database import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the database of the test lies."""
    return tmp_path / "data" / "test.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    """Open a database of the test's own."""
    opened = await Database.open(path)
    yield opened
    await opened.aclose()
