"""Requests of principals in SQLite."""

from __future__ import annotations

import pytest

from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.requests import SqliteRequestStore
from secure_openai.testing.requests_contract import RequestStoreContract


@pytest.fixture
def store(database: Database) -> SqliteRequestStore:
    """Return the store under test."""
    return SqliteRequestStore(database)


class TestSqliteRequestStore(RequestStoreContract):
    """The contract, on SQLite."""
