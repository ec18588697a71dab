"""What every `BlobStore` promises; subclass it and provide the fixtures `blobs` and `small`.

`small` keeps no more than ten bytes of a blob, in the place of `blobs`.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from secure_openai.errors import NotFound, PreconditionFailed, RequestError, TooLarge
from secure_openai.store.blobs import BlobStore

NO_NAMES = (
    "",
    "/",
    "a",
    "a.exe",
    "a.html",
    "a.json/",
    "/a.json",
    "../a.json",
    "a/../b.json",
    "a/./b.json",
    "a//b.json",
    ".json",
    ".a.json",
    "a..json",
    "a.b/c.json",
    "a\\b.json",
    "a\0.json",
    "a b.json",
    "a%2e%2e.json",
    "a?.json",
    "a#.json",
    "ä.json",
    "a\n.json",
    "a.json\n",
    "x" * 128 + ".json",
    "x" * 65 + "/a.json",
    "a/" * 7 + "b.json",
)
"""What nothing can be called."""


async def names(blobs: BlobStore, prefix: str = "") -> list[str]:
    """Return the names of what is kept."""
    return [entry.name async for entry in blobs.list(prefix)]


class BlobStoreContract:
    """The promises of `BlobStore`."""

    @pytest.mark.parametrize("name", NO_NAMES)
    async def test_no_name(self, blobs: BlobStore, name: str) -> None:
        """What leads out of the place, or tells no type, is no name for any operation."""
        for operation in (blobs.put(name, b""), blobs.get(name), blobs.exists(name)):
            with pytest.raises(RequestError, match="cannot be the name of a blob"):
                await operation
        with pytest.raises(RequestError, match="cannot be the name of a blob"):
            await blobs.delete(name)

        assert await names(blobs) == []

    @pytest.mark.parametrize("prefix", ["../", "/", "a//", "a..", "a?"])
    async def test_no_prefix(self, blobs: BlobStore, prefix: str) -> None:
        """What no name begins with is no prefix."""
        with pytest.raises(RequestError, match="No name of a blob begins with"):
            await names(blobs, prefix)

    async def test_missing(self, blobs: BlobStore) -> None:
        """What is not there is not found, does not exist and is deleted without a word."""
        with pytest.raises(NotFound):
            await blobs.get("a/b.json")
        assert not await blobs.exists("a/b.json")
        await blobs.delete("a/b.json")

    async def test_taken(self, blobs: BlobStore) -> None:
        """A name that is taken is not written over, unless that is what was asked for."""
        await blobs.put("a.json", b"1")
        with pytest.raises(PreconditionFailed):
            await blobs.put("a.json", b"2")
        assert await blobs.get("a.json") == b"1"

        await blobs.put("a.json", b"3", replace=True)
        await blobs.put("b.json", b"4", replace=True)
        assert [await blobs.get("a.json"), await blobs.get("b.json")] == [b"3", b"4"]

    async def test_one_wins(self, blobs: BlobStore) -> None:
        """Of several that put one name at once exactly one succeeds, and its bytes are there."""
        outcomes = await asyncio.gather(
            *(blobs.put("a.bin", bytes([number])) for number in range(8)), return_exceptions=True
        )

        winners = [number for number, outcome in enumerate(outcomes) if outcome is None]
        losers = [outcome for outcome in outcomes if outcome is not None]
        assert all(isinstance(outcome, PreconditionFailed) for outcome in losers)
        assert [bytes([number]) for number in winners] == [await blobs.get("a.bin")]

    async def test_sizes(self, blobs: BlobStore, small: BlobStore) -> None:
        """More than a place keeps is refused before it is written, and when others wrote it."""
        with pytest.raises(TooLarge):
            await small.put("a.bin", b"x" * 11)
        assert not await blobs.exists("a.bin")

        await small.put("b.bin", b"x" * 10)
        assert await small.get("b.bin") == b"x" * 10
        await blobs.put("c.bin", b"x" * 11)
        with pytest.raises(TooLarge):
            await small.get("c.bin")

    @pytest.mark.parametrize("content", [b"", b"\0\xff", b"x" * 300_000])
    async def test_bytes(self, blobs: BlobStore, content: bytes) -> None:
        """Bytes come back as they were, none and many."""
        await blobs.put("tenant/anna/2030-01-02_export.zip", content)

        assert await blobs.get("tenant/anna/2030-01-02_export.zip") == content
        assert await blobs.exists("tenant/anna/2030-01-02_export.zip")

    async def test_list(self, blobs: BlobStore) -> None:
        """Lists are in the order of the names' characters, with sizes and times."""
        kept = ["a-b.json", "a.json", "a/b.json", "a/b/c.json", "a/c.json", "a0.json", "b.json"]
        before = datetime.now(UTC) - timedelta(minutes=1)
        for name in reversed(kept):
            await blobs.put(name, name.encode())

        entries = [entry async for entry in blobs.list()]
        assert [entry.name for entry in entries] == kept
        assert [entry.size for entry in entries] == [len(name) for name in kept]
        assert all(before < entry.modified for entry in entries)
        assert await names(blobs, "a/") == ["a/b.json", "a/b/c.json", "a/c.json"]
        assert await names(blobs, "a/b") == ["a/b.json", "a/b/c.json"]
        assert await names(blobs, "z") == await names(blobs, "z/z") == []

    async def test_delete(self, blobs: BlobStore) -> None:
        """What was deleted is gone, and its name is free."""
        await blobs.put("a.json", b"1")
        await blobs.delete("a.json")

        assert await names(blobs) == []
        await blobs.put("a.json", b"2")
        assert await blobs.get("a.json") == b"2"
