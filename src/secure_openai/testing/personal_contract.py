"""What every `PersonalStore` promises, beside the conversations and the holds of one database.

Subclass it and provide the fixtures `store`, `conversations` and `holds`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from secure_openai.errors import (
    AlreadyStored,
    LegalHold,
    LimitReached,
    NotFound,
    PreconditionFailed,
    RequestError,
)
from secure_openai.store.conversations import ConversationStore
from secure_openai.store.holds import Hold, HoldStore
from secure_openai.store.personal import Bound, PersonalItem, PersonalKind, PersonalStore
from secure_openai.types import ConversationId, PrincipalId

ANNA = PrincipalId("tenant", "anna")
BEN = PrincipalId("tenant", "ben")
ADA = PrincipalId("tenant", "ada")
NOON = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KINDS = [*PersonalKind]


def item_of(
    owner: PrincipalId = ANNA,
    kind: PersonalKind = PersonalKind.PROMPT,
    item_id: str = "one",
    *,
    at: datetime = NOON,
    conversation: ConversationId | None = None,
    expires: datetime | None = None,
    size: int = 0,
    text: str = "x",
) -> PersonalItem:
    """Return an item to add."""
    return PersonalItem(owner, kind, item_id, {"text": text}, at, at, conversation, expires, size)


def hold_on(conversation: ConversationId | None = None) -> Hold:
    """Return a hold to place on what is Anna's."""
    return Hold(ANNA, conversation, "A 1", NOON, ADA)


async def ids(store: PersonalStore, owner: PrincipalId, kind: PersonalKind) -> list[str]:
    """Return the ids of an owner's items, in the order of the list."""
    return [one.id for one in (await store.list(owner, kind)).items]


