"""The issuer's signing keys: in one file that only its owner reads, the current one first."""

from __future__ import annotations

import json
import os
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any

from joserfc.jwk import RSAKey

from secure_openai.errors import StartError

FILE_NAME = "signing-keys.json"


class SigningKeys:
    """Reads the file again whenever it has changed, so that a rotation needs no restart."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._seen: tuple[int, int] | None = None
        self._keys: list[RSAKey] = []
        if not self._path.exists():
            write_keys(self._path, [new_key()])

    @property
    def current(self) -> RSAKey:
        """Return the key that signs."""
        return self._all()[0]

    def published(self) -> dict[str, Any]:
        """Return the public keys, as the JWKS endpoint shows them (RFC 7517, 5)."""
        return {
            "keys": [
                {**key.as_dict(private=False), "use": "sig", "kid": key.kid} for key in self._all()
            ]
        }

    def _all(self) -> list[RSAKey]:
        status = self._path.stat()
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._seen:
            self._keys = read_keys(self._path)
            self._seen = seen
        return self._keys


def rotate(folder: Path, *, drop_old: bool = False) -> str:
    """Make a new key the current one; return its `kid`.

    Args:
        folder: The issuer's data folder.
        drop_old: Whether earlier keys vanish at once; otherwise the last one stays published.

    Raises:
        StartError: There are no keys here.
    """
    path = folder / FILE_NAME
    if not path.exists():
        raise StartError(f"There are no signing keys in {folder}: start the system once.")
    key = new_key()
    write_keys(path, [key] if drop_old else [key, *read_keys(path)[:1]])
    return str(key.kid)


def new_key() -> RSAKey:
    """Return a key with its RFC 7638 thumbprint as `kid`."""
    return RSAKey.generate_key(2048, auto_kid=True)


def read_keys(path: Path) -> list[RSAKey]:
    """Return the keys of a file.

    Raises:
        StartError: It cannot be read.
    """
    try:
        return [_imported(json.dumps(item)) for item in json.loads(path.read_text())]
    except (OSError, ValueError) as error:
        raise StartError(f"The signing keys in {path} cannot be read.") from error


@lru_cache(maxsize=8)
def _imported(written: str) -> RSAKey:
    # Before a key signs first, it is checked for being one, which takes longer than to make it:
    # what stays in the file, and is read again with it, stays checked.
    return RSAKey.import_key(json.loads(written))


def write_keys(path: Path, keys: list[RSAKey]) -> None:
    """Write the file whole or not at all, for its owner only."""
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR
    )
    with os.fdopen(descriptor, "w") as file:
        json.dump([{**key.as_dict(private=True), "kid": key.kid} for key in keys], file)
    temporary.replace(path)
