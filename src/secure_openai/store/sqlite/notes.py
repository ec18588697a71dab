"""Notes in SQLite."""

from __future__ import annotations

from secure_openai.store.sqlite.database import Database


class SqliteNoteStore:
    """Implements `NoteStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, name: str) -> bool:
        """Note a name; return whether it was not noted yet."""
        return await self._database.write(
            lambda connection: (
                connection.execute(
                    "INSERT INTO note VALUES (?) ON CONFLICT DO NOTHING", (name,)
                ).rowcount
                > 0
            )
        )

    async def forget(self, name: str) -> None:
        """Drop a note."""
        await self._database.write(
            lambda connection: (
                connection.execute("DELETE FROM note WHERE name = ?", (name,)).rowcount
            )
        )
