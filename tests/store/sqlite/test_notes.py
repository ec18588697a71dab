"""Notes in SQLite."""

from __future__ import annotations

import pytest

from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.notes import SqliteNoteStore
from secure_openai.testing.notes_contract import NoteStoreContract


@pytest.fixture
def store(database: Database) -> SqliteNoteStore:
    """Return the store under test."""
    return SqliteNoteStore(database)


class TestSqliteNoteStore(NoteStoreContract):
    """The contract, on SQLite."""
