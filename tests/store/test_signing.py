"""The key of the seals in a file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from secure_openai.errors import StoreError
from secure_openai.store.signing import FileSigner
from secure_openai.testing.signer_contract import SignerContract


@pytest.fixture
def signer(tmp_path: Path) -> FileSigner:
    """Return a signer with a key of its own."""
    return FileSigner.open(tmp_path / "keys" / "seal.pem")


class TestFileSigner(SignerContract):
    """The contract, with a file."""


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
