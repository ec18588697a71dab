"""Files that wait for their message: kept, bound, removed and cleared, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secure_openai.conversations.attachments import WAITS, Attachments
from secure_openai.conversations.files import File
from secure_openai.errors import (
    LegalHold,
    LimitReached,
    NotFound,
    PreconditionFailed,
    RequestError,
    StoreError,
)
from secure_openai.store.blobs import folder_of
from secure_openai.store.folder import FolderBlobs
from secure_openai.store.holds import Hold
from secure_openai.store.personal import PersonalKind
from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.holds import SqliteHoldStore
from secure_openai.store.sqlite.personal import SqlitePersonalStore
from secure_openai.types import Conversation, PrincipalId

ANNA = PrincipalId("tenant", "anna")
BEN = PrincipalId("tenant", "ben")
NOON = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
NOTE = File("note.txt", "text/plain", b"hello", 64)
LATER = timedelta(minutes=1)


@dataclass
class Desk:
    """Attachments over real stores, with a clock to turn."""

    database: Database
    blobs: FolderBlobs
    now: datetime = NOON

    def __post_init__(self) -> None:
        self.store = SqlitePersonalStore(self.database)
        self.conversations = SqliteConversationStore(self.database)
        self.holds = SqliteHoldStore(self.database)
        self.attachments = Attachments(
            self.store, self.blobs, total_bytes=20, clock=lambda: self.now
        )

    async def conversation(self, owner: PrincipalId = ANNA) -> Conversation:
        """Begin a conversation."""
        return await self.conversations.create(owner, title="x")

    async def left(self, owner: PrincipalId = ANNA) -> list[str]:
        """Return the names of an owner's bytes."""
        return [one.name async for one in self.blobs.list(folder_of(owner))]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Return attachments over a database and a folder of the test's own."""
    database = await Database.open(tmp_path / "data" / "test.db")
    yield Desk(database, FolderBlobs(tmp_path / "attachments"))
    await database.aclose()


async def test_foreign_is_missing(desk: Desk) -> None:
    """Another's file is there for nobody else, and cannot be sent or removed by them."""
    kept = await desk.attachments.add(ANNA, NOTE)
    his = await desk.conversation(BEN)

    for attachment_id in (kept.id, "none", f"../{kept.id}", f"{kept.id}.txt", ""):
        with pytest.raises(NotFound):
            await desk.attachments.get(BEN, attachment_id)
        with pytest.raises(NotFound):
            await desk.attachments.remove(BEN, attachment_id)
        with pytest.raises(NotFound):
            await desk.attachments.bind(BEN, [attachment_id], his.id)
        with pytest.raises(NotFound):
            await desk.attachments.described(BEN, [attachment_id], his.id)
    assert await desk.attachments.get(ANNA, kept.id) == (kept, b"hello")


async def test_a_person_keeps_so_much(desk: Desk) -> None:
    """At the bound no upload passes, however many come at once; what has lapsed makes room."""
    results = await asyncio.gather(
        *(desk.attachments.add(ANNA, NOTE) for _ in range(9)), return_exceptions=True
    )

    refused = [one for one in results if isinstance(one, LimitReached)]
    assert (len(refused), len(await desk.left())) == (5, 4)
    await desk.attachments.add(BEN, NOTE)
    desk.now += WAITS
    for _ in range(4):
        await desk.attachments.add(ANNA, NOTE)
    assert len(await desk.left()) == 4
    with pytest.raises(LimitReached):
        await desk.attachments.add(ANNA, NOTE)


async def test_nothing_is_left_of_what_could_not_be_written(desk: Desk, tmp_path: Path) -> None:
    """Where the bytes cannot be kept, nothing counts against their owner."""
    (tmp_path / "attachments").write_text("in the way")
    for _ in range(9):
        with pytest.raises(StoreError):
            await desk.attachments.add(ANNA, NOTE)
    (tmp_path / "attachments").unlink()

    kept = [await desk.attachments.add(ANNA, NOTE) for _ in range(4)]

    assert len(await desk.left()) == len(kept)


async def test_a_file_is_sent_in_one_conversation(desk: Desk) -> None:
    """Sent, it goes with its conversation alone, again and again, and waits no more."""
    mine, other = await desk.conversation(), await desk.conversation()
    kept = await desk.attachments.add(ANNA, NOTE)

    assert await desk.attachments.bind(ANNA, [], mine.id) == ()
    assert await desk.attachments.bind(ANNA, [kept.id], mine.id) == (kept,)
    desk.now += 9 * WAITS
    assert await desk.attachments.bind(ANNA, [kept.id], mine.id) == (kept,)
    assert await desk.attachments.described(ANNA, [kept.id], mine.id) == (kept,)
    with pytest.raises(PreconditionFailed):
        await desk.attachments.bind(ANNA, [kept.id], other.id)
    with pytest.raises(PreconditionFailed):
        await desk.attachments.described(ANNA, [kept.id], other.id)
    for wrong in ([kept.id, kept.id], ["x"] * 11):
        with pytest.raises(RequestError):
            await desk.attachments.bind(ANNA, wrong, mine.id)
    assert await desk.attachments.clear() == 0
    assert await desk.attachments.content(ANNA, kept) == b"hello"


