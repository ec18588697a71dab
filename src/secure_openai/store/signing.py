"""Who signs the audit's seals: a key that does not leave where it is kept.

A signature is a compact JWS (RFC 7515) with ES256, which Azure Key Vault makes, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from secure_openai.errors import StoreError
from secure_openai.store.folder import write_whole

ALGORITHM = "ES256"
CURVE = "P-256"
TYPE = "audit-seal"
"""`typ` of a seal (RFC 7515, 4.1.9): what the key signed for another purpose is none."""


class Signer(Protocol):
    """Signs seals, and says which keys may have signed those that exist."""

    async def sign(self, payload: bytes) -> str:
        """Return a compact JWS, its header naming the key in `kid`, its type `TYPE`.

        Raises:
            StoreError: The key cannot be used.
        """
        ...

    async def public_keys(self) -> Sequence[ECKey]:
        """Return every key that is trusted to have signed, the signing one too, with their `kid`.

        Raises:
            StoreError: They cannot be read.
        """
        ...


def by_kid(keys: Iterable[ECKey]) -> dict[str, ECKey]:
    """Return keys by the name that seals call them."""
    return {str(key.kid): key for key in keys}


def named(key: ECKey, kid: str) -> ECKey:
    """Return the public half of a key under a name."""
    return ECKey.import_key({**key.as_dict(private=False), "kid": kid})


class FileSigner:
    """A key in a file that only its owner reads: the embedded default.

    Its `kid` is its thumbprint (RFC 7638).
    """

    def __init__(self, key: ECKey) -> None:
        self._key = key

    @classmethod
    def open(cls, path: Path) -> FileSigner:
        """Read the key, or make one.

        Raises:
            StoreError: The file cannot be read, written, or is no P-256 private key.
        """
        try:
            path.parent.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
            if not path.exists():
                private = ec.generate_private_key(ec.SECP256R1())
                # Another process may be first: then its key is the key.
                with contextlib.suppress(FileExistsError):
                    write_whole(
                        path,
                        private.private_bytes(
                            serialization.Encoding.PEM,
                            serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption(),
                        ),
                    )
            shared = path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            key = ECKey.import_key(path.read_bytes())
        except (OSError, ValueError, JoseError):
            raise StoreError(f"The key of the seals, {path}, cannot be used.") from None
        if shared:
            raise StoreError(
                f"The key of the seals, {path}, is open to others: make it yours alone (chmod 600)."
            )
        if key.curve_name != CURVE or not key.is_private:
            raise StoreError(f"The key of the seals, {path}, is not a private key on {CURVE}.")
        return cls(key)

    @property
    def public_key(self) -> ECKey:
        """Return the key that verifies."""
        return named(self._key, self._key.thumbprint())

    async def sign(self, payload: bytes, *, kind: str = TYPE) -> str:
        """Return a compact JWS; `kind` is its type, where it is no seal."""
        return await asyncio.to_thread(self._sign, payload, kind)

    def _sign(self, payload: bytes, kind: str) -> str:
        header = {"alg": ALGORITHM, "kid": self._key.thumbprint(), "typ": kind}
        return jws.serialize_compact(header, payload, self._key, algorithms=[ALGORITHM])

    async def public_keys(self) -> list[ECKey]:
        """Return the one key."""
        return [self.public_key]
