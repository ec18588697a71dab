"""A question and its answer, all the way through, kept in Cosmos DB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from secure_openai.conversations.answers import Answers
from secure_openai.conversations.attachments import Attachments
from secure_openai.conversations.composing import Composer
from secure_openai.conversations.events import Begun, Finished
from secure_openai.conversations.texts import SavedTexts
from secure_openai.model.scripted import ScriptedModel
from secure_openai.pipeline import Pipeline
from secure_openai.policy.decision import Policy
from secure_openai.store.cosmos.conversations import CosmosConversationStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.personal import CosmosPersonalStore
from secure_openai.store.cosmos.usage import CosmosUsageStore
from secure_openai.store.folder import FolderBlobs
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.database import Database
from secure_openai.streams import Background, Drain
from secure_openai.types import ConversationId, Principal, PrincipalId, PrincipalKind, utc_now

ANNA = Principal(PrincipalId("tenant", "anna"), PrincipalKind.PERSON, frozenset({"user"}))


class Asking:
    """Answers whose conversations and usage are kept in Cosmos DB; the audit is kept elsewhere.

    Attributes:
        now: What time it is: it stands still unless a test moves it.
    """

    def __init__(
        self, cosmos: CosmosDatabase, audit: SqliteAuditStore, attachments: FolderBlobs
    ) -> None:
        self.now = utc_now()
        self.conversations = CosmosConversationStore(cosmos)
        self.usage = CosmosUsageStore(cosmos, clock=self._clock)
        self.background = Background()
        self.personal = CosmosPersonalStore(cosmos)
        self.attachments = Attachments(self.personal, attachments, total_bytes=10**9)
        pipeline = Pipeline(
            policy=Policy.load(None),
            usage=self.usage,
            audit=audit,
            model=ScriptedModel(),
            background=self.background,
            clock=self._clock,
        )
        self._answers = Answers(
            conversations=self.conversations,
            pipeline=pipeline,
            composer=Composer(
                pipeline=pipeline,
                attachments=self.attachments,
                texts=SavedTexts(self.personal),
            ),
            attachments=self.attachments,
            background=self.background,
            drain=Drain(),
            grace_seconds=15,
            clock=self._clock,
        )

    def _clock(self) -> datetime:
        return self.now

    async def ask(self, conversation_id: ConversationId, text: str) -> tuple[Begun, Finished]:
        """Ask, and return what was begun and how it ended."""
        running = await self._answers.ask(
            ANNA, conversation_id, text=text, deployment="scripted", request_id="r"
        )
        listener = running.listen()
        events = [
            event async for _, event in listener.events() if isinstance(event, Begun | Finished)
        ]
        await listener.aclose()
        await self.background.drain()
        begun, finished = events
        assert isinstance(begun, Begun)
        assert isinstance(finished, Finished)
        return begun, finished


@asynccontextmanager
async def asking(cosmos: CosmosDatabase, folder: Path) -> AsyncIterator[Asking]:
    """Open everything that a question needs."""
    database = await Database.open(folder / "audit" / "audit.db")
    audit = await SqliteAuditStore.open(database)
    try:
        yield Asking(cosmos, audit, FolderBlobs(folder / "attachments"))
    finally:
        await audit.aclose()
        await database.aclose()
