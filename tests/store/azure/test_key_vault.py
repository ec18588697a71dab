"""Seals signed by a key of a vault: the real client against Key Vault's wire shapes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.errors import BadSignatureError

from secure_openai.errors import StoreError
from secure_openai.outbound import Outbound
from secure_openai.store.azure import key_vault
from secure_openai.store.azure.key_vault import KeyVaultSigner
from secure_openai.store.seals import Seals
from secure_openai.store.signing import by_kid
from secure_openai.testing.seals_contract import HEADS, made, sealed
from secure_openai.testing.signer_contract import SignerContract
from tests.store.azure.conftest import Opened
from tests.store.azure.estate import Identity
from tests.store.azure.tunnel import Tunnel
from tests.store.azure.vault import Vault


@pytest.fixture
async def signer(key_vault_signer: KeyVaultSigner) -> KeyVaultSigner:
    """Return the signer under test."""
    return key_vault_signer


class TestKeyVaultSigner(SignerContract):
    """The contract, with a vault."""


def sign(signer: KeyVaultSigner) -> Awaitable[object]:
    """Sign something."""
    return signer.sign(b"x")


def read_keys(signer: KeyVaultSigner) -> Awaitable[object]:
    """Read the keys."""
    return signer.public_keys()


OPERATIONS = [sign, read_keys]


@pytest.mark.parametrize(
    "url", ["", "https://kv.vault.azure.net", "keys/x", "https://kv/secrets/x", "http://kv/keys/x"]
)
def test_no_key(url: str) -> None:
    """An address that is not a key's is refused, with the address."""
    with pytest.raises(StoreError, match="is not the address of a key"):
        KeyVaultSigner(url, credential=Identity())


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_not_allowed(
    signer: KeyVaultSigner,
    vault: Vault,
    operation: Callable[[KeyVaultSigner], Awaitable[object]],
) -> None:
    """A vault that refuses us is an error with its answer, and nothing is signed."""
    vault.refuses = True

    with pytest.raises(StoreError, match="audit-seal-test cannot be used: Key Vault answers 403"):
        await operation(signer)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_away(
    opened: Opened,
    network: Tunnel,
    monkeypatch: pytest.MonkeyPatch,
    operation: Callable[[KeyVaultSigner], Awaitable[object]],
) -> None:
    """A vault that cannot be reached is an error."""
    monkeypatch.setattr(key_vault, "RETRIES", 0)
    network.away = True

    with pytest.raises(StoreError, match="cannot be reached"):
        await operation(opened())


async def test_slow(signer: KeyVaultSigner, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vault that never answers is an error after a while."""
    monkeypatch.setattr(key_vault, "CALL_SECONDS", 0.0)

    with pytest.raises(StoreError, match="cannot be reached"):
        await signer.sign(b"x")


async def test_another_services_challenge(signer: KeyVaultSigner, vault: Vault) -> None:
    """A server that asks for a token of another service gets none."""
    vault.challenge = "https://vault.evil.example"

    with pytest.raises(StoreError, match="cannot be reached"):
        await signer.sign(b"x")
    assert vault.asked == []


async def test_certificate_of_nobody(
    opened: Opened, network: Tunnel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server whose certificate nobody vouches for gets no token."""
    monkeypatch.setattr(key_vault, "RETRIES", 0)
    identity = Identity()

    with pytest.raises(StoreError, match="cannot be reached"):
        await opened(outbound=Outbound(proxy=network.url), credential=identity).sign(b"x")
    assert identity.asked == []


async def test_token(opened: Opened) -> None:
    """The token is one for key vaults, asked of the credential and of nothing else."""
    identity = Identity()
    await opened(credential=identity).sign(b"x")

    assert set(identity.asked) == {"https://vault.azure.net/.default"}


async def test_throttled(signer: KeyVaultSigner, vault: Vault) -> None:
    """A vault that asks to wait is asked again."""
    vault.throttled = 2

    assert await signer.sign(b"x")


async def test_forged(signer: KeyVaultSigner, vault: Vault) -> None:
    """A signature that does not hold is not handed out."""
    vault.forges = True

    with pytest.raises(StoreError, match="does not hold"):
        await signer.sign(b"x")


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_another_curve(
    signer: KeyVaultSigner,
    vault: Vault,
    operation: Callable[[KeyVaultSigner], Awaitable[object]],
) -> None:
    """A key on another curve is refused."""
    vault.rotate(ec.SECP384R1())

    with pytest.raises(StoreError, match="is not a key on P-256"):
        await operation(signer)


async def test_missing(opened: Opened, vault: Vault) -> None:
    """A key that does not exist is an error."""
    vault.versions.clear()

    with pytest.raises(StoreError, match="Key Vault answers 404"):
        await opened().sign(b"x")


async def test_the_private_half_stays(signer: KeyVaultSigner, vault: Vault) -> None:
    """The vault signs, and is asked for nothing but the public half and a signature."""
    await signer.sign(b"x")

    version = vault.versions[0].version
    path = f"/keys/{vault.name}"
    assert {request for request in vault.asked if request[0] != "GET"} == {
        ("POST", f"{path}/{version}/sign")
    }
    assert {found.rstrip("/") for method, found in vault.asked if method == "GET"} <= {
        path,
        f"{path}/{version}",
    }


async def test_rotation(tmp_path: Path, signer: KeyVaultSigner, vault: Vault) -> None:
    """After a rotation the new version signs, and what earlier ones signed still holds."""
    seals = Seals.in_folder(tmp_path)
    for _ in range(5):
        await made(seals, HEADS, signer)
        vault.rotate()

    keys = await signer.public_keys()
    assert [key.kid for key in keys] == [f"{vault.url}/{one.version}" for one in vault.versions]
    found = await sealed(seals, keys)
    assert [seal.problem for seal in found] == 5 * [None]
    kids = [jws.extract_compact(seal.token.encode()).headers()["kid"] for seal in found]
    assert kids == [f"{vault.url}/{one.version}" for one in vault.versions[:5]]
    # And with what lies beside the seals alone.
    assert [seal.problem for seal in await sealed(seals)] == 5 * [None]


async def test_disabled_version(tmp_path: Path, signer: KeyVaultSigner, vault: Vault) -> None:
    """A version that was disabled is trusted no longer, in what it signed before either."""
    seals = Seals.in_folder(tmp_path)
    await made(seals, HEADS, signer)
    vault.rotate()
    await made(seals, HEADS, signer)
    assert len(await signer.public_keys()) == 2
    vault.versions[0].enabled = False

    found = await sealed(seals, await signer.public_keys())
    assert [seal.problem for seal in found] == ["is signed by a key that is not trusted", None]


async def test_pinned_version(opened: Opened, vault: Vault) -> None:
    """An address with a version signs with that one, whatever is current; all are trusted."""
    first = vault.versions[0].version
    vault.rotate()
    signer = opened(f"{vault.url}/{first}")

    header = jws.extract_compact((await signer.sign(b"x")).encode()).headers()
    assert header["kid"] == f"{vault.url}/{first}"
    assert len(await signer.public_keys()) == 2


async def test_one_version_does_not_verify_for_another(
    signer: KeyVaultSigner, vault: Vault
) -> None:
    """Each version verifies what it signed and nothing else."""
    token = await signer.sign(b"x")
    vault.rotate()
    keys = by_kid(await signer.public_keys())

    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(token, keys[f"{vault.url}/{vault.versions[1].version}"])
