"""Notes that something was done, so that whoever does it again, or at the same time, does not."""

from __future__ import annotations

from typing import Protocol


class NoteStore(Protocol):
    """Keeps notes by name, for 400 days at least. Each method raises `StoreError` if it cannot."""

    async def note(self, name: str) -> bool:
        """Note a name; return whether it was not noted yet. Of several at once one is told so."""
        ...

    async def forget(self, name: str) -> None:
        """Drop a note; one that is none is no error."""
        ...
