"""What every `ConversationStore` promises; subclass it and provide the fixtures.

`store` is the store, and `clock` the `MovableClock` that it tells the time by.

Call `pytest.register_assert_rewrite("secure_openai.testing.conversations_contract")` in a
`conftest.py` to see the values of an assertion that fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from secure_openai.errors import LimitReached, NotFound, PreconditionFailed, RequestError
from secure_openai.store.conversations import UNDO, ConversationStore
from secure_openai.types import (
    Author,
    Conversation,
    ConversationId,
    Message,
    MessageId,
    PrincipalId,
)

ANNA = PrincipalId("tenant", "anna")
BEN = PrincipalId("tenant", "ben")
MISSING = ConversationId("there-is-none-of-this-id")


class MovableClock:
    """A clock that goes on by itself, and further when it is moved."""

    def __init__(self) -> None:
        self._moved = timedelta()

    def __call__(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) + self._moved

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self._moved += by


def message_in(conversation: Conversation, text: str = "Hello", **fields: object) -> Message:
    """Return a message to append."""
    message = Message(
        id=MessageId(uuid4().hex),
        conversation_id=conversation.id,
        author=Author.USER,
        text=text,
        created=datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    )
    return replace(message, **fields)  # type: ignore[arg-type]


class ConversationStoreContract:
    """The promises of `ConversationStore` about conversations."""

    @pytest.mark.parametrize(
        "call",
        [
            "get",
            "change",
            "discard",
            "restore",
            "delete",
            "append",
            "replace",
            "message",
            "messages",
            "branch",
            "leaf",
        ],
    )
    async def test_foreign_is_missing(self, store: ConversationStore, call: str) -> None:
        """A foreign conversation answers exactly as one that never existed."""
        anna = await store.create(ANNA, title="Anna's")
        (message,) = await store.append(ANNA, message_in(anna))
        texts = []
        for owner, conversation in (
            (BEN, anna),
            (BEN, replace(anna, id=MISSING)),
            (ANNA, replace(anna, id=MISSING)),
        ):
            with pytest.raises(NotFound) as raised:
                await self._call(store, call, owner, conversation, message)
            texts.append((str(raised.value), raised.value.detail, type(raised.value)))

        assert texts[0] == texts[1] == texts[2]
        assert await store.get(ANNA, anna.id) == replace(
            anna, updated=(await store.get(ANNA, anna.id)).updated
        )
        assert [message] == list((await store.messages(ANNA, anna.id)).items)

    async def _call(
        self,
        store: ConversationStore,
        call: str,
        owner: PrincipalId,
        conversation: Conversation,
        message: Message,
    ) -> None:
        moved = replace(message, conversation_id=conversation.id)
        key = (owner, conversation.id)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "get": lambda: store.get(*key),
            "change": lambda: store.change(*key, title="x", etag=conversation.etag),
            "discard": lambda: store.discard(*key, etag=conversation.etag),
            "restore": lambda: store.restore(*key),
            "delete": lambda: store.delete(*key, etag=conversation.etag),
            "append": lambda: store.append(owner, replace(moved, id=MessageId(uuid4().hex))),
            "replace": lambda: store.replace(owner, moved),
            "message": lambda: store.message(*key, message.id),
            "messages": lambda: store.messages(*key),
            "branch": lambda: store.branch(*key),
            "leaf": lambda: store.leaf(*key, message.id),
        }
        await calls[call]()

    async def test_lists_are_the_owners(self, store: ConversationStore) -> None:
        """Every store returns only its owner's conversations."""
        mine = await store.create(ANNA, title="mine")
        await store.create(BEN, title="not mine")

        assert [mine] == list((await store.list(ANNA)).items)

    async def test_list_newest_first(self, store: ConversationStore) -> None:
        """The conversation written last stands first, and appending counts as writing."""
        first = await store.create(ANNA, title="first")
        second = await store.create(ANNA, title="second")
        await store.append(ANNA, message_in(first))

        assert [first.id, second.id] == [item.id for item in (await store.list(ANNA)).items]

    @pytest.mark.parametrize(
        "continuation",
        ["", "!", "bnVsbA", "W10", "WzEsIngiXQ", "[NaN]", "\ud800", "A" * 5000, "W1tbW1s", "é"],
    )
    async def test_invented_continuation(self, store: ConversationStore, continuation: str) -> None:
        """A continuation that was not given here is refused as a bad request."""
        conversation = await store.create(ANNA, title="x")

        with pytest.raises(RequestError):
            await store.list(ANNA, continuation=continuation)
        with pytest.raises(RequestError):
            await store.messages(ANNA, conversation.id, continuation=continuation)
        with pytest.raises(RequestError):
            await store.branch(ANNA, conversation.id, continuation=continuation)

    async def test_foreign_continuation(self, store: ConversationStore) -> None:
        """A continuation of another owner's list is refused."""
        for number in range(3):
            await store.create(ANNA, title=str(number))
        page = await store.list(ANNA, limit=1)

        assert page.continuation is not None
        with pytest.raises(RequestError):
            await store.list(BEN, continuation=page.continuation)

    async def test_surrogate_is_refused(self, store: ConversationStore) -> None:
        """Text that UTF-8 cannot hold is refused, not stored by halves and not our fault."""
        conversation = await store.create(ANNA, title="x")

        with pytest.raises(RequestError):
            await store.create(ANNA, title="\ud800")
        with pytest.raises(RequestError):
            await store.get(ANNA, ConversationId("\ud800"))
        with pytest.raises(RequestError):
            await store.append(ANNA, message_in(conversation), message_in(conversation, "\udfff"))
        assert (await store.messages(ANNA, conversation.id)).items == []

    @pytest.mark.parametrize(
        "text", ["", "\x00", "'; DROP TABLE message; --", "😀\u202e", "\n" * 9]
    )
    async def test_text_comes_back(self, store: ConversationStore, text: str) -> None:
        """What was said comes back as it was said."""
        conversation = await store.create(ANNA, title=text)
        (message,) = await store.append(ANNA, message_in(conversation, text))

        assert (await store.get(ANNA, conversation.id)).title == text
        assert await store.message(ANNA, conversation.id, message.id) == message
        assert message.text == text

    async def test_rename_conflict(self, store: ConversationStore) -> None:
        """A rename with an etag of before is refused and changes nothing."""
        old = await store.create(ANNA, title="old")
        renamed = await store.change(ANNA, old.id, title="mine", etag=old.etag)

        assert (renamed.title, renamed.etag != old.etag) == ("mine", True)
        with pytest.raises(PreconditionFailed):
            await store.change(ANNA, old.id, title="late", etag=old.etag)
        assert await store.get(ANNA, old.id) == renamed

    async def test_fifty_renames(self, store: ConversationStore) -> None:
        """Of fifty renames with the same etag exactly one wins."""
        old = await store.create(ANNA, title="old")

        results = await asyncio.gather(
            *(store.change(ANNA, old.id, title=str(n), etag=old.etag) for n in range(50)),
            return_exceptions=True,
        )

        won = [result for result in results if isinstance(result, Conversation)]
        lost = [result for result in results if isinstance(result, PreconditionFailed)]
        assert (len(won), len(lost)) == (1, 49)
        assert await store.get(ANNA, old.id) == won[0]

    async def test_delete(self, store: ConversationStore) -> None:
        """A deleted conversation is gone with its messages; a stale etag deletes nothing."""
        conversation = await store.create(ANNA, title="x")
        (message,) = await store.append(ANNA, message_in(conversation))
        current = await store.get(ANNA, conversation.id)

        with pytest.raises(PreconditionFailed):
            await store.delete(ANNA, conversation.id, etag="stale")
        assert await store.message(ANNA, conversation.id, message.id) == message
        await store.delete(ANNA, conversation.id, etag=current.etag)
        with pytest.raises(NotFound):
            await store.get(ANNA, conversation.id)
        with pytest.raises(NotFound):
            await store.message(ANNA, conversation.id, message.id)

    async def test_pinned_first(self, store: ConversationStore) -> None:
        """What is pinned stands first, whatever the pages; pinning is no use, and can be undone."""
        made = [await store.create(ANNA, title=str(number)) for number in range(7)]
        await store.create(BEN, title="not mine")
        pinned = [
            await store.change(ANNA, one.id, etag=one.etag, pinned=True)
            for one in (made[0], made[3], made[2])
        ]
        again = await store.change(ANNA, made[2].id, etag=pinned[2].etag, pinned=False)
        assert again == replace(made[2], etag=again.etag)
        assert pinned[0] == replace(made[0], pinned=True, etag=pinned[0].etag)
        with pytest.raises(PreconditionFailed):
            await store.change(ANNA, made[4].id, etag="stale", pinned=True)

        expected = [made[number].id for number in (3, 0, 6, 5, 4, 2, 1)]
        for limit in range(1, 9):
            listed: list[ConversationId] = []
            continuation = None
            while True:
                page = await store.list(ANNA, limit=limit, continuation=continuation)
                assert len(page.items) <= limit
                listed += [one.id for one in page.items]
                continuation = page.continuation
                if continuation is None:
                    break
            assert listed == expected

    async def test_an_owner_has_so_many(self, store: ConversationStore) -> None:
        """At the bound none is begun, whatever others have; one that is removed makes room."""
        first, *_ = [await store.create(ANNA, title=str(at), most=3) for at in range(3)]
        with pytest.raises(LimitReached, match="3 conversations"):
            await store.create(ANNA, title="more", most=3)
        await store.create(BEN, title="his", most=1)
        await store.delete(ANNA, first.id, etag=first.etag)
        await store.create(ANNA, title="more", most=3)

        assert len((await store.list(ANNA)).items) == 3

    async def test_discard(self, store: ConversationStore, clock: MovableClock) -> None:
        """A discarded conversation is missing for every call, and comes back as it was."""
        conversation = await store.create(ANNA, title="x")
        (message,) = await store.append(ANNA, message_in(conversation))
        kept = await store.create(ANNA, title="kept")
        with pytest.raises(PreconditionFailed):
            await store.discard(ANNA, conversation.id, etag="stale")
        before = await store.get(ANNA, conversation.id)
        await store.discard(ANNA, conversation.id, etag=before.etag)

        for call in ("get", "change", "discard", "append", "replace", "message"):
            with pytest.raises(NotFound) as hidden:
                await self._call(store, call, ANNA, conversation, message)
            with pytest.raises(NotFound) as missing:
                await self._call(store, call, ANNA, replace(conversation, id=MISSING), message)
            assert str(hidden.value) == str(missing.value)
        for call in ("messages", "branch", "leaf"):
            with pytest.raises(NotFound):
                await self._call(store, call, ANNA, conversation, message)
        with pytest.raises(NotFound):
            await store.restore(BEN, conversation.id)
        assert [kept] == list((await store.list(ANNA)).items)
        (hid,) = (await store.list(ANNA, discarded=True)).items
        assert (hid.id, hid.discarded is not None) == (conversation.id, True)
        said = await store.messages(ANNA, conversation.id, discarded=True)
        assert [(one.id, one.text) for one in said.items] == [(message.id, message.text)]
        with pytest.raises(NotFound):
            await store.messages(BEN, conversation.id, discarded=True)
        assert (await store.messages(ANNA, kept.id, discarded=True)).items == []
        assert (await store.list(BEN, discarded=True)).items == []
        later = clock() + timedelta(days=1)
        assert [kept] == list((await store.unused(since=later)).items)
        clock.move(UNDO - timedelta(seconds=30))
        assert await store.finish_deletions() == 0
        back = await store.restore(ANNA, conversation.id)

        assert back == replace(before, etag=back.etag)
        assert back.etag not in {before.etag, hid.etag}
        assert await store.restore(ANNA, conversation.id) == back
        assert len((await store.messages(ANNA, conversation.id)).items) == 1
        assert (await store.list(ANNA, discarded=True)).items == []

    async def test_discarded_for_good(self, store: ConversationStore, clock: MovableClock) -> None:
        """After its time a discarded conversation comes back no more, and is removed with a run."""
        made = [await store.create(owner, title="x") for owner in (ANNA, BEN, ANNA, BEN, ANNA)]
        for one in made:
            await store.append(one.owner, message_in(one))
        for one in made[1:]:
            await store.discard(one.owner, one.id, etag=one.etag)
        clock.move(UNDO)
        for one in made[1:]:
            with pytest.raises(NotFound):
                await store.restore(one.owner, one.id)
        assert len((await store.list(ANNA, discarded=True)).items) == 2

        removed = 0
        while count := await store.finish_deletions(limit=2):
            removed += count
        assert removed == 4
        assert (await store.list(ANNA, discarded=True)).items == []
        assert [one.id for one in (await store.list(ANNA)).items] == [made[0].id]
        with pytest.raises(NotFound):
            await store.delete(ANNA, made[2].id, etag=made[2].etag)

    async def test_a_discarded_one_is_deleted_at_once(self, store: ConversationStore) -> None:
        """Whoever may delete for good need not wait for the time of an undo."""
        conversation = await store.create(ANNA, title="x")
        await store.discard(ANNA, conversation.id, etag=conversation.etag)
        (hid,) = (await store.list(ANNA, discarded=True)).items

        with pytest.raises(PreconditionFailed):
            await store.delete(ANNA, conversation.id, etag=conversation.etag)
        await store.delete(ANNA, conversation.id, etag=hid.etag)
        assert (await store.list(ANNA, discarded=True)).items == []
        with pytest.raises(NotFound):
            await store.restore(ANNA, conversation.id)

    async def test_unused(self, store: ConversationStore) -> None:
        """Of all owners' conversations those are listed that were not used since, oldest first."""
        began = [
            await store.create(owner, title=str(number))
            for number, owner in enumerate((ANNA, BEN, ANNA, BEN, ANNA))
        ]
        await store.append(ANNA, message_in(began[0]))
        used = await store.get(ANNA, began[0].id)
        everything = [*began[1:], used]
        later = used.updated + timedelta(days=1)

        seen: list[Conversation] = []
        continuation = None
        while True:
            page = await store.unused(since=later, limit=2, continuation=continuation)
            seen += page.items
            continuation = page.continuation
            if continuation is None:
                break
        assert seen == everything
        assert list((await store.unused(since=used.updated)).items) == began[1:]
        assert (await store.unused(since=began[1].updated)).items == []
        for foreign in ("", "!", "WzEsIngiXQ", (await store.list(ANNA, limit=1)).continuation):
            with pytest.raises(RequestError):
                await store.unused(since=later, continuation=foreign)

    async def test_delete_only_if_unused(self, store: ConversationStore) -> None:
        """What was used since a moment is not deleted by whoever wants it unused since then."""
        conversation = await store.create(ANNA, title="x")
        before = conversation.updated
        await store.append(ANNA, message_in(conversation))
        used = await store.get(ANNA, conversation.id)
        for since in (before, used.updated):
            with pytest.raises(PreconditionFailed):
                await store.delete(
                    ANNA, conversation.id, etag=conversation.etag, unused_since=since
                )
        after = used.updated + timedelta(microseconds=1)
        with pytest.raises(PreconditionFailed):
            await store.delete(ANNA, conversation.id, etag="stale", unused_since=after)
        assert len((await store.messages(ANNA, conversation.id)).items) == 1
        await store.delete(ANNA, conversation.id, etag=conversation.etag, unused_since=after)
        with pytest.raises(NotFound):
            await store.get(ANNA, conversation.id)
        assert await store.finish_deletions() == 0

    async def test_pages_under_inserts(self, store: ConversationStore) -> None:
        """Pages miss nothing and repeat nothing while others are inserted between them."""
        before = [(await store.create(ANNA, title=str(number))).id for number in range(12)]
        seen: list[ConversationId] = []
        continuation = None
        while True:
            listing = asyncio.ensure_future(store.list(ANNA, limit=5, continuation=continuation))
            await asyncio.gather(*(store.create(ANNA, title="meanwhile") for _ in range(3)))
            page = await listing
            assert len(page.items) <= 5
            seen += [conversation.id for conversation in page.items]
            continuation = page.continuation
            if continuation is None:
                break

        assert len(seen) == len(set(seen))
        assert set(before) <= set(seen)
