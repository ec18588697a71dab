"""What every `ConversationStore` promises; subclass it and provide the fixture `store`.

Call `pytest.register_assert_rewrite("secure_openai.testing.conversations_contract")` in a
`conftest.py` to see the values of an assertion that fails.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from secure_openai.errors import NotFound, PreconditionFailed, RequestError
from secure_openai.store.conversations import ConversationStore
from secure_openai.types import (
    Author,
    Conversation,
    ConversationId,
    Message,
    MessageId,
    MessageStatus,
    PrincipalId,
    Usage,
)

ANNA = PrincipalId("tenant", "anna")
BEN = PrincipalId("tenant", "ben")
MISSING = ConversationId("there-is-none-of-this-id")


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


async def all_messages(
    store: ConversationStore, conversation: Conversation, *, newest_first: bool = False
) -> list[str]:
    """Return the texts of a conversation, read in pages of three."""
    texts: list[str] = []
    continuation = None
    while True:
        page = await store.messages(
            conversation.owner,
            conversation.id,
            limit=3,
            continuation=continuation,
            newest_first=newest_first,
        )
        texts += [message.text for message in page.items]
        continuation = page.continuation
        if continuation is None:
            return texts


class ConversationStoreContract:
    """The promises of `ConversationStore`."""

    @pytest.mark.parametrize(
        "call",
        ["get", "rename", "delete", "append", "replace", "message", "messages"],
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
        match call:
            case "get":
                await store.get(owner, conversation.id)
            case "rename":
                await store.rename(owner, conversation.id, title="x", etag=conversation.etag)
            case "delete":
                await store.delete(owner, conversation.id, etag=conversation.etag)
            case "append":
                await store.append(owner, replace(moved, id=MessageId(uuid4().hex)))
            case "replace":
                await store.replace(owner, moved)
            case "message":
                await store.message(owner, conversation.id, message.id)
            case _:
                await store.messages(owner, conversation.id)

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
        renamed = await store.rename(ANNA, old.id, title="mine", etag=old.etag)

        assert (renamed.title, renamed.etag != old.etag) == ("mine", True)
        with pytest.raises(PreconditionFailed):
            await store.rename(ANNA, old.id, title="late", etag=old.etag)
        assert await store.get(ANNA, old.id) == renamed

    async def test_fifty_renames(self, store: ConversationStore) -> None:
        """Of fifty renames with the same etag exactly one wins."""
        old = await store.create(ANNA, title="old")

        results = await asyncio.gather(
            *(store.rename(ANNA, old.id, title=str(n), etag=old.etag) for n in range(50)),
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

    async def test_append_all_or_none(self, store: ConversationStore) -> None:
        """Of messages appended together, all are stored or none."""
        conversation = await store.create(ANNA, title="x")
        bad = replace(message_in(conversation), conversation_id=MISSING)

        with pytest.raises(NotFound):
            await store.append(ANNA, message_in(conversation), bad)
        assert (await store.messages(ANNA, conversation.id)).items == []

    async def test_order(self, store: ConversationStore) -> None:
        """Messages come in the order in which they were stored, in pages, either way."""
        conversation = await store.create(ANNA, title="x")
        texts = [str(number) for number in range(10)]
        for text in texts:
            await store.append(ANNA, message_in(conversation, text))

        assert await all_messages(store, conversation) == texts
        assert await all_messages(store, conversation, newest_first=True) == texts[::-1]

    async def test_replace(self, store: ConversationStore) -> None:
        """A message is written over itself only with its last etag, and keeps its place."""
        conversation = await store.create(ANNA, title="x")
        first, second = await store.append(
            ANNA,
            message_in(conversation, "a", status=MessageStatus.STREAMING),
            message_in(conversation, "b"),
        )
        finished = replace(
            first,
            text="an answer",
            status=MessageStatus.COMPLETE,
            usage=Usage(3, 4, estimated=True),
            lease_expires=first.created + timedelta(seconds=30),
            deployment="gpt",
            finish_reason="stop",
            note="A note.",
        )

        written = await store.replace(ANNA, finished)

        assert written == replace(finished, etag=written.etag)
        assert written.etag not in {"", first.etag}
        assert list((await store.messages(ANNA, conversation.id)).items) == [written, second]
        with pytest.raises(PreconditionFailed):
            await store.replace(ANNA, replace(first, text="late"))
        with pytest.raises(NotFound):
            await store.replace(ANNA, replace(first, id=MessageId("none")))

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

    async def test_cancelled_is_whole(self, store: ConversationStore) -> None:
        """An append whose caller gives up stores all of its messages or none."""
        conversation = await store.create(ANNA, title="x")
        task = asyncio.ensure_future(
            store.append(ANNA, *(message_in(conversation, str(n)) for n in range(20)))
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.append(ANNA, message_in(conversation, "last"))

        assert len(await all_messages(store, conversation)) in {1, 21}
