"""What jobs work on, opened by a test or by another process: SQLite or Cosmos DB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from secure_openai.store.audit import AuditEvent, AuditStore
from secure_openai.store.conversations import ConversationStore
from secure_openai.store.cosmos.audit import CosmosAuditStore
from secure_openai.store.cosmos.conversations import CosmosConversationStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.holds import CosmosHoldStore
from secure_openai.store.cosmos.personal import CosmosPersonalStore
from secure_openai.store.cosmos.requests import CosmosRequestStore
from secure_openai.store.cosmos.sessions import CosmosSessionStore
from secure_openai.store.cosmos.sightings import CosmosSightingStore
from secure_openai.store.cosmos.usage import CosmosUsageStore
from secure_openai.store.holds import HoldStore
from secure_openai.store.personal import PersonalStore
from secure_openai.store.requests import RequestStore
from secure_openai.store.sessions import SessionStore
from secure_openai.store.sightings import SightingStore
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.holds import SqliteHoldStore
from secure_openai.store.sqlite.personal import SqlitePersonalStore
from secure_openai.store.sqlite.requests import SqliteRequestStore
from secure_openai.store.sqlite.sessions import SqliteSessionStore
from secure_openai.store.sqlite.sightings import SqliteSightingStore
from secure_openai.store.sqlite.usage import SqliteUsageStore
from secure_openai.store.usage import UsageStore
from tests.cosmosdb.estate import FixedCredential


@dataclass
class Kept:
    """Everything that is kept.

    Attributes:
        place: The arguments that another process opens the same with.
    """

    place: tuple[str, ...]
    conversations: ConversationStore
    holds: HoldStore
    sessions: SessionStore
    sightings: SightingStore
    usage: UsageStore
    requests: RequestStore
    personal: PersonalStore
    audit: AuditStore

    async def events(self, action: str) -> list[AuditEvent]:
        """Return the audit's events of an action, of all chains."""
        return [event for event in await events_of(self.audit) if event.action == action]


async def events_of(audit: AuditStore) -> list[AuditEvent]:
    """Return every event of all chains."""
    await audit.flush()
    return [
        record.event
        for head in await audit.heads()
        for record in (await audit.records(head.chain, limit=10_000)).items
    ]


@asynccontextmanager
async def opened_sqlite(path: Path) -> AsyncIterator[Kept]:
    """Open the stores in SQLite."""
    database = await Database.open(path)
    audit = await SqliteAuditStore.open(database)
    try:
        yield Kept(
            ("sqlite", str(path), ""),
            SqliteConversationStore(database),
            SqliteHoldStore(database),
            SqliteSessionStore(database),
            SqliteSightingStore(database),
            SqliteUsageStore(database),
            SqliteRequestStore(database),
            SqlitePersonalStore(database),
            audit,
        )
    finally:
        await audit.aclose()
        await database.aclose()


@asynccontextmanager
async def opened_cosmos(url: str, name: str) -> AsyncIterator[Kept]:
    """Open the stores in Cosmos DB."""
    database = CosmosDatabase(url, name, credential=FixedCredential())
    audit = await CosmosAuditStore.open(database.container("audit"))
    try:
        yield Kept(
            ("cosmos", url, name),
            CosmosConversationStore(database),
            CosmosHoldStore(database),
            CosmosSessionStore(database),
            CosmosSightingStore(database),
            CosmosUsageStore(database),
            CosmosRequestStore(database),
            CosmosPersonalStore(database),
            audit,
        )
    finally:
        await audit.aclose()
        await database.aclose()