async def test_what_nobody_sent_goes_after_a_day(desk: Desk) -> None:
    """A file that waited a day is gone for its owner at once, and its bytes with the job."""
    mine = await desk.conversation()
    kept = await desk.attachments.add(ANNA, NOTE)
    desk.now += WAITS - LATER
    assert await desk.attachments.clear() == 0
    desk.now += LATER
    with pytest.raises(NotFound):
        await desk.attachments.get(ANNA, kept.id)
    with pytest.raises(NotFound):
        await desk.attachments.bind(ANNA, [kept.id], mine.id)

    assert sum(await asyncio.gather(*(desk.attachments.clear() for _ in range(3)))) >= 1
    assert await desk.left() == []
    assert [one async for one in desk.attachments.every(ANNA)] == []


async def test_a_file_goes_with_its_conversation(desk: Desk) -> None:
    """When the conversation is deleted the file is missing, and the next run has its bytes."""
    mine = await desk.conversation()
    kept = await desk.attachments.add(ANNA, NOTE)
    await desk.attachments.bind(ANNA, [kept.id], mine.id)
    await desk.conversations.delete(ANNA, mine.id, etag=mine.etag)

    with pytest.raises(NotFound):
        await desk.attachments.get(ANNA, kept.id)
    assert await desk.attachments.clear() == 1
    assert await desk.left() == []


async def test_what_is_held_stays(desk: Desk) -> None:
    """A hold keeps files sent and unsent, from their owner and from jobs, and nobody waits."""
    mine = await desk.conversation()
    sent = await desk.attachments.add(ANNA, NOTE)
    await desk.attachments.bind(ANNA, [sent.id], mine.id)
    waiting = await desk.attachments.add(ANNA, NOTE)
    await desk.attachments.add(BEN, NOTE)
    await desk.holds.place(Hold(ANNA, None, "A 1", NOON, ANNA))
    for kept in (sent, waiting):
        with pytest.raises(LegalHold):
            await desk.attachments.remove(ANNA, kept.id)
    with pytest.raises(LegalHold):
        await desk.attachments.erase(ANNA, until=NOON)
    desk.now += WAITS

    assert await desk.attachments.clear() == 1
    assert (len(await desk.left()), await desk.left(BEN)) == (2, [])
    await desk.holds.lift(ANNA, None)
    assert await desk.attachments.clear() == 1
    await desk.attachments.remove(ANNA, sent.id)
    assert await desk.left() == []


async def test_what_is_removed_at_the_last_moment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose bytes are being deleted cannot be sent, and one that was sent is not cleared."""
    mine = await desk.conversation()
    kept = await desk.attachments.add(ANNA, NOTE)
    real = desk.blobs.delete

    async def late(name: str) -> None:
        with pytest.raises(NotFound):
            await desk.attachments.bind(ANNA, [kept.id], mine.id)
        await real(name)

    monkeypatch.setattr(desk.blobs, "delete", late)
    await desk.attachments.remove(ANNA, kept.id)
    assert await desk.left() == []
    monkeypatch.undo()

    other = await desk.attachments.add(ANNA, NOTE)
    (due,) = await desk.store.due(PersonalKind.ATTACHMENT, now=NOON + WAITS)
    await desk.attachments.bind(ANNA, [other.id], mine.id)
    assert not await desk.attachments._cleared(due)
    assert await desk.attachments.content(ANNA, other) == b"hello"


async def test_a_death_in_between(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step a removal dies at, the file is missing and a later run ends the removal."""
    for broken in ("blobs", "store"):
        kept = await desk.attachments.add(ANNA, NOTE)

        async def dead(*_: object, **__: object) -> None:
            raise StoreError

        if broken == "blobs":
            monkeypatch.setattr(desk.blobs, "delete", dead)
        else:
            monkeypatch.setattr(desk.store, "remove", dead)
        with pytest.raises(StoreError):
            await desk.attachments.remove(ANNA, kept.id)
        monkeypatch.undo()
        with pytest.raises(NotFound):
            await desk.attachments.get(ANNA, kept.id)
        assert await desk.attachments.clear() == 1
        assert await desk.left() == []


async def test_an_erasure(desk: Desk) -> None:
    """What was there when it was asked goes, and bytes that nothing tells of; later ones stay."""
    mine = await desk.conversation()
    sent = await desk.attachments.add(ANNA, NOTE)
    await desk.attachments.bind(ANNA, [sent.id], mine.id)
    await desk.attachments.add(ANNA, NOTE)
    await desk.attachments.add(BEN, NOTE)
    await desk.blobs.put(f"{folder_of(ANNA)}stray.txt", b"x")
    desk.now += LATER
    later = await desk.attachments.add(ANNA, NOTE)

    # Files have the machine's time, and are all older than the noon of this test.
    assert await desk.attachments.erase(ANNA, until=NOON) == 3

    assert await desk.left() == [f"{folder_of(ANNA)}{later.id}.txt"]
    assert len(await desk.left(BEN)) == 1
    assert await desk.attachments.erase(ANNA, until=NOON) == 0
