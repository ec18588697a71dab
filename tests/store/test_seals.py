"""Seals in a folder."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OctKey

from secure_openai.errors import StoreError
from secure_openai.store.audit import ChainHead
from secure_openai.store.folder import FolderBlobs
from secure_openai.store.seals import Seals
from secure_openai.testing.seals_contract import HEADS, NOW, SealsContract, made, new_signer, sealed


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    """Return an empty place of seals."""
    return FolderBlobs(tmp_path / "seals")


class TestSealsInFolder(SealsContract):
    """The contract, in a folder."""


def modes(folder: Path) -> dict[str, int]:
    """Return the modes of the files of a folder by their endings."""
    return {file.suffix: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def test_modes(tmp_path: Path) -> None:
    """Seals and keys are for their owner only, and nothing else is left in the folder."""
    await made(Seals.in_folder(tmp_path), HEADS, new_signer())

    assert modes(tmp_path) == {".jws": 0o600, ".jwk": 0o600}


async def test_unreadable_seal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seal that cannot be read is an error that names it."""
    seals = Seals.in_folder(tmp_path)
    await made(seals, HEADS, new_signer())

    def fails(path: Path, flags: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "open", fails)
    with pytest.raises(StoreError, match=r"00000001\.jws cannot be read"):
        await sealed(seals, [])


async def test_seal_that_vanishes(tmp_path: Path) -> None:
    """A seal that is removed while the seals are read is an error, not a gap."""
    seals, signer = Seals.in_folder(tmp_path), new_signer()
    await made(seals, HEADS, signer)
    await made(seals, HEADS, signer)

    with pytest.raises(StoreError, match="Seal 2 vanished"):
        async for _ in seals.all():
            (tmp_path / "00000002.jws").unlink(missing_ok=True)


async def test_too_large(tmp_path: Path) -> None:
    """More chains than a seal holds are refused; a seal grown too large is a bad one."""
    seals, signer = Seals(FolderBlobs(tmp_path, largest=2000)), new_signer()
    many = [ChainHead(f"chain {number}", number, "a" * 64) for number in range(1, 100)]
    with pytest.raises(StoreError, match="99 chains at once"):
        await made(seals, many, signer)
    await made(seals, HEADS, signer)
    (tmp_path / "00000001.jws").write_bytes(b"x" * 2001)

    assert [seal.heads for seal in await sealed(seals)] == [None]


async def test_secret_key_beside_the_seals(tmp_path: Path) -> None:
    """A symmetric key where a public one belongs is refused."""
    (tmp_path / "x.jwk").write_text(json.dumps(OctKey.generate_key().as_dict(private=True)))

    with pytest.raises(StoreError, match=r"x\.jwk"):
        await Seals.in_folder(tmp_path).keys()


async def test_signer_that_names_another_key(tmp_path: Path) -> None:
    """A seal whose key nobody could verify with is not kept."""

    class Confused:
        """Signs with one key and shows another."""

        async def sign(self, payload: bytes) -> str:
            """Sign."""
            return await new_signer().sign(payload)

        async def public_keys(self) -> list[ECKey]:
            """Return another key."""
            return [new_signer().public_key]

    with pytest.raises(StoreError, match="not one that verifies it"):
        await Seals.in_folder(tmp_path).put(
            await Seals.in_folder(tmp_path).place([]), HEADS, Confused(), now=NOW
        )
    assert modes(tmp_path) == {}
