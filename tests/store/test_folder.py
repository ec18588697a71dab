"""Blobs in a folder."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from secure_openai.errors import NotFound, StorageFull, StoreError
from secure_openai.store import folder as folder_blobs
from secure_openai.store.folder import FolderBlobs
from secure_openai.testing.blobs_contract import BlobStoreContract, names


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    """Return a place of blobs in a folder that does not exist yet."""
    return FolderBlobs(tmp_path / "data" / "blobs")


@pytest.fixture
def small(tmp_path: Path) -> FolderBlobs:
    """Return the same place with a bound of ten bytes."""
    return FolderBlobs(tmp_path / "data" / "blobs", largest=10)


class TestFolderBlobs(BlobStoreContract):
    """The contract, in a folder."""


async def test_modes(blobs: FolderBlobs) -> None:
    """Files and folders are for their owner only, and nothing else is left."""
    await blobs.put("a/b.json", b"x")

    found = {path: stat.S_IMODE(path.stat().st_mode) for path in blobs.folder.rglob("*")}
    assert found == {blobs.folder / "a": 0o700, blobs.folder / "a" / "b.json": 0o600}
    assert stat.S_IMODE(blobs.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(blobs.folder.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("replace", [False, True])
async def test_full_disk(
    blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    """On a full disk nothing is written, and nothing is left behind."""
    await blobs.put("a.json", b"1")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="No space left on device"):
        await blobs.put("b.json", b"2", replace=replace)
    assert [path.name for path in blobs.folder.iterdir()] == ["a.json"]


async def test_a_file_in_the_way(blobs: FolderBlobs) -> None:
    """A place that is a file can neither take nor give."""
    blobs.folder.parent.mkdir()
    blobs.folder.touch()

    with pytest.raises(StoreError, match="cannot be written"):
        await blobs.put("a.json", b"x")
    with pytest.raises(NotFound):
        await blobs.get("a.json")


async def test_what_cannot_be_read(blobs: FolderBlobs) -> None:
    """A folder where a file belongs is an error that names it, for reading and deleting."""
    (blobs.folder / "a.json").mkdir(parents=True)

    with pytest.raises(StoreError, match=r"a\.json cannot be read"):
        await blobs.get("a.json")
    with pytest.raises(StoreError, match=r"a\.json cannot be deleted"):
        await blobs.delete("a.json")


async def test_links_are_not_followed(blobs: FolderBlobs, tmp_path: Path) -> None:
    """A link that someone put there does not lead out of the folder."""
    secret = tmp_path / "secret.json"
    secret.write_bytes(b"secret")
    blobs.folder.mkdir(parents=True)
    (blobs.folder / "a.json").symlink_to(secret)

    with pytest.raises(StoreError, match="cannot be read"):
        await blobs.get("a.json")
    assert await names(blobs) == []


async def test_others_files_are_passed_over(blobs: FolderBlobs) -> None:
    """What is no name is not listed; what fills several pages is, whole."""
    kept = [f"{number:03}.json" for number in range(folder_blobs.PAGE + 1)]
    for name in kept:
        await blobs.put(name, b"")
    (blobs.folder / "run.sh").touch()
    (blobs.folder / ".hidden.json").touch()

    assert await names(blobs) == kept


async def test_a_folder_that_cannot_be_listed(
    blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails is an error, not an empty list."""

    def fails(path: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "scandir", fails)
    with pytest.raises(StoreError, match="cannot be read"):
        await names(blobs)
    monkeypatch.undo()

    monkeypatch.setattr(Path, "lstat", fails)
    with pytest.raises(StoreError, match="cannot be read"):
        await blobs.exists("a.json")
