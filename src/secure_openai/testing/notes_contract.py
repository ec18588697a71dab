"""What every `NoteStore` promises; subclass it and provide the fixture `store`."""

from __future__ import annotations

import asyncio

from secure_openai.store.notes import NoteStore


class NoteStoreContract:
    """The promises of `NoteStore`."""

    async def test_noted_once(self, store: NoteStore) -> None:
        """Of many who note one name at once, exactly one is told that it is new."""
        told = await asyncio.gather(*(store.note("a/b ?#\n") for _ in range(20)))

        assert sum(told) == 1
        assert not await store.note("a/b ?#\n")
        assert await store.note("another")

    async def test_forgotten(self, store: NoteStore) -> None:
        """What was forgotten is new again; forgetting what is none is no error."""
        await store.note("x")
        await store.forget("x")
        await store.forget("x")

        assert await store.note("x")
