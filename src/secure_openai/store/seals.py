"""Seals: signed statements of how long every audit chain was, kept outside the audit's database.

A seal is a compact JWS over its number, the time, the digest of the seal before, and the head of
every chain that may have grown since. Whoever rewrites the database cannot rewrite the seals
without the key, and cannot remove one in the middle without breaking the seals' own chain.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from secure_openai.errors import NotFound, PreconditionFailed, StoreError, TooLarge
from secure_openai.store.audit import ChainHead
from secure_openai.store.blobs import BlobStore
from secure_openai.store.folder import FolderBlobs
from secure_openai.store.signing import ALGORITHM, TYPE, Signer, by_kid
from secure_openai.types import JsonObject

FIRST = ""
"""What the first seal names as the digest before it."""

LARGEST_BYTES = 16 * 1024 * 1024
"""How large a seal may be: some hundred thousand chains."""

BAD_ENDS = 20
"""How many seals that do not hold are looked behind for the last that does."""

UNREADABLE_KEY = (
    *(ValueError, TypeError, KeyError, AttributeError, RecursionError),
    *(JoseError, NotFound, TooLarge),
)
"""What reading a file ends with that is no public key."""

_NAME = re.compile(r"(\d{8,15})\.jws")


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as read.

    Attributes:
        number: 1, 2, 3 … without a gap.
        token: The compact JWS.
        heads: What it seals, by chain; `None` if it does not hold.
        sealed_at: When it was begun, aware UTC: a chain that had a record then is sealed.
        previous: Digest of the seal before.
        problem: Why `heads` is `None`.
    """

    number: int
    token: str
    heads: tuple[ChainHead, ...] | None
    sealed_at: datetime | None = None
    previous: str | None = None
    problem: str | None = None

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the token, hexadecimal."""
        return _digest(self.token)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next seal belongs.

    Attributes:
        number: Its number.
        previous: Digest of the seal before.
        last: The last seal that holds, if any does.
    """

    number: int
    previous: str
    last: Seal | None