class PersonalStoreContract:
    """The promises of `PersonalStore`."""

    async def test_foreign_is_missing(self, store: PersonalStore) -> None:
        """Another owner's item is there for nobody else, and no path is taken for an id."""
        item = await store.add(item_of())

        for owner, kind, item_id in (
            (BEN, item.kind, item.id),
            (ANNA, PersonalKind.INSTRUCTION, item.id),
            (ANNA, item.kind, "none"),
            (ANNA, item.kind, "../one"),
            (ANNA, item.kind, "a/b"),
            (ANNA, item.kind, ""),
        ):
            with pytest.raises(NotFound):
                await store.get(owner, kind, item_id)
            with pytest.raises(NotFound):
                await store.remove(owner, kind, item_id)
        with pytest.raises(NotFound):
            await store.change(replace(item, owner=BEN))
        assert (await store.list(BEN, item.kind)).items == []
        assert await store.get(ANNA, item.kind, item.id) == item

    @pytest.mark.parametrize("kind", KINDS)
    async def test_it_comes_back(self, store: PersonalStore, kind: PersonalKind) -> None:
        """Every kind comes back as it was stored, with an etag, and goes when it is removed."""
        given = replace(
            item_of(kind=kind, expires=NOON + HOUR, size=7),
            document={"text": "ä\n", "numbers": [1], "none": None},
        )

        stored = await store.add(given)

        assert stored == replace(given, etag=stored.etag)
        assert stored.etag != ""
        assert await store.get(ANNA, kind, given.id) == stored
        assert (await store.list(ANNA, kind)).items == [stored]
        await store.remove(ANNA, kind, given.id)
        with pytest.raises(NotFound):
            await store.get(ANNA, kind, given.id)
        with pytest.raises(NotFound):
            await store.remove(ANNA, kind, given.id)

    async def test_an_id_is_taken_once(self, store: PersonalStore) -> None:
        """Of many who add the same id at once one does; another kind or owner may have it too."""
        results = await asyncio.gather(
            *(store.add(item_of(text=str(number))) for number in range(8)), return_exceptions=True
        )

        won = [one for one in results if isinstance(one, PersonalItem)]
        assert len(won) == 1
        assert [type(one) for one in results if one not in won] == [AlreadyStored] * 7
        assert await store.get(ANNA, PersonalKind.PROMPT, "one") == won[0]
        await store.add(item_of(BEN))
        await store.add(item_of(kind=PersonalKind.INSTRUCTION))

    async def test_change(self, store: PersonalStore) -> None:
        """An item is written over itself with its last etag only; of many writers one wins."""
        item = await store.add(item_of(size=7))
        wanted = replace(
            item, document={"text": "y"}, changed=NOON + HOUR, created=NOON + HOUR, size=9
        )

        results = await asyncio.gather(
            *(store.change(wanted) for _ in range(8)), return_exceptions=True
        )

        won = [one for one in results if isinstance(one, PersonalItem)]
        assert (len(won), [type(one) for one in results if one not in won]) == (
            1,
            [PreconditionFailed] * 7,
        )
        assert won[0].etag not in {"", item.etag}
        stands = replace(wanted, created=NOON, size=7, etag=won[0].etag)
        assert await store.get(ANNA, item.kind, item.id) == won[0] == stands
        with pytest.raises(PreconditionFailed):
            await store.remove(ANNA, item.kind, item.id, etag=item.etag)
        await store.remove(ANNA, item.kind, item.id, etag=won[0].etag)
        with pytest.raises(NotFound):
            await store.change(won[0])

    async def test_bounds_hold_under_a_race(self, store: PersonalStore) -> None:
        """However many are added at once, no more are kept than may be; one removed makes room."""
        bound = Bound(5, 1000)
        results = await asyncio.gather(
            *(store.add(item_of(item_id=f"i{number}", size=1), bound) for number in range(12)),
            return_exceptions=True,
        )

        kept = [one for one in results if isinstance(one, PersonalItem)]
        assert [type(one) for one in results if one not in kept] == [LimitReached] * 7
        assert len(await ids(store, ANNA, PersonalKind.PROMPT)) == 5
        await store.add(item_of(BEN), bound)
        await store.add(item_of(kind=PersonalKind.INSTRUCTION), bound)
        await store.remove(ANNA, PersonalKind.PROMPT, kept[0].id)
        await store.add(item_of(item_id="again"), bound)
        with pytest.raises(LimitReached, match="5 prompts"):
            await store.add(item_of(item_id="more"), bound)

    async def test_sizes_hold_under_a_race(self, store: PersonalStore) -> None:
        """What items stand for together stays within the bound, to the byte."""
        bound = Bound(100, 10)
        results = await asyncio.gather(
            *(store.add(item_of(item_id=f"i{number}", size=4), bound) for number in range(6)),
            return_exceptions=True,
        )

        assert sum(isinstance(one, LimitReached) for one in results) == 4
        await store.add(item_of(item_id="rest", size=2), bound)
        with pytest.raises(LimitReached):
            await store.add(item_of(item_id="more", size=1), bound)
        await store.remove(ANNA, PersonalKind.PROMPT, "rest")
        await store.add(item_of(item_id="other", size=2), bound)

    async def test_lists(self, store: PersonalStore) -> None:
        """A list has all of an owner's items of a kind once, the last written last, in pages."""
        for number in range(7):
            # Three at the same instant, on the edge of a page.
            at = NOON + min(number, 4) * HOUR
            await store.add(item_of(item_id=f"i{number}", at=at))
        await store.add(item_of(BEN))
        seen: list[str] = []
        continuation = None
        while True:
            page = await store.list(ANNA, PersonalKind.PROMPT, limit=2, continuation=continuation)
            seen += [one.id for one in page.items]
            continuation = page.continuation
            if continuation is None:
                break
            for owner, kind in ((BEN, PersonalKind.PROMPT), (ANNA, PersonalKind.FEEDBACK)):
                with pytest.raises(RequestError):
                    await store.list(owner, kind, continuation=continuation)

        assert seen[:4] == ["i0", "i1", "i2", "i3"]
        assert sorted(seen) == [f"i{number}" for number in range(7)]
        first = await store.get(ANNA, PersonalKind.PROMPT, "i0")
        await store.change(replace(first, changed=NOON + 9 * HOUR))
        assert (await ids(store, ANNA, PersonalKind.PROMPT))[-1] == "i0"

    async def test_written_on_a_day(self, store: PersonalStore) -> None:
        """A day has what was last written on it, of all owners, in pages, and nothing else."""
        kind, night = PersonalKind.FEEDBACK, datetime(2030, 1, 2, tzinfo=UTC)
        for number, owner in enumerate((ANNA, BEN, ADA)):
            await store.add(item_of(owner, kind, at=night + number * HOUR))
        await store.add(item_of(ANNA, kind, "before", at=night - timedelta(microseconds=1)))
        await store.add(item_of(ANNA, kind, "after", at=night + timedelta(days=1)))
        await store.add(item_of(ANNA, at=night))

        first = await store.written(kind, "2030-01-02", limit=2)
        rest = await store.written(kind, "2030-01-02", limit=2, continuation=first.continuation)

        owners = [one.owner for page in (first, rest) for one in page.items]
        assert (owners, rest.continuation) == ([ANNA, BEN, ADA], None)
        with pytest.raises(RequestError):
            await store.written(kind, "2030-01-03", continuation=first.continuation)
        assert [one.id for one in (await store.written(kind, "2030-01-01")).items] == ["before"]
        assert [one.id for one in (await store.written(kind, "2030-01-03")).items] == ["after"]
        assert (await store.written(kind, "2030-01-04")).items == []

    async def test_due(self, store: PersonalStore) -> None:
        """What expires is due from that instant on, of one owner or of all."""
        kind = PersonalKind.ATTACHMENT
        await store.add(item_of(kind=kind, expires=NOON))
        await store.add(item_of(BEN, kind, expires=NOON + HOUR))
        await store.add(item_of(kind=kind, item_id="stays"))

        assert await store.due(kind, now=NOON - HOUR) == []
        assert [one.owner for one in await store.due(kind, now=NOON)] == [ANNA]
        assert {one.owner for one in await store.due(kind, now=NOON + HOUR)} == {ANNA, BEN}
        assert len(await store.due(kind, now=NOON + HOUR, limit=1)) == 1
        assert [one.owner for one in await store.due(kind, now=NOON + HOUR, owner=BEN)] == [BEN]

    async def test_conversations(
        self, store: PersonalStore, conversations: ConversationStore
    ) -> None:
        """What goes with a conversation needs one of its owner's, and goes when that does."""
        kind = PersonalKind.FEEDBACK
        mine = await conversations.create(ANNA, title="x")
        other = await conversations.create(ANNA, title="y")
        for owner, named in ((ANNA, ConversationId("none")), (BEN, mine.id)):
            with pytest.raises(NotFound):
                await store.add(item_of(owner, kind, conversation=named))
            assert (await store.list(owner, kind)).items == []
        await store.add(item_of(kind=kind, conversation=mine.id))
        await store.add(item_of(kind=kind, item_id="other", conversation=other.id))
        await store.add(item_of(kind=kind, item_id="free"))
        for conversation, of_it in ((mine, ["one"]), (other, ["other"])):
            page = await store.list(ANNA, kind, conversation=conversation.id)
            assert [one.id for one in page.items] == of_it

        await conversations.delete(ANNA, mine.id, etag=mine.etag)

        assert sorted(await ids(store, ANNA, kind)) == ["free", "other"]
        with pytest.raises(NotFound):
            await store.add(item_of(kind=kind, item_id="late", conversation=mine.id))

    async def test_attachments_outlive_their_conversation(
        self, store: PersonalStore, conversations: ConversationStore
    ) -> None:
        """An attachment of a deleted conversation is due at once, and counted until it is gone."""
        kind, bound = PersonalKind.ATTACHMENT, Bound(1)
        mine = await conversations.create(ANNA, title="x")
        await store.add(item_of(kind=kind, conversation=mine.id), bound)
        assert await store.due(kind, now=datetime.now(UTC) + HOUR) == []

        await conversations.delete(ANNA, mine.id, etag=mine.etag)

        (due,) = await store.due(kind, now=datetime.now(UTC) + HOUR)
        assert (due.id, due.conversation, due.document) == ("one", None, {"text": "x"})
        with pytest.raises(LimitReached):
            await store.add(item_of(kind=kind, item_id="two"), bound)
        await store.remove(ANNA, kind, due.id, etag=due.etag)
        await store.add(item_of(kind=kind, item_id="two"), bound)

    async def test_bind(self, store: PersonalStore, conversations: ConversationStore) -> None:
        """Items are bound to one conversation, all or none, and expire no more."""
        kind = PersonalKind.ATTACHMENT
        mine = await conversations.create(ANNA, title="x")
        other = await conversations.create(ANNA, title="y")
        for item_id in ("one", "two"):
            await store.add(item_of(kind=kind, item_id=item_id, expires=NOON + HOUR))
        await store.add(item_of(kind=kind, item_id="late", expires=NOON))
        await store.add(item_of(BEN, kind, "his", expires=NOON + HOUR))

        for item_ids, conversation in (
            (["one", "none"], mine.id),
            (["one", "his"], mine.id),
            (["one", "late"], mine.id),
            (["one", "a/b"], mine.id),
            (["one"], ConversationId("none")),
        ):
            with pytest.raises(NotFound):
                await store.bind(ANNA, kind, item_ids, conversation, now=NOON)
        assert (await store.get(ANNA, kind, "one")).conversation is None
        bound = await store.bind(ANNA, kind, ["two", "one"], mine.id, now=NOON)
        again = await store.bind(ANNA, kind, ["one"], mine.id, now=NOON + 2 * HOUR)

        assert [(one.id, one.conversation, one.expires) for one in bound] == [
            ("two", mine.id, None),
            ("one", mine.id, None),
        ]
        assert again == bound[1:] == [await store.get(ANNA, kind, "one")]
        with pytest.raises(PreconditionFailed):
            await store.bind(ANNA, kind, ["one"], other.id, now=NOON)
        assert [one.id for one in await store.due(kind, now=NOON + 9 * HOUR, owner=ANNA)] == [
            "late"
        ]

    async def test_held_stays(
        self, store: PersonalStore, conversations: ConversationStore, holds: HoldStore
    ) -> None:
        """What a hold covers is neither changed nor removed, whatever the etag, until it ends."""
        conversation = await conversations.create(ANNA, title="x")
        free = await store.add(item_of())
        bound = await store.add(item_of(kind=PersonalKind.FEEDBACK, conversation=conversation.id))
        his = await store.add(item_of(BEN))
        for held, covered, others in (
            (None, [free, bound], [his]),
            (conversation.id, [bound], [free, his]),
        ):
            await holds.place(hold_on(held))
            for item in covered:
                for etag in (item.etag, "stale"):
                    with pytest.raises(LegalHold):
                        await store.change(replace(item, document={}, etag=etag))
                    with pytest.raises(LegalHold):
                        await store.remove(item.owner, item.kind, item.id, etag=etag)
                assert await store.get(item.owner, item.kind, item.id) == item
            for item in others:
                await store.remove(item.owner, item.kind, item.id)
                await store.add(item)
            await store.add(item_of(item_id="meanwhile"))
            await holds.lift(ANNA, held)
            await store.remove(ANNA, free.kind, "meanwhile")
        await store.remove(ANNA, bound.kind, bound.id)

    async def test_a_later_program(self, store: PersonalStore) -> None:
        """What only a later program says of an item stays when this one writes it."""
        item = await store.add(replace(item_of(), document={"text": "x", "later": {"a": 1}}))

        changed = await store.change(replace(item, document={"text": "y"}))

        assert (await store.get(ANNA, item.kind, item.id)).document == {
            "text": "y",
            "later": {"a": 1},
        }
        assert changed.etag != item.etag
