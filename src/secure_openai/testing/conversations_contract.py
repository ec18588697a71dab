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

from secure_openai.errors import Conflict, NotFound, PreconditionFailed, RequestError
from secure_openai.store.conversations import MOST_SIBLINGS, UNDO, ConversationStore, Found, Turn
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


class ConversationStoreContract:
    """The promises of `ConversationStore`."""

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

    async def test_titled(self, store: ConversationStore) -> None:
        """A title for the time being is none that somebody gave, until somebody does."""
        conversation = await store.create(ANNA, title="for now", titled=False)
        pinned = await store.change(ANNA, conversation.id, etag=conversation.etag, pinned=True)
        titled = await store.change(ANNA, conversation.id, etag=pinned.etag, title="for good")

        assert [conversation.titled, pinned.titled, titled.titled] == [False, False, True]
        assert await store.get(ANNA, conversation.id) == titled
        assert (await store.create(ANNA, title="mine")).titled

    async def _searched(
        self, store: ConversationStore, text: str, *, limit: int = 2
    ) -> list[Found]:
        found: list[Found] = []
        continuation = None
        while True:
            page = await store.search(ANNA, text, limit=limit, continuation=continuation)
            assert len(page.items) <= limit
            found += page.items
            continuation = page.continuation
            if continuation is None:
                return found

    async def test_search(self, store: ConversationStore) -> None:
        """A search finds its text in titles and in messages of every branch, and nobody else's."""
        texts = ["Norway\nin June", 'say "no%th_ing!" \\ now', "an Ärger", "日本の天気", "x" * 500]
        made = [await store.create(ANNA, title=f"Title {number}") for number in range(5)]
        said = []
        for conversation, text in zip(made, texts, strict=True):
            first, _ = await store.append(
                ANNA, message_in(conversation, "before"), message_in(conversation, "told")
            )
            (aside,) = await store.append(
                ANNA, message_in(conversation, f"{'so ' * 99}{text}{' and' * 99}"), parent=first.id
            )
            await store.append(ANNA, message_in(conversation, "after"), parent=first.id)
            said.append(aside)
        theirs = await store.create(BEN, title="Norway")
        await store.append(BEN, message_in(theirs, "norway"))
        wanted = {
            "NORWAY": [0],
            "n": [4, 3, 2, 1, 0],
            "y\nin j": [0],
            "no%th_ing!": [1],
            '"NO%': [1],
            '" \\ N': [1],
            "ärger": [2],
            "天気": [3],
            "天": [3],
            "before": [4, 3, 2, 1, 0],
            "title 3": [3],
            "TLE": [4, 3, 2, 1, 0],
            "nothing": [],
            "no_th": [],
            "x" * 501: [],
            "norwegian": [],
        }

        for text, numbers in wanted.items():
            for limit in (2, 50):
                found = await self._searched(store, text, limit=limit)
                assert [one.conversation.id for one in found] == [
                    made[number].id for number in numbers
                ], text
        (hit,) = await self._searched(store, "NORWAY")
        assert hit.message == said[0].id
        assert hit.excerpt is not None
        assert "so Norway in June and" in hit.excerpt
        assert (hit.excerpt[0], hit.excerpt[-1], len(hit.excerpt) < 200) == ("…", "…", True)
        (titled,) = await self._searched(store, "title 3")
        assert titled == Found(await store.get(ANNA, made[3].id), None, None)

    async def test_search_follows_what_is_said(self, store: ConversationStore) -> None:
        """What grows is found as it grows; what was discarded, renamed or deleted is not."""
        one = await store.create(ANNA, title="first name")
        (message,) = await store.append(
            ANNA, message_in(one, "half", status=MessageStatus.STREAMING)
        )
        assert await self._searched(store, "half a word") == []
        await store.replace(ANNA, replace(message, text="half a word"))
        assert [found.message for found in await self._searched(store, "HALF A W")] == [message.id]
        assert len(await self._searched(store, "first name")) == 1
        renamed = await store.change(ANNA, one.id, etag=one.etag, title="second name")
        assert await self._searched(store, "first name") == []
        await store.discard(ANNA, one.id, etag=renamed.etag)
        assert await self._searched(store, "half") == await self._searched(store, "name") == []
        back = await store.restore(ANNA, one.id)
        assert len(await self._searched(store, "half")) == 1
        await store.delete(ANNA, one.id, etag=back.etag)
        assert await self._searched(store, "half") == []

    @pytest.mark.parametrize("continuation", ["", "!", "W10", "WzEsIngiXQ"])
    async def test_search_continuation(self, store: ConversationStore, continuation: str) -> None:
        """A continuation of another search, or of none, is refused."""
        for number in range(3):
            await store.create(ANNA, title=str(number))
        listed = (await store.list(ANNA, limit=1)).continuation
        for invented in (continuation, listed):
            with pytest.raises(RequestError):
                await store.search(ANNA, "x", continuation=invented)

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