class Seals:
    """Seals and the keys that verify them, in a place of blobs where nothing is written over.

    `00000001.jws` is the first seal; `THUMBPRINT.jwk` a public key (RFC 7517).
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    @classmethod
    def in_folder(cls, folder: Path) -> Seals:
        """Return the seals of a folder: the embedded default."""
        return cls(FolderBlobs(folder, largest=LARGEST_BYTES))

    async def place(self, trusted: Iterable[ECKey]) -> Place:
        """Return where the next seal belongs; read the chains' heads after this, not before.

        In this order a seal never says less than the one before it, whoever else seals meanwhile.

        Raises:
            StoreError: The seals cannot be read.
        """
        numbers = await self._numbers()
        keys = by_kid(trusted)
        last = None
        for number in reversed(numbers[-BAD_ENDS:]):
            seal = read_seal(number, await self._token(number), keys)
            if seal.heads is not None:
                last = seal
                break
        # Behind the last that holds: what others put further on cannot use up the numbers.
        following = (last.number if last else max(numbers, default=0)) + 1
        taken = set(numbers)
        while following in taken:
            following += 1
        before = max((number for number in numbers if number < following), default=0)
        previous = _digest(await self._token(before)) if before else FIRST
        return Place(following, previous, last)

    async def put(
        self, place: Place, heads: Sequence[ChainHead], signer: Signer, *, now: datetime
    ) -> Seal | None:
        """Seal the chains; `None` if another process has taken the place.

        Raises:
            StoreError: The seal cannot be signed or written.
        """
        heads = tuple(sorted(heads, key=lambda head: head.chain))
        payload: JsonObject = {
            "number": place.number,
            "previous": place.previous,
            "sealed_at": now.astimezone(UTC).isoformat(),
            "heads": [
                {"chain": head.chain, "sequence": head.sequence, "hash": head.hash}
                for head in heads
            ],
        }
        token = await signer.sign(json.dumps(payload, separators=(",", ":")).encode())
        await self._publish(token, signer)
        try:
            await self._blobs.put(seal_name(place.number), token.encode())
        except PreconditionFailed:
            # The answer to our own first try may have been lost: no other signature is the same.
            if await self._token(place.number) != token:
                return None
        except TooLarge:
            raise StoreError(f"{len(heads)} chains at once are more than a seal holds.") from None
        return Seal(place.number, token, heads, now, place.previous)

    async def _publish(self, token: str, signer: Signer) -> None:
        """Put the key that signed beside the seals, for whoever has nothing else."""
        kid = jws.extract_compact(token.encode()).headers()["kid"]
        key = by_kid(await signer.public_keys()).get(kid)
        if key is None:
            raise StoreError("The key that signed the seal is not one that verifies it.")
        name = f"{key.thumbprint()}.jwk"
        if not await self._blobs.exists(name):
            try:
                await self._blobs.put(name, json.dumps(key.as_dict(private=False)).encode())
            except PreconditionFailed:
                return

    async def all(self, keys: Iterable[ECKey] | None = None) -> AsyncIterator[Seal]:
        """Yield every seal in order, verified.

        Args:
            keys: The keys to trust. Without them, those that lie beside the seals, which shows
                changes by mistake and by whoever cannot write here, no more.

        Raises:
            StoreError: One cannot be read.
        """
        trusted = by_kid(await self.keys() if keys is None else keys)
        for number in await self._numbers():
            yield read_seal(number, await self._token(number), trusted)

    async def keys(self) -> list[ECKey]:
        """Return the public keys beside the seals.

        Raises:
            StoreError: One cannot be read or is no public key.
        """
        found = []
        async for entry in self._blobs.list():
            if not entry.name.endswith(".jwk") or "/" in entry.name:
                continue
            try:
                key = ECKey.import_key(json.loads(await self._blobs.get(entry.name)))
            except UNREADABLE_KEY:
                raise StoreError(
                    f"The public key {entry.name} beside the seals cannot be read."
                ) from None
            found.append(key)
        return found

    async def _numbers(self) -> list[int]:
        numbers = []
        async for entry in self._blobs.list():
            found = _NAME.fullmatch(entry.name)
            if found and entry.name == seal_name(int(found[1])):
                numbers.append(int(found[1]))
        return sorted(numbers)

    async def _token(self, number: int) -> str:
        try:
            # What is no ASCII is no token; replaced, it stays one bad seal among good ones.
            return (await self._blobs.get(seal_name(number))).decode("ascii", errors="replace")
        except NotFound:
            raise StoreError(f"Seal {number} vanished while it was read.") from None
        except TooLarge:
            return ""


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def seal_name(number: int) -> str:
    """Return the name under which a seal is kept."""
    return f"{number:08d}.jws"


def read_seal(number: int, token: str, trusted: dict[str, ECKey]) -> Seal:
    """Return a seal, verified against the trusted keys; what is wrong stands in `problem`."""
    try:
        unverified = jws.extract_compact(token.encode())
        key = trusted.get(str(unverified.headers().get("kid")))
        if key is None:
            return _bad(number, token, "is signed by a key that is not trusted")
        verified = jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
        if verified.headers().get("typ") != TYPE:
            return _bad(number, token, "is signed as something else than a seal")
        payload = json.loads(verified.payload)
        if payload["number"] != number:
            return _bad(number, token, f"says that it is seal {payload['number']}")
        # A seal of one chain wrote its head where others write the list of theirs.
        heads = tuple(_head(entry) for entry in payload.get("heads", [payload]))
        chains = {head.chain for head in heads}
        if len(chains) < len(heads):
            return _bad(number, token, "seals a chain twice")
        sealed_at = datetime.fromisoformat(payload["sealed_at"]).astimezone(UTC)
        return Seal(number, token, heads, sealed_at, payload["previous"])
    except (JoseError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _bad(number, token, "has a signature that does not hold")


def _head(entry: JsonObject) -> ChainHead:
    return ChainHead(str(entry["chain"]), int(entry["sequence"]), str(entry["hash"]))


def _bad(number: int, token: str, problem: str) -> Seal:
    return Seal(number, token, None, problem=problem)
