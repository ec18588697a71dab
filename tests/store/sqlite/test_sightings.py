"""Sightings in SQLite."""

from __future__ import annotations

import pytest

from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.sightings import SqliteSightingStore
from secure_openai.testing.sightings_contract import SightingStoreContract


@pytest.fixture
def store(database: Database) -> SqliteSightingStore:
    """Return the store under test."""
    return SqliteSightingStore(database)


class TestSqliteSightingStore(SightingStoreContract):
    """The contract, on SQLite."""
