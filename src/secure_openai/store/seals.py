"""Seals: signed statements of how long the audit chain was, kept outside its database.

A seal is a compact JWS (RFC 7515) with ES256, which Azure Key Vault signs too, over the chain's
head, the time, and the digest of the seal before. Whoever rewrites the database cannot rewrite the
seals without the key, and cannot remove one in the middle without breaking their own chain.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from secure_openai.errors import StoreError
from secure_openai.store.audit import ChainHead

ALGORITHM = "ES256"
CURVE = "P-256"
TYPE = "audit-seal"
FIRST = ""
"""What the first seal names as the digest before it."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as read.

    Attributes:
        number: 1, 2, 3 … without a gap.
        token: The compact JWS.
        head: What it seals; `None` if the signature does not hold or the payload is not a seal's.
        sealed_at: When, aware UTC.
        previous: Digest of the seal before.
        problem: Why `head` is `None`.
    """

    number: int
    token: str
    head: ChainHead | None
    sealed_at: datetime | None = None
    previous: str | None = None
    problem: str | None = None

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the token, hexadecimal."""
        return hashlib.sha256(self.token.encode()).hexdigest()


class Signer(Protocol):
    """Signs seals with a key that does not leave where it is kept."""

    @property
    def public_key(self) -> ECKey:
        """Return the key that verifies, its `kid` being its RFC 7638 thumbprint."""
        ...

    def sign(self, payload: bytes) -> str:
        """Return a compact JWS."""
        ...


class FileSigner:
    """A key in a file that only its owner reads: the embedded default."""

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
                    _write_once(
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
        public = dict(self._key.as_dict(private=False))
        public["kid"] = self._key.thumbprint()
        return ECKey.import_key(public)

    def sign(self, payload: bytes) -> str:
        """Return a compact JWS."""
        header = {"alg": ALGORITHM, "kid": self._key.thumbprint(), "typ": TYPE}
        return jws.serialize_compact(header, payload, self._key, algorithms=[ALGORITHM])


class SealStore(Protocol):
    """Keeps seals where whoever can change the audit cannot change them."""

    def add(self, head: ChainHead, signer: Signer, *, now: datetime) -> Seal:
        """Seal the chain as it stands.

        Raises:
            StoreError: The seal cannot be written.
        """
        ...

    def seals(self, keys: Iterable[ECKey] | None = None) -> Iterator[Seal]:
        """Yield every seal in order, verified with `keys`, or with those kept beside the seals.

        Raises:
            StoreError: They cannot be read.
        """
        ...


class SealFolder:
    """Seals as files of a folder, written once each, beside the keys that verify them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, head: ChainHead, signer: Signer, *, now: datetime) -> Seal:
        """Seal the chain as it stands.

        Raises:
            StoreError: The seal cannot be written.
        """
        try:
            self.folder.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
            last = max(self._numbers(), default=0)
            previous = FIRST
            if last:
                previous = hashlib.sha256(self._token(last).encode()).hexdigest()
            payload = {
                "chain": head.chain,
                "sequence": head.sequence,
                "hash": head.hash,
                "sealed_at": now.astimezone(UTC).isoformat(),
                "previous": previous,
                "number": last + 1,
            }
            key = signer.public_key
            public = self.folder / f"{key.thumbprint()}.jwk"
            if not public.exists():
                _write_once(public, json.dumps(key.as_dict(private=False)).encode())
            token = signer.sign(json.dumps(payload, sort_keys=True).encode())
            _write_once(self._path(last + 1), token.encode())
        except OSError as error:
            raise StoreError(f"The seal cannot be written: {error.strerror}.") from None
        return Seal(last + 1, token, head, now, previous)

    def seals(self, keys: Iterable[ECKey] | None = None) -> Iterator[Seal]:
        """Yield every seal in order, verified.

        Args:
            keys: The keys to trust. Without them, those that lie beside the seals, which shows
                changes by mistake and by whoever cannot write here, no more.

        Raises:
            StoreError: A file cannot be read.
        """
        trusted = {key.thumbprint(): key for key in (keys if keys is not None else self.keys())}
        for number in sorted(self._numbers()):
            yield read_seal(number, self._token(number), trusted)

    def keys(self) -> list[ECKey]:
        """Return the public keys beside the seals.

        Raises:
            StoreError: A file cannot be read or is no public key.
        """
        try:
            return [
                ECKey.import_key(json.loads(path.read_bytes()))
                for path in sorted(self.folder.glob("*.jwk"))
            ]
        except (OSError, ValueError, TypeError, KeyError, JoseError):
            raise StoreError(f"A public key in {self.folder} cannot be read.") from None

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self.folder.glob("*.jws") if path.stem.isdigit()]

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.jws"

    def _token(self, number: int) -> str:
        path = self._path(number)
        try:
            # What is no ASCII is no token; replaced, it stays one bad seal among good ones.
            return path.read_bytes().decode("ascii", errors="replace")
        except OSError as error:
            raise StoreError(f"The seal {path} cannot be read: {error.strerror}.") from None


def read_seal(number: int, token: str, trusted: dict[str, ECKey]) -> Seal:
    """Return a seal, verified against the trusted keys; what is wrong stands in `problem`."""
    try:
        unverified = jws.extract_compact(token.encode())
        key = trusted.get(str(unverified.headers().get("kid")))
        if key is None:
            return Seal(number, token, None, problem="is signed by a key that is not trusted")
        verified = jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
        if verified.headers().get("typ") != TYPE:
            return Seal(number, token, None, problem="is signed as something else than a seal")
        payload = json.loads(verified.payload)
        if payload["number"] != number:
            return Seal(number, token, None, problem=f"says that it is seal {payload['number']}")
        return Seal(
            number,
            token,
            ChainHead(payload["chain"], payload["sequence"], payload["hash"]),
            datetime.fromisoformat(payload["sealed_at"]),
            payload["previous"],
        )
    except (JoseError, ValueError, KeyError, TypeError):
        return Seal(number, token, None, problem="has a signature that does not hold")


def _write_once(path: Path, content: bytes) -> None:
    """Write a file that did not exist, whole or not at all, for its owner only."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        # A link, unlike a rename, refuses to replace what another process wrote first.
        os.link(temporary, path)
    finally:
        temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
