"""What principals keep beside their conversations, in SQLite."""

from __future__ import annotations

import pytest

from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.holds import SqliteHoldStore
from secure_openai.store.sqlite.personal import SqlitePersonalStore
from secure_openai.testing.personal_contract import PersonalStoreContract


@pytest.fixture
def store(database: Database) -> SqlitePersonalStore:
    """Return the store under test."""
    return SqlitePersonalStore(database)


@pytest.fixture
def conversations(database: Database) -> SqliteConversationStore:
    """Return the conversations of the same database."""
    return SqliteConversationStore(database)


@pytest.fixture
def holds(database: Database) -> SqliteHoldStore:
    """Return the holds of the same database."""
    return SqliteHoldStore(database)


class TestSqlitePersonalStore(PersonalStoreContract):
    """The contract, on SQLite."""
