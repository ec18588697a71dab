"""Which audit the command line looks at: an estate's in Azure, or that of a data folder.

In Azure it is the person who reads, by the sign-in of az or azd and with their own roles; nothing
is written, unless a seal is asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from secure_openai.credential_source import credential_for
from secure_openai.environment import given_values
from secure_openai.errors import StartError
from secure_openai.jobs.seal import seal
from secure_openai.local.folder import Folder
from secure_openai.outbound import Outbound
from secure_openai.store.audit import AuditEvent, AuditRecord, ChainHead
from secure_openai.store.seals import LARGEST_BYTES, Seal, Seals
from secure_openai.store.signing import FileSigner
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.verification import verify_database
from secure_openai.store.verification import Report, verify
from secure_openai.store_settings import FEATURES, StoreSettings
from secure_openai.types import utc_now

if TYPE_CHECKING:
    from secure_openai.store.azure.key_vault import KeyVaultSigner
    from secure_openai.store.cosmos.audit_reader import CosmosAuditReader
    from secure_openai.store.cosmos.container import Container


class KeptAudit(Protocol):
    """An audit, wherever it is kept."""

    @property
    def where(self) -> str:
        """Return where it is kept, for people."""
        ...

    async def verify(self) -> Report:
        """Compare it with itself and with its seals.

        Raises:
            StoreError: It cannot be read.
        """
        ...

    async def seal(self) -> Seal:
        """Sign the heads of its chains.

        Raises:
            StoreError: It cannot be read, or the seal cannot be made.
        """
        ...

    async def last(self, count: int) -> list[AuditRecord]:
        """Return its last records, the last one last.

        Raises:
            StoreError: It cannot be read.
        """
        ...

    async def append(self, event: AuditEvent) -> None:
        """Record an event; return when it is written.

        Raises:
            StoreError: It cannot be.
        """
        ...


def audit_at_hand(data: Path) -> KeptAudit:
    """Return the audit of the estate that the environment names, or that of a data folder.

    Raises:
        SettingsError: The environment names an estate and not all of it.
        StartError: There is no audit in the folder.
    """
    given = given_values()
    # One of them is enough to mean an estate: what else it needs is said.
    if any(given.get(name, "").strip() for name in FEATURES):
        return EstateAudit(StoreSettings.load())
    folder = Folder(data)
    folder.require_ours()
    if not folder.database.exists():
        raise StartError(f"There is no audit in {folder.path} yet.")
    return FolderAudit(folder)


@dataclass(frozen=True)
class FolderAudit:
    """Implements `KeptAudit` for a data folder.

    Attributes:
        folder: The folder.
    """

    folder: Folder

    @property
    def where(self) -> str:
        """Return the folder."""
        return str(self.folder.path)

    async def verify(self) -> Report:
        """Compare the audit with itself and with its seals."""
        key = self.folder.seal_key
        # With our own key at hand no other one is trusted, whatever lies beside the seals.
        keys = [FileSigner.open(key).public_key] if key.exists() else None
        seals = Seals.in_folder(self.folder.seals).all(keys)
        return await verify_database(self.folder.database, seals)

    async def seal(self) -> Seal:
        """Sign the head of the chain."""
        async with self._opened() as audit:
            signer = FileSigner.open(self.folder.seal_key)
            return await seal(audit, Seals.in_folder(self.folder.seals), signer)

    async def last(self, count: int) -> list[AuditRecord]:
        """Return the last records."""
        async with self._opened() as audit:
            return await _last(audit, await audit.heads(), count)

    async def append(self, event: AuditEvent) -> None:
        """Record an event in the folder's chain, which the application writes too."""
        async with self._opened() as audit:
            audit.append(event)
            await audit.flush()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[SqliteAuditStore]:
        database = await Database.open(self.folder.database)
        try:
            audit = await SqliteAuditStore.open(database)
            try:
                yield audit
            finally:
                await audit.aclose()
        finally:
            await database.aclose()


@dataclass(frozen=True)
class EstateAudit:
    """Implements `KeptAudit` for a slot in Azure.

    Attributes:
        settings: Where its records, its seals and their key are.
    """

    settings: StoreSettings

    @property
    def where(self) -> str:
        """Return the database and its account."""
        return f"{self.settings.cosmos_database} at {self.settings.cosmos_url}"

    async def verify(self) -> Report:
        """Compare the audit with itself and with the seals that the vault's key made."""
        from secure_openai.store.cosmos.audit_reader import CosmosAuditReader  # noqa: PLC0415

        async with self._opened() as (container, seals, signer):
            trusted = await signer.public_keys()
            return await verify(CosmosAuditReader(container), seals.all(trusted))

    async def seal(self) -> Seal:
        """Sign the head of every chain in the vault."""
        from secure_openai.store.cosmos.audit import CosmosAuditStore  # noqa: PLC0415

        async with self._opened() as (container, seals, signer):
            audit = await CosmosAuditStore.open(container)
            try:
                return await seal(audit, seals, signer)
            finally:
                await audit.aclose()

    async def last(self, count: int) -> list[AuditRecord]:
        """Return the last records of all chains, by time."""
        from secure_openai.store.cosmos.audit_reader import CosmosAuditReader  # noqa: PLC0415

        async with self._opened() as (container, _, _):
            audit = CosmosAuditReader(container)
            # Those of processes that may still run; the rest only where these have too few.
            found = await _last(audit, await audit.heads(since=utc_now()), count)
            if len(found) < count:
                found = await _last(audit, await audit.heads(), count)
            return found

    async def append(self, event: AuditEvent) -> None:
        """Record an event in a chain of its own."""
        from secure_openai.store.cosmos.audit import CosmosAuditStore  # noqa: PLC0415

        async with self._opened() as (container, _, _):
            audit = await CosmosAuditStore.open(container)
            try:
                audit.append(event)
                await audit.flush()
            finally:
                await audit.aclose()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[Container, Seals, KeyVaultSigner]]:
        outbound = Outbound.of(self.settings)
        async with AsyncExitStack() as stack:
            credential = credential_for(self.settings, outbound)
            assert credential is not None  # noqa: S101 - such settings use a credential
            stack.push_async_callback(credential.close)
            # Azure's clients are an extra: a laptop has none.
            from secure_openai.store.azure.blobs import AzureBlobs  # noqa: PLC0415
            from secure_openai.store.azure.key_vault import KeyVaultSigner  # noqa: PLC0415
            from secure_openai.store.cosmos.database import CosmosDatabase  # noqa: PLC0415

            signer = KeyVaultSigner(
                self.settings.seal_key_url, credential=credential, outbound=outbound
            )
            stack.push_async_callback(signer.aclose)
            blobs = AzureBlobs(
                self.settings.blob_url,
                self.settings.seals_container,
                credential=credential,
                outbound=outbound,
                largest=LARGEST_BYTES,
            )
            stack.push_async_callback(blobs.aclose)
            database = CosmosDatabase(
                self.settings.cosmos_url,
                self.settings.cosmos_database,
                credential=credential,
                outbound=outbound,
            )
            stack.push_async_callback(database.aclose)
            yield database.container("audit"), Seals(blobs), signer


async def _last(
    audit: SqliteAuditStore | CosmosAuditReader, heads: list[ChainHead], count: int
) -> list[AuditRecord]:
    found: list[AuditRecord] = []
    for head in heads:
        after = max(0, head.sequence - count)
        found += (await audit.records(head.chain, after=after, limit=count)).items
    return sorted(found, key=lambda record: record.event.at)[-count:]
