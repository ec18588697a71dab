"""The stores that the settings name, opened: those of a folder, or those of Azure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from secure_openai.outbound import Outbound
from secure_openai.settings import Settings
from secure_openai.store.audit import AuditStore
from secure_openai.store.blobs import BlobStore
from secure_openai.store.conversations import ConversationStore
from secure_openai.store.folder import FolderBlobs
from secure_openai.store.holds import HoldStore
from secure_openai.store.notes import NoteStore
from secure_openai.store.personal import PersonalStore
from secure_openai.store.requests import RequestStore
from secure_openai.store.seals import LARGEST_BYTES, Seals
from secure_openai.store.sessions import SessionStore
from secure_openai.store.sightings import SightingStore
from secure_openai.store.signing import FileSigner, Signer
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.holds import SqliteHoldStore
from secure_openai.store.sqlite.notes import SqliteNoteStore
from secure_openai.store.sqlite.personal import SqlitePersonalStore
from secure_openai.store.sqlite.requests import SqliteRequestStore
from secure_openai.store.sqlite.sessions import SqliteSessionStore
from secure_openai.store.sqlite.sightings import SqliteSightingStore
from secure_openai.store.sqlite.tallies import SqliteTallyStore
from secure_openai.store.sqlite.usage import SqliteUsageStore
from secure_openai.store.tallies import TallyStore
from secure_openai.store.usage import UsageStore
from secure_openai.telemetry.stores import observed

if TYPE_CHECKING:
    from secure_openai.credential import Credential

DATABASE_NAME = "secure-openai.db"

SQLITE = "sqlite"
COSMOS = "azure.cosmosdb"
"""What observations call the databases (`db.system.name`)."""


@dataclass(frozen=True)
class Stores:
    """Everything that is kept, open.

    Attributes:
        conversations: What people and models said.
        holds: Whose data may not be deleted.
        requests: What people asked to have done with their data.
        notes: What jobs have done and need not do again.
        personal: What people keep beside their conversations.
        usage: What counts against quota.
        tallies: What the audit adds up to by day.
        audit: Who was let do what, and why not.
        sessions: Who is signed in.
        sightings: Who was here.
        seals: The audit's seals, where nothing is written over.
        signer: What signs them.
        exports: What was put together for a person to fetch.
        attachments: What people attach to messages.
    """

    conversations: ConversationStore
    holds: HoldStore
    requests: RequestStore
    notes: NoteStore
    personal: PersonalStore
    usage: UsageStore
    tallies: TallyStore
    audit: AuditStore
    sessions: SessionStore
    sightings: SightingStore
    seals: Seals
    signer: Signer
    exports: BlobStore
    attachments: BlobStore


@asynccontextmanager
async def open_stores(
    settings: Settings, *, outbound: Outbound, credential: Credential | None
) -> AsyncIterator[Stores]:
    """Open what the settings name until the block is left.

    Where Azure's services are away the stores are open all the same: each call says so by itself,
    and the first that gets through goes on.

    Raises:
        StartError: The data folder is not usable.
        StoreError: The embedded database or the key of the seals cannot be read.
    """
    async with AsyncExitStack() as stack:
        if settings.kept_in_azure:
            assert credential is not None  # noqa: S101 - such settings use a credential
            yield await _of_azure(settings, outbound, credential, stack)
        else:
            yield await _of_a_folder(settings, stack)


async def _of_a_folder(settings: Settings, stack: AsyncExitStack) -> Stores:
    database = await Database.open(settings.data / DATABASE_NAME)
    stack.push_async_callback(database.aclose)
    audit = await SqliteAuditStore.open(database)
    stack.push_async_callback(audit.aclose)
    usage = SqliteUsageStore(database)
    stack.push_async_callback(usage.aclose)
    return Stores(
        conversations=observed(
            SqliteConversationStore(database), system=SQLITE, collection="conversations"
        ),
        holds=observed(SqliteHoldStore(database), system=SQLITE, collection="holds"),
        requests=observed(SqliteRequestStore(database), system=SQLITE, collection="requests"),
        notes=observed(SqliteNoteStore(database), system=SQLITE, collection="notes"),
        personal=observed(SqlitePersonalStore(database), system=SQLITE, collection="personal"),
        usage=observed(usage, system=SQLITE, collection="usage"),
        tallies=observed(SqliteTallyStore(database), system=SQLITE, collection="tallies"),
        audit=observed(audit, system=SQLITE, collection="audit"),
        sessions=observed(SqliteSessionStore(database), system=SQLITE, collection="sessions"),
        sightings=observed(SqliteSightingStore(database), system=SQLITE, collection="sightings"),
        seals=Seals.in_folder(settings.data / "seals"),
        signer=FileSigner.open(settings.data / "keys" / "seal.pem"),
        exports=FolderBlobs(settings.data / "exports"),
        attachments=FolderBlobs(settings.data / "attachments"),
    )


async def _of_azure(
    settings: Settings, outbound: Outbound, credential: Credential, stack: AsyncExitStack
) -> Stores:
    # Azure's clients are an extra: a laptop has none.
    from secure_openai.store.azure.blobs import AzureBlobs  # noqa: PLC0415
    from secure_openai.store.azure.key_vault import KeyVaultSigner  # noqa: PLC0415
    from secure_openai.store.cosmos.audit import CosmosAuditStore  # noqa: PLC0415
    from secure_openai.store.cosmos.conversations import CosmosConversationStore  # noqa: PLC0415
    from secure_openai.store.cosmos.database import CosmosDatabase  # noqa: PLC0415
    from secure_openai.store.cosmos.holds import CosmosHoldStore  # noqa: PLC0415
    from secure_openai.store.cosmos.notes import CosmosNoteStore  # noqa: PLC0415
    from secure_openai.store.cosmos.personal import CosmosPersonalStore  # noqa: PLC0415
    from secure_openai.store.cosmos.requests import CosmosRequestStore  # noqa: PLC0415
    from secure_openai.store.cosmos.sessions import CosmosSessionStore  # noqa: PLC0415
    from secure_openai.store.cosmos.sightings import CosmosSightingStore  # noqa: PLC0415
    from secure_openai.store.cosmos.tallies import CosmosTallyStore  # noqa: PLC0415
    from secure_openai.store.cosmos.usage import CosmosUsageStore  # noqa: PLC0415

    def blobs(container: str, **bounds: int) -> AzureBlobs:
        opened = AzureBlobs(
            settings.blob_url, container, credential=credential, outbound=outbound, **bounds
        )
        stack.push_async_callback(opened.aclose)
        return opened

    signer = KeyVaultSigner(settings.seal_key_url, credential=credential, outbound=outbound)
    stack.push_async_callback(signer.aclose)
    seals = Seals(blobs(settings.seals_container, largest=LARGEST_BYTES))
    exports = blobs(settings.exports_container)
    attachments = blobs(settings.attachments_container)
    database = CosmosDatabase(
        settings.cosmos_url, settings.cosmos_database, credential=credential, outbound=outbound
    )
    stack.push_async_callback(database.aclose)
    usage = CosmosUsageStore(database)
    # Before its database: what it has leased is given back.
    stack.push_async_callback(usage.aclose)
    audit = await CosmosAuditStore.open(database.container("audit"))
    stack.push_async_callback(audit.aclose)
    return Stores(
        conversations=observed(
            CosmosConversationStore(database), system=COSMOS, collection="conversations"
        ),
        holds=observed(CosmosHoldStore(database), system=COSMOS, collection="holds"),
        requests=observed(CosmosRequestStore(database), system=COSMOS, collection="requests"),
        notes=observed(CosmosNoteStore(database), system=COSMOS, collection="notes"),
        personal=observed(CosmosPersonalStore(database), system=COSMOS, collection="personal"),
        usage=observed(usage, system=COSMOS, collection="usage"),
        tallies=observed(CosmosTallyStore(database), system=COSMOS, collection="tallies"),
        audit=observed(audit, system=COSMOS, collection="audit"),
        sessions=observed(CosmosSessionStore(database), system=COSMOS, collection="sessions"),
        sightings=observed(CosmosSightingStore(database), system=COSMOS, collection="sightings"),
        seals=seals,
        signer=signer,
        exports=exports,
        attachments=attachments,
    )
