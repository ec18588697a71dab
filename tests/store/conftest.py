"""A database for each test, and readable assertions in the contract suites."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    "secure_openai.testing.audit_contract",
    "secure_openai.testing.blobs_contract",
    "secure_openai.testing.conversations_contract",
    "secure_openai.testing.seals_contract",
    "secure_openai.testing.sessions_contract",
    "secure_openai.testing.signer_contract",
    "secure_openai.testing.usage_contract",
)

from secure_openai.store.sqlite.database import Database  # noqa: E402 - after the registration


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
