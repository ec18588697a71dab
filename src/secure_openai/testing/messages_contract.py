"""What every `ConversationStore` promises of messages and branches.

Subclass it and provide the fixture `store`; register it as `conversations_contract` says.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from secure_openai.errors import Conflict, NotFound, PreconditionFailed, RequestError
from secure_openai.store.conversations import MOST_SIBLINGS, ConversationStore, Turn
from secure_openai.testing.conversations_contract import (
    ANNA,
    BEN,
    MISSING,
    message_in,
)
from secure_openai.types import Conversation, MessageId, MessageStatus, Usage


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


async def whole_branch(
    store: ConversationStore, conversation: Conversation, leaf: MessageId | None = None
) -> list[Turn]:
    """Return the turns of a branch, the last said first, read in pages of two."""
    turns: list[Turn] = []
    continuation = None
    while True:
        page = await store.branch(
            conversation.owner,
            conversation.id,
            leaf=leaf,
            limit=2,
            continuation=continuation,
            siblings=True,
        )
        assert len(page.items) <= 2
        turns += page.items
        continuation = page.continuation
        if continuation is None:
            return turns


class MessagesContract:
    """The promises of `ConversationStore` about messages."""

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

    async def test_a_line(self, store: ConversationStore) -> None:
        """Messages that name no parent follow the newest, and those stored together each other."""
        conversation = await store.create(ANNA, title="x")
        first, second = await store.append(
            ANNA, message_in(conversation, "1"), message_in(conversation, "2")
        )
        (third,) = await store.append(
            ANNA, message_in(conversation, "3", parent=MessageId("ignored"))
        )

        assert [None, first.id, second.id] == [first.parent, second.parent, third.parent]
        stored = [first, second, third]
        assert list((await store.messages(ANNA, conversation.id)).items) == stored
        assert [await store.message(ANNA, conversation.id, one.id) for one in stored] == stored
        assert await whole_branch(store, conversation) == [
            Turn(one, (one.id,)) for one in reversed(stored)
        ]
        page = await store.branch(ANNA, conversation.id, limit=3)
        assert page.items == [Turn(one) for one in reversed(stored)]
        assert page.continuation is None

    async def test_branches(self, store: ConversationStore) -> None:
        """A branch holds what led to its leaf, and knows what stands beside each of it."""
        conversation = await store.create(ANNA, title="x")
        asked, told, on, further = await store.append(
            ANNA, *(message_in(conversation, text) for text in ("a", "b", "c", "d"))
        )
        (again,) = await store.append(ANNA, message_in(conversation, "B"), parent=asked.id)
        edited, answered = await store.append(
            ANNA, message_in(conversation, "C"), message_in(conversation, "D"), parent=told.id
        )
        anew, alone = await store.append(
            ANNA, message_in(conversation, "A"), message_in(conversation, "E"), parent=None
        )
        first, answers = (asked.id, anew.id), (told.id, again.id)
        expected = {
            None: [Turn(alone, (alone.id,)), Turn(anew, first)],
            alone.id: [Turn(alone, (alone.id,)), Turn(anew, first)],
            further.id: [
                Turn(further, (further.id,)),
                Turn(on, (on.id, edited.id)),
                Turn(told, answers),
                Turn(asked, first),
            ],
            answered.id: [
                Turn(answered, (answered.id,)),
                Turn(edited, (on.id, edited.id)),
                Turn(told, answers),
                Turn(asked, first),
            ],
            again.id: [Turn(again, answers), Turn(asked, first)],
            asked.id: [Turn(asked, first)],
        }

        for leaf, turns in expected.items():
            assert await whole_branch(store, conversation, leaf) == turns
        newest = {asked: answered, told: answered, on: further, again: again, anew: alone}
        for one, end in newest.items():
            assert await store.leaf(ANNA, conversation.id, one.id) == end.id
        with pytest.raises(NotFound):
            await store.branch(ANNA, conversation.id, leaf=MessageId("none"))

    async def test_far_apart(self, store: ConversationStore) -> None:
        """A branch is found whatever was stored between two of its messages."""
        conversation = await store.create(ANNA, title="x")
        first, aside = await store.append(
            ANNA, message_in(conversation, "1"), message_in(conversation, "aside")
        )
        last, line = first, [first]
        for number in range(2, 6):
            await store.append(
                ANNA, *(message_in(conversation, "aside") for _ in range(9)), parent=aside.id
            )
            (last,) = await store.append(
                ANNA, message_in(conversation, str(number)), parent=last.id
            )
            line.append(last)

        assert [turn.message for turn in await whole_branch(store, conversation)] == line[::-1]
        assert await store.leaf(ANNA, conversation.id, first.id) == last.id

    async def test_a_branch_while_others_grow(self, store: ConversationStore) -> None:
        """Pages of a branch go on where they were, whatever is said meanwhile."""
        conversation = await store.create(ANNA, title="x")
        line = await store.append(ANNA, *(message_in(conversation, str(n)) for n in range(4)))
        page = await store.branch(ANNA, conversation.id, limit=2)
        await store.append(ANNA, message_in(conversation, "anew"), parent=None)
        rest = await store.branch(ANNA, conversation.id, limit=2, continuation=page.continuation)
        other = await store.create(ANNA, title="y")

        assert [turn.message for turn in (*page.items, *rest.items)] == list(reversed(line))
        assert rest.continuation is None
        with pytest.raises(RequestError):
            await store.branch(ANNA, other.id, continuation=page.continuation)

    async def test_parents_are_of_the_conversation(self, store: ConversationStore) -> None:
        """A message follows one of its conversation; any other is missing, and nothing stored."""
        conversation = await store.create(ANNA, title="x")
        other = await store.create(ANNA, title="y")
        foreign = await store.create(BEN, title="z")
        elsewhere = [
            *await store.append(ANNA, message_in(other)),
            *await store.append(BEN, message_in(foreign)),
        ]
        own = message_in(conversation)

        for parent in (*(one.id for one in elsewhere), own.id, MessageId("none")):
            with pytest.raises(NotFound):
                await store.append(ANNA, own, message_in(conversation), parent=parent)
            with pytest.raises(NotFound):
                await store.branch(ANNA, conversation.id, leaf=parent)
            with pytest.raises(NotFound):
                await store.leaf(ANNA, conversation.id, parent)
        assert (await store.messages(ANNA, conversation.id)).items == []

    async def test_siblings_are_bounded(self, store: ConversationStore) -> None:
        """So many messages follow one and no more; whoever says something further still can."""
        conversation = await store.create(ANNA, title="x")
        (first, _) = await store.append(
            ANNA, message_in(conversation), message_in(conversation, "0")
        )
        for parent in (first.id, None):
            for number in range(1, MOST_SIBLINGS):
                await store.append(ANNA, message_in(conversation, str(number)), parent=parent)
            with pytest.raises(Conflict):
                await store.append(ANNA, message_in(conversation), parent=parent)
        (last,) = await store.append(ANNA, message_in(conversation))
        turns = await whole_branch(store, conversation)

        assert [len(turn.siblings) for turn in turns] == [1, MOST_SIBLINGS]
        assert turns[0].message == last
        assert len(await all_messages(store, conversation)) == 2 * MOST_SIBLINGS + 1

    async def test_two_answers_at_once(self, store: ConversationStore) -> None:
        """Messages that are stored at once below the same one are both there, side by side."""
        conversation = await store.create(ANNA, title="x")
        (asked,) = await store.append(ANNA, message_in(conversation))
        both = await asyncio.gather(
            *(store.append(ANNA, message_in(conversation), parent=asked.id) for _ in range(9))
        )
        turn, _ = await whole_branch(store, conversation)

        assert set(turn.siblings) == {one.id for (one,) in both}

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

        written = await store.replace(ANNA, replace(finished, parent=second.id))

        assert written == replace(finished, etag=written.etag)
        assert written.etag not in {"", first.etag}
        assert list((await store.messages(ANNA, conversation.id)).items) == [written, second]
        with pytest.raises(PreconditionFailed):
            await store.replace(ANNA, replace(first, text="late"))
        with pytest.raises(NotFound):
            await store.replace(ANNA, replace(first, id=MessageId("none")))

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
