"""Bytes kept by name: seals, exports, attachments.

A name is a path of plain words and tells its type by its ending, so that a place of blobs needs
nothing beside the bytes, and nothing can be kept that a browser would run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from secure_openai.errors import RequestError, TooLarge
from secure_openai.types import PrincipalId

TYPES = {
    "bin": "application/octet-stream",
    "csv": "text/csv; charset=utf-8",
    "jpeg": "image/jpeg",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "jwk": "application/jwk+json",
    "jws": "application/jose",
    "pdf": "application/pdf",
    "png": "image/png",
    "txt": "text/plain; charset=utf-8",
    "webp": "image/webp",
    "zip": "application/zip",
}
"""The endings that names may have, and the content type that each means."""

LARGEST_BYTES = 64 * 1024 * 1024
"""How large a blob may be unless a place says otherwise."""

FOLDERS = 6
_FOLDER = "[A-Za-z0-9_-]{1,64}"
# A folder has no dot and a file has one: no name is both, which a file system could not keep.
_NAME = re.compile(
    f"(?:{_FOLDER}/){{0,{FOLDERS}}}"
    f"[A-Za-z0-9_-](?:[A-Za-z0-9_-]|\\.(?!\\.)){{0,126}}\\.(?:{'|'.join(TYPES)})"
)
_PREFIX = re.compile(f"(?:{_FOLDER}/){{0,{FOLDERS}}}[A-Za-z0-9_.-]{{0,128}}")


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """A blob in a list.

    Attributes:
        name: Its name.
        size: In bytes.
        modified: When it was written, aware UTC.
    """

    name: str
    size: int
    modified: datetime


class BlobStore(Protocol):
    """Keeps bytes by name; each is written whole or not at all."""

    async def put(self, name: str, content: bytes, *, replace: bool = False) -> None:
        """Keep bytes under a name.

        Args:
            name: Its ending says the type: see `TYPES`.
            content: The bytes.
            replace: Whether what bears the name already may be replaced. Of several that put the
                same name at once without it, exactly one succeeds.

        Raises:
            PreconditionFailed: The name is taken (RFC 9110, 13.1.2: If-None-Match: *).
            RequestError: The name is none.
            StoreError: It cannot be written.
            TooLarge: There are more bytes than the place takes.
        """
        ...

    async def get(self, name: str) -> bytes:
        """Return the bytes of a name.

        Raises:
            NotFound: Nothing bears the name.
            RequestError: The name is none.
            StoreError: It cannot be read.
            TooLarge: There are more bytes than the place takes: someone else wrote them.
        """
        ...

    async def exists(self, name: str) -> bool:
        """Return whether something bears the name.

        Raises:
            RequestError: The name is none.
            StoreError: It cannot be said.
        """
        ...

    def list(self, prefix: str = "") -> AsyncIterator[BlobEntry]:
        """Yield what is kept, names that begin with `prefix`, in the order of their characters.

        What others put there under what is no name is passed over.

        Raises:
            RequestError: No name begins so.
            StoreError: They cannot be read.
        """
        ...

    async def delete(self, name: str) -> None:
        """Delete what bears the name; nothing that does is no error.

        Raises:
            RequestError: The name is none.
            StoreError: It cannot be deleted.
        """
        ...


def folder_of(owner: PrincipalId) -> str:
    """Return what the names of a principal's own blobs begin with; it tells nobody who that is."""
    return f"{hashlib.sha256(owner.key.encode()).hexdigest()[:32]}/"


def content_type(name: str) -> str:
    """Return the content type that a name's ending means.

    Raises:
        RequestError: The name is none.
    """
    return TYPES[checked_name(name).rpartition(".")[2]]


def is_name(name: str) -> bool:
    """Return whether a blob can be called so."""
    return _NAME.fullmatch(name) is not None


def checked_name(name: str) -> str:
    """Return the name if it is one.

    Raises:
        RequestError: It is none.
    """
    if not is_name(name):
        raise RequestError(
            f"{name[:80]!a} cannot be the name of a blob: write letters, digits, - and _, folders "
            f"with /, and an ending out of {', '.join(TYPES)}."
        )
    return name


def checked_prefix(prefix: str) -> str:
    """Return the prefix if a name can begin with it.

    Raises:
        RequestError: None can.
    """
    if not _PREFIX.fullmatch(prefix) or ".." in prefix:
        raise RequestError(f"No name of a blob begins with {prefix[:80]!a}.")
    return prefix


def checked_size(name: str, size: int, largest: int) -> None:
    """Return if a blob may be so large.

    Raises:
        TooLarge: It may not.
    """
    if size > largest:
        raise TooLarge(f"{name} has more than the {largest} bytes that are kept here at most.")
