"""Sealing as it runs in Azure: Cosmos DB, an immutable container and a vault, all real clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from secure_openai.errors import StoreError
from secure_openai.jobs.seal import seal
from secure_openai.store.audit import SealNote
from secure_openai.store.azure.blobs import AzureBlobs
from secure_openai.store.azure.key_vault import KeyVaultSigner
from secure_openai.store.cosmos.audit import CosmosAuditStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.seals import Seals
from secure_openai.store.verification import Report, verify
from secure_openai.store.walk import Tampering
from secure_openai.testing.audit_contract import event
from secure_openai.testing.seals_contract import sealed
from secure_openai.types import utc_now
from tests.store.azure.conftest import Opened, Place
from tests.store.azure.vault import Vault


@pytest.fixture
async def audits(cosmos: CosmosDatabase) -> AsyncIterator[list[CosmosAuditStore]]:
    """Return the audits of three processes: two that people use, and the Function App."""
    opened = [await CosmosAuditStore.open(cosmos.container("audit")) for _ in range(3)]
    for audit in opened[:2]:
        for number in range(5):
            audit.append(event(number, at=utc_now()))
        await audit.flush()
    yield opened
    for audit in opened:
        await audit.aclose()


async def report(audit: CosmosAuditStore, seals: Seals, signer: KeyVaultSigner) -> Report:
    """Verify with the keys that the vault lists."""
    return await verify(audit, seals.all(await signer.public_keys()))


async def test_every_process_is_sealed(
    audits: list[CosmosAuditStore], blobs: AzureBlobs, key_vault_signer: KeyVaultSigner
) -> None:
    """A process that recorded nothing seals the chains of those that did."""
    made = await seal(audits[2], Seals(blobs), key_vault_signer)

    assert [head.sequence for head in made.heads or ()] == [5, 5]
    found = await report(audits[2], Seals(blobs), key_vault_signer)
    assert (found.chains, found.records, found.sealed, found.found) == (3, 10, 10, ())
    assert await seal(audits[0], Seals(blobs), key_vault_signer) == made


async def test_slots_at_once(audits: list[CosmosAuditStore], place: Place, opened: Opened) -> None:
    """Jobs that run at the same time, each with clients of its own, leave one seal behind."""
    places = [Seals(await place()) for _ in audits]
    made = await asyncio.gather(
        *(seal(audit, seals, opened()) for audit, seals in zip(audits, places, strict=True))
    )

    assert {one.digest for one in made} == {made[0].digest}
    assert [one.number for one in await sealed(Seals(await place()))] == [1]
    assert await audits[0].noted_seal() == SealNote(1, made[0].digest)


async def test_slots_at_once_while_records_come(
    audits: list[CosmosAuditStore], place: Place, opened: Opened
) -> None:
    """While records come and jobs run at the same time, no seal says less than one before it."""

    async def work(audit: CosmosAuditStore) -> None:
        seals, signer = Seals(await place()), opened()
        for number in range(4):
            audit.append(event(number, at=utc_now()))
            await seal(audit, seals, signer)

    await place()
    await asyncio.gather(*(work(audit) for audit in audits))
    found = await report(audits[0], Seals(await place()), opened())

    assert (found.records, found.sealed, found.found) == (22, 22, ())


@pytest.mark.parametrize("step", ["put", "note"])
async def test_killed(
    audits: list[CosmosAuditStore],
    place: Place,
    key_vault_signer: KeyVaultSigner,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    """Killed after the upload, before it knew, and run again elsewhere: the same end."""
    blobs = await place()
    real = blobs.put

    async def put(name: str, content: bytes, *, replace: bool = False) -> None:
        await real(name, content, replace=replace)
        if name.endswith(".jws"):
            raise asyncio.CancelledError

    async def note(note: SealNote) -> None:
        raise asyncio.CancelledError

    if step == "put":
        monkeypatch.setattr(blobs, "put", put)
    else:
        monkeypatch.setattr(audits[0], "note_seal", note)
    with pytest.raises(asyncio.CancelledError):
        await seal(audits[0], Seals(blobs), key_vault_signer)
    assert await audits[1].noted_seal() is None

    made = await seal(audits[1], Seals(await place()), key_vault_signer)
    assert await sealed(Seals(await place())) == [made]
    assert await audits[0].noted_seal() == SealNote(1, made.digest)


async def test_vault_away(
    audits: list[CosmosAuditStore],
    blobs: AzureBlobs,
    key_vault_signer: KeyVaultSigner,
    vault: Vault,
) -> None:
    """While the vault refuses there is no seal; when it does not, all of it is sealed."""
    vault.refuses = True
    with pytest.raises(StoreError, match="403"):
        await seal(audits[0], Seals(blobs), key_vault_signer)
    assert await sealed(Seals(blobs)) == []
    vault.refuses = False

    made = await seal(audits[0], Seals(blobs), key_vault_signer)
    assert [head.sequence for head in made.heads or ()] == [5, 5]


async def test_rotated_key(
    audits: list[CosmosAuditStore],
    blobs: AzureBlobs,
    key_vault_signer: KeyVaultSigner,
    vault: Vault,
) -> None:
    """After a rotation sealing goes on and all holds; what a disabled version signed does not."""
    await seal(audits[0], Seals(blobs), key_vault_signer)
    vault.rotate()
    audits[0].append(event(9, at=utc_now()))
    await seal(audits[0], Seals(blobs), key_vault_signer)
    found = await report(audits[0], Seals(blobs), key_vault_signer)
    assert (found.seals, found.sealed, found.found) == (2, 11, ())

    vault.versions[0].enabled = False
    found = await report(audits[0], Seals(blobs), key_vault_signer)
    assert [(one.kind, one.sequence) for one in found.found] == [(Tampering.BAD_SEAL, 1)]
