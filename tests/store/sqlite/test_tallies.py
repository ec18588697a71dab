"""Tallies in SQLite."""

from __future__ import annotations

import pytest

from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.tallies import SqliteTallyStore
from secure_openai.testing.tallies_contract import TallyStoreContract


@pytest.fixture
def store(database: Database) -> SqliteTallyStore:
    """Return the store under test."""
    return SqliteTallyStore(database)


class TestSqliteTallyStore(TallyStoreContract):
    """The contract, on SQLite."""
