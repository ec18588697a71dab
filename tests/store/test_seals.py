"""Seals and the key that signs them."""

from __future__ import annotations

import errno
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from secure_openai.errors import StoreError
from secure_openai.store.audit import ChainHead
from secure_openai.store.seals import FileSigner, SealFolder

NOW = datetime(2030, 1, 2, tzinfo=UTC)
HEAD = ChainHead("chain", 3, "a" * 64)


@pytest.fixture
def signer(tmp_path: Path) -> FileSigner:
    """Return a signer with a key of its own."""
    return FileSigner.open(tmp_path / "keys" / "seal.pem")


@pytest.fixture
def folder(tmp_path: Path) -> SealFolder:
    """Return an empty folder of seals."""
    return SealFolder(tmp_path / "seals")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ECKey.generate_key("P-384").as_pem(private=True),
        ECKey.generate_key("P-256").as_pem(private=False),
    ],
    ids=["empty", "text", "broken", "other curve", "public"],
)
def test_bad_key(tmp_path: Path, content: bytes) -> None:
    """A file that is no private P-256 key is refused with its name, and left as it is."""
    path = tmp_path / "seal.pem"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(StoreError, match="The key of the seals") as raised:
        FileSigner.open(path)
    assert str(path) in raised.value.detail
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_open_key(tmp_path: Path, mode: int) -> None:
    """A key that others can read is refused, with what to do."""
    path = tmp_path / "seal.pem"
    FileSigner.open(path)
    path.chmod(mode)

    with pytest.raises(StoreError, match="chmod 600"):
        FileSigner.open(path)


def test_key_is_kept(tmp_path: Path) -> None:
    """The key is made once, for its owner only, and is the same afterwards."""
    path = tmp_path / "keys" / "seal.pem"
    first = FileSigner.open(path).public_key

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert FileSigner.open(path).public_key.thumbprint() == first.thumbprint()
    assert [file.name for file in path.parent.iterdir()] == ["seal.pem"]
    assert not first.is_private
    assert first.kid == first.thumbprint()


def test_another_process_makes_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When another process makes the key meanwhile, its key is the key."""
    path = tmp_path / "seal.pem"
    generate = ec.generate_private_key
    theirs: list[str] = []

    def late(curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
        monkeypatch.setattr(ec, "generate_private_key", generate)
        theirs.append(FileSigner.open(path).public_key.thumbprint())
        return generate(curve)

    monkeypatch.setattr(ec, "generate_private_key", late)
    assert [FileSigner.open(path).public_key.thumbprint()] == theirs


def test_seal_is_a_jws(folder: SealFolder, signer: FileSigner) -> None:
    """A seal is a compact JWS with ES256 over the head, the time and the seal before."""
    first = folder.add(HEAD, signer, now=NOW)
    second = folder.add(HEAD, signer, now=NOW)

    token = (folder.folder / "00000002.jws").read_text()
    [exported] = folder.folder.glob("*.jwk")
    key = ECKey.import_key(json.loads(exported.read_text()))
    verified = jws.deserialize_compact(token, key, algorithms=["ES256"])
    assert verified.headers() == {"alg": "ES256", "typ": "audit-seal", "kid": exported.stem}
    assert json.loads(verified.payload) == {
        "chain": "chain",
        "sequence": 3,
        "hash": "a" * 64,
        "sealed_at": "2030-01-02T00:00:00+00:00",
        "previous": first.digest,
        "number": 2,
    }
    assert list(folder.seals()) == [first, second]
    assert "d" not in json.loads(exported.read_text())


def test_modes(folder: SealFolder, signer: FileSigner) -> None:
    """Seals and keys are for their owner only, and nothing else is left in the folder."""
    folder.add(HEAD, signer, now=NOW)

    modes = {file.suffix: stat.S_IMODE(file.stat().st_mode) for file in folder.folder.iterdir()}
    assert modes == {".jws": 0o600, ".jwk": 0o600}


def test_no_seal_is_written_over(
    folder: SealFolder, signer: FileSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seal that another process wrote meanwhile is not replaced."""
    first = folder.add(HEAD, signer, now=NOW)
    monkeypatch.setattr(folder, "_numbers", list)

    with pytest.raises(StoreError, match="File exists"):
        folder.add(ChainHead("chain", 9, "b" * 64), signer, now=NOW)
    monkeypatch.undo()
    assert list(folder.seals()) == [first]


def test_full_disk(folder: SealFolder, signer: FileSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seal that cannot be written is an error and leaves nothing behind."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        folder.add(HEAD, signer, now=NOW)
    assert list(folder.folder.iterdir()) == []


def test_unreadable_seal(folder: SealFolder, signer: FileSigner) -> None:
    """A seal that cannot be read is an error that names it."""
    (folder.folder / "00000001.jws").mkdir(parents=True)

    with pytest.raises(StoreError, match=r"00000001\.jws cannot be read"):
        list(folder.seals())


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"kty": "EC"}', "\x00", json.dumps(OctKey.generate_key().as_dict(private=True))],
)
def test_unreadable_public_key(folder: SealFolder, content: str) -> None:
    """A file that is no public key is an error that names the folder."""
    folder.folder.mkdir()
    (folder.folder / "x.jwk").write_text(content)

    with pytest.raises(StoreError, match="A public key in"):
        folder.keys()


def test_empty_folder(folder: SealFolder) -> None:
    """A folder that does not exist holds no seals."""
    assert list(folder.seals()) == []
