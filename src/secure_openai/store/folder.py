"""Blobs as files of a folder: the embedded default."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from secure_openai.errors import NotFound, PreconditionFailed, StorageFull, StoreError
from secure_openai.store.blobs import (
    LARGEST_BYTES,
    BlobEntry,
    checked_name,
    checked_prefix,
    checked_size,
    is_name,
)

PAGE = 500
"""How many entries are listed before other work gets its turn."""

ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


class FolderBlobs:
    """Implements `BlobStore` in a folder, which is made with the first blob.

    Files and folders are for their owner only, and are on the disk when `put` returns.
    """

    def __init__(self, folder: Path, *, largest: int = LARGEST_BYTES) -> None:
        self.folder = folder
        self._largest = largest

    async def put(self, name: str, content: bytes, *, replace: bool = False) -> None:
        """Keep bytes under a name."""
        path = self.folder / checked_name(name)
        checked_size(name, len(content), self._largest)
        try:
            await asyncio.to_thread(_make_folder, path.parent)
        except OSError as error:
            raise _failure(path, "written", error) from None
        try:
            await asyncio.to_thread(write_whole, path, content, replace=replace)
        except FileExistsError:
            raise PreconditionFailed(f"{name} exists already.") from None
        except OSError as error:
            raise _failure(path, "written", error) from None

    async def get(self, name: str) -> bytes:
        """Return the bytes of a name."""
        path = self.folder / checked_name(name)
        try:
            content = await asyncio.to_thread(_read, path, self._largest)
        except OSError as error:
            if error.errno in ABSENT:
                raise NotFound(f"There is no {name}.") from None
            raise _failure(path, "read", error) from None
        checked_size(name, len(content), self._largest)
        return content

    async def exists(self, name: str) -> bool:
        """Return whether something bears the name."""
        path = self.folder / checked_name(name)
        try:
            await asyncio.to_thread(path.lstat)
        except OSError as error:
            if error.errno in ABSENT:
                return False
            raise _failure(path, "read", error) from None
        return True

    async def list(self, prefix: str = "") -> AsyncIterator[BlobEntry]:
        """Yield what is kept, in the order of the names' characters."""
        entries = _entries(self.folder, checked_prefix(prefix))
        page: list[BlobEntry] | None = None
        while page is None or len(page) == PAGE:
            try:
                page = await asyncio.to_thread(_taken, entries)
            except OSError as error:
                raise _failure(self.folder, "read", error) from None
            for entry in page:
                yield entry

    async def delete(self, name: str) -> None:
        """Delete what bears the name."""
        path = self.folder / checked_name(name)
        try:
            await asyncio.to_thread(path.unlink)
        except OSError as error:
            if error.errno not in ABSENT:
                raise _failure(path, "deleted", error) from None


def _failure(path: Path, done: str, error: OSError) -> StoreError:
    if error.errno == errno.ENOSPC:
        return StorageFull(f"{path} cannot be {done}: {error.strerror}.")
    return StoreError(f"{path} cannot be {done}: {error.strerror}.")


def _make_folder(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.is_dir()]
    for one in reversed(missing):
        # Not mkdir(parents=True): that gives the mode to the last folder only.
        one.mkdir(mode=stat.S_IRWXU, exist_ok=True)


def _read(path: Path, largest: int) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        # One more than is kept: enough to tell, whatever lies there.
        return file.read(largest + 1)


def _taken(entries: Iterator[BlobEntry]) -> list[BlobEntry]:
    return [*islice(entries, PAGE)]


def _entries(folder: Path, prefix: str) -> Iterator[BlobEntry]:
    for name, entry in _walk(folder, prefix.rpartition("/")[0]):
        if name.startswith(prefix) and is_name(name):
            with suppress(FileNotFoundError):
                facts = entry.stat(follow_symlinks=False)
                modified = datetime.fromtimestamp(facts.st_mtime, tz=UTC)
                yield BlobEntry(name, facts.st_size, modified)


def _walk(folder: Path, within: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the files below `folder/within` with their names, in the names' order."""
    try:
        with os.scandir(folder / within) as found:
            # With its slash a folder sorts where its files do.
            entries = sorted(found, key=lambda one: one.name + "/" * one.is_dir())
    except OSError as error:
        if error.errno in ABSENT:
            return
        raise
    for entry in entries:
        name = f"{within}/{entry.name}" if within else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder, name)
        elif entry.is_file(follow_symlinks=False):
            yield name, entry


def write_whole(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Write a file whole or not at all, for its owner only, and onto the disk.

    Raises:
        FileExistsError: It exists, and was not to be replaced.
        OSError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if replace:
            temporary.replace(path)
        else:
            # A link, unlike a rename, refuses to replace what another process wrote first.
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
