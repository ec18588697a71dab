"""What `Seals` promise in every place of blobs; subclass it and provide the fixture `blobs`."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from secure_openai.errors import StoreError
from secure_openai.store.audit import ChainHead
from secure_openai.store.blobs import BlobStore
from secure_openai.store.seals import BAD_ENDS, Seal, Seals, seal_name
from secure_openai.store.signing import FileSigner, Signer

NOW = datetime(2030, 1, 2, tzinfo=UTC)
HEADS = [ChainHead("b", 3, "b" * 64), ChainHead("a", 7, "a" * 64)]


DEEP = b"[" * 100_000
"""JSON that no parser goes to the end of."""


def new_signer() -> FileSigner:
    """Return a signer with a key of its own."""
    return FileSigner(ECKey.generate_key("P-256"))


async def made(
    seals: Seals, heads: Sequence[ChainHead], signer: Signer, *, now: datetime = NOW
) -> Seal:
    """Make a seal where nobody else does."""
    place = await seals.place(await signer.public_keys())
    seal = await seals.put(place, heads, signer, now=now)
    assert seal is not None
    return seal


async def sealed(seals: Seals, keys: Sequence[ECKey] | None = None) -> list[Seal]:
    """Return every seal."""
    return [seal async for seal in seals.all(keys)]


class Repeating:
    """Gives the signature that a seal has already, as a repeated request carries it."""

    def __init__(self, signer: Signer, seal: Seal) -> None:
        self._signer = signer
        self._seal = seal

    async def sign(self, payload: bytes) -> str:  # noqa: ARG002 - it was signed before
        """Return the token."""
        return self._seal.token

    async def public_keys(self) -> Sequence[ECKey]:
        """Return the keys."""
        return await self._signer.public_keys()


class SealsContract:
    """The promises of `Seals`."""

    async def test_not_written_over(self, blobs: BlobStore) -> None:
        """Who comes second to a place is told so, and the seal that is there stays."""
        seals, signer = Seals(blobs), new_signer()
        place = await seals.place([])
        first = await seals.put(place, HEADS, signer, now=NOW)

        assert await seals.put(place, [], signer, now=NOW) is None
        assert await sealed(seals) == [first]

    async def test_lost_answer(self, blobs: BlobStore) -> None:
        """A seal that was written although the answer was lost is the one that was made."""
        seals, signer = Seals(blobs), new_signer()
        place = await seals.place([])
        first = await seals.put(place, HEADS, signer, now=NOW)
        assert first is not None

        assert await seals.put(place, HEADS, Repeating(signer, first), now=NOW) == first

    async def test_at_once(self, blobs: BlobStore) -> None:
        """Of many that seal at once exactly one wins each number, and all follow each other."""
        signers = [new_signer() for _ in range(4)]
        keys = [signer.public_key for signer in signers]

        async def keep_sealing(signer: Signer) -> None:
            seals = Seals(blobs)
            for _ in range(5):
                place = await seals.place(keys)
                while await seals.put(place, HEADS, signer, now=NOW) is None:
                    place = await seals.place(keys)

        await asyncio.gather(*(keep_sealing(signer) for signer in signers))

        found = await sealed(Seals(blobs), keys)
        assert [seal.number for seal in found] == list(range(1, 21))
        assert [seal.previous for seal in found] == ["", *(seal.digest for seal in found[:-1])]
        assert all(seal.problem is None for seal in found)

    async def test_a_seal_is_a_jws(self, blobs: BlobStore) -> None:
        """A seal is a compact JWS with ES256 over the heads, the time and the seal before."""
        seals, signer = Seals(blobs), new_signer()
        first = await made(seals, HEADS, signer)
        second = await made(seals, HEADS, signer, now=NOW + timedelta(hours=1))

        token = (await blobs.get("00000002.jws")).decode()
        names = [entry.name async for entry in blobs.list()]
        [exported] = [name for name in names if name.endswith(".jwk")]
        document = json.loads(await blobs.get(exported))
        verified = jws.deserialize_compact(token, ECKey.import_key(document), algorithms=["ES256"])
        kid = exported.removesuffix(".jwk")
        assert verified.headers() == {"alg": "ES256", "typ": "audit-seal", "kid": kid}
        assert json.loads(verified.payload) == {
            "number": 2,
            "previous": first.digest,
            "sealed_at": "2030-01-02T01:00:00+00:00",
            "heads": [
                {"chain": "a", "sequence": 7, "hash": "a" * 64},
                {"chain": "b", "sequence": 3, "hash": "b" * 64},
            ],
        }
        assert await sealed(seals) == [first, second]
        assert "d" not in document

    async def test_trust(self, blobs: BlobStore) -> None:
        """With keys to trust, one that lies beside the seals counts for nothing."""
        seals, ours, theirs = Seals(blobs), new_signer(), new_signer()
        first = await made(seals, HEADS, ours)
        second = await made(seals, HEADS, theirs)

        assert await sealed(seals) == [first, second]
        [held, foreign] = await sealed(seals, [ours.public_key])
        assert (held, foreign.heads) == (first, None)
        assert foreign.problem == "is signed by a key that is not trusted"
        place = await seals.place([ours.public_key])
        assert (place.number, place.previous, place.last) == (2 + 1, second.digest, first)

    async def test_empty(self, blobs: BlobStore) -> None:
        """Where nothing was sealed, there is no seal and no key, and the first place is free."""
        seals = Seals(blobs)

        assert (await sealed(seals), await seals.keys()) == ([], [])
        place = await seals.place([])
        assert (place.number, place.previous, place.last) == (1, "", None)

    async def test_numbers_are_not_used_up(self, blobs: BlobStore) -> None:
        """What someone puts further on or at the end stops nobody from sealing."""
        seals, signer = Seals(blobs), new_signer()
        first = await made(seals, HEADS, signer)
        for number in (2, 99_999_999, 999_999_999_999_999):
            await blobs.put(seal_name(number), b"no seal")
        third = await made(seals, HEADS, signer)
        fourth = await made(seals, HEADS, signer)

        assert (third.number, fourth.number, fourth.previous) == (3, 4, third.digest)
        found = await sealed(seals, [signer.public_key])
        assert [seal.number for seal in found if seal.heads is not None] == [1, 3, 4]
        assert found[0] == first

    async def test_many_bad_ends(self, blobs: BlobStore) -> None:
        """Behind many that do not hold the next seal goes on where there is room."""
        seals, signer = Seals(blobs), new_signer()
        await made(seals, HEADS, signer)
        for number in range(2, BAD_ENDS + 2):
            await blobs.put(seal_name(number), b"no seal")
        place = await seals.place([signer.public_key])

        assert (place.number, place.last) == (BAD_ENDS + 2, None)

    async def test_others_are_passed_over(self, blobs: BlobStore) -> None:
        """What is no seal's name is no seal."""
        for name in ("1.jws", "0000000a.jws", "a/00000001.jws", "000000001.jws", "00000001.txt"):
            await blobs.put(name, b"x")

        assert await sealed(Seals(blobs)) == []

    @pytest.mark.parametrize("document", [b"[]", b"{}", b'{"kid": []}', DEEP, b"\xff", b"1"])
    async def test_garbage(self, blobs: BlobStore, document: bytes) -> None:
        """Whatever lies where a seal belongs is a bad seal, and stops no one from sealing."""
        seals, signer = Seals(blobs), new_signer()
        part = base64.urlsafe_b64encode(document).rstrip(b"=")
        await blobs.put(seal_name(1), b".".join([part, part, part]))
        made_now = await made(seals, HEADS, signer)

        found = await sealed(seals, [signer.public_key])
        assert [seal.number for seal in found if seal.heads is None] == [1]
        assert found[1] == made_now

    @pytest.mark.parametrize("content", [b"", b"[]", b'{"kty": "EC"}', b"\x00", DEEP, b"1"])
    async def test_unreadable_public_key(self, blobs: BlobStore, content: bytes) -> None:
        """What is no public key where one belongs is an error that names it."""
        await blobs.put("x.jwk", content)

        with pytest.raises(StoreError, match=r"x\.jwk"):
            await Seals(blobs).keys()
