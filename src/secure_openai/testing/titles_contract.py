"""What every `ConversationStore` promises of titles: those that somebody gave, and the others."""

from __future__ import annotations

import asyncio

import pytest

from secure_openai.errors import NotFound
from secure_openai.store.conversations import ConversationStore
from secure_openai.testing.conversations_contract import ANNA, BEN
from secure_openai.types import Conversation, ConversationId


class TitlesContract:
    """Subclass it and give a `store` fixture."""

    async def test_titled(self, store: ConversationStore) -> None:
        """A title for the time being is none that somebody gave, until somebody does."""
        conversation = await store.create(ANNA, title="for now", titled=False)
        pinned = await store.change(ANNA, conversation.id, etag=conversation.etag, pinned=True)
        titled = await store.change(ANNA, conversation.id, etag=pinned.etag, title="for good")

        assert [conversation.titled, pinned.titled, titled.titled] == [False, False, True]
        assert await store.get(ANNA, conversation.id) == titled
        assert (await store.create(ANNA, title="mine")).titled

    async def test_a_title_that_nobody_wrote(self, store: ConversationStore) -> None:
        """It needs no etag, is given once, and takes no other change away."""
        conversation = await store.create(ANNA, title="for now", titled=False)
        pinned = await store.change(ANNA, conversation.id, etag=conversation.etag, pinned=True)
        titled = await store.entitle(ANNA, conversation.id, title="of itself")
        again = await store.entitle(ANNA, conversation.id, title="another")

        assert titled is not None
        assert (titled.title, titled.titled, titled.pinned) == ("of itself", True, True)
        assert titled.etag != pinned.etag
        assert again is None
        assert await store.get(ANNA, conversation.id) == titled

    async def test_one_that_somebody_gave_stands(self, store: ConversationStore) -> None:
        """Whether it was given at the beginning or later, nothing is written over it."""
        mine = await store.create(ANNA, title="mine")
        begun = await store.create(ANNA, title="for now", titled=False)
        renamed = await store.change(ANNA, begun.id, etag=begun.etag, title="given")

        assert await store.entitle(ANNA, mine.id, title="of itself") is None
        assert await store.entitle(ANNA, begun.id, title="of itself") is None
        assert await store.get(ANNA, mine.id) == mine
        assert await store.get(ANNA, begun.id) == renamed

    async def test_what_is_changed_at_the_same_moment(self, store: ConversationStore) -> None:
        """Pins and a title that come together are all kept, whoever comes first."""
        begun = [await store.create(ANNA, title="for now", titled=False) for _ in range(8)]

        async def pin(one: ConversationId) -> None:
            # As the page does: what has changed meanwhile is read again.
            kept = await store.get(ANNA, one)
            await store.change(ANNA, one, etag=kept.etag, pinned=not kept.pinned)

        async def both(one: Conversation) -> Conversation | None:
            titled, _ = await asyncio.gather(
                store.entitle(ANNA, one.id, title="of itself"), pin(one.id), return_exceptions=True
            )
            assert not isinstance(titled, BaseException)
            return titled

        titled = await asyncio.gather(*map(both, begun))
        kept = [await store.get(ANNA, one.id) for one in begun]

        assert None not in titled
        assert [one.title for one in kept] == ["of itself"] * 8

    async def test_only_ones_own(self, store: ConversationStore) -> None:
        """Another's conversation, one that is discarded and one that never was are missing."""
        conversation = await store.create(ANNA, title="for now", titled=False)
        with pytest.raises(NotFound):
            await store.entitle(BEN, conversation.id, title="not theirs")
        await store.discard(ANNA, conversation.id, etag=conversation.etag)
        with pytest.raises(NotFound):
            await store.entitle(ANNA, conversation.id, title="gone")
        with pytest.raises(NotFound):
            await store.entitle(ANNA, ConversationId("never"), title="never")
