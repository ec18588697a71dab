"""Legal holds in SQLite."""

from __future__ import annotations

import pytest

from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.holds import SqliteHoldStore
from secure_openai.testing.holds_contract import HoldStoreContract


@pytest.fixture
def store(database: Database) -> SqliteHoldStore:
    """Return the store under test."""
    return SqliteHoldStore(database)


@pytest.fixture
def conversations(database: Database) -> SqliteConversationStore:
    """Return the conversations of the same database."""
    return SqliteConversationStore(database)


class TestSqliteHoldStore(HoldStoreContract):
    """The contract, on SQLite."""
