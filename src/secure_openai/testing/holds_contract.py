"""What every `HoldStore` promises, beside the conversations that it protects.

Subclass it and provide the fixtures `store` and `conversations`, of one database.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from secure_openai.errors import LegalHold, NotFound
from secure_openai.store.conversations import ConversationStore
from secure_openai.store.holds import Hold, HoldStore
from secure_openai.testing.conversations_contract import ANNA, BEN, message_in
from secure_openai.types import ConversationId, PrincipalId

ADA = PrincipalId("tenant", "ada")
PLACED = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
FUTURE = timedelta(days=36_500)


def hold_on(
    principal: PrincipalId = ANNA, conversation: ConversationId | None = None, case: str = "A 1"
) -> Hold:
    """Return a hold to place."""
    return Hold(principal, conversation, case, PLACED, ADA)


class HoldStoreContract:
    """The promises of `HoldStore`."""

    async def test_held_is_not_deleted(
        self, store: HoldStore, conversations: ConversationStore
    ) -> None:
        """Nobody deletes what a hold covers, with any etag, until it is lifted."""
        conversation = await conversations.create(ANNA, title="x")
        (message,) = await conversations.append(ANNA, message_in(conversation))
        for held in (None, conversation.id):
            await store.place(hold_on(conversation=held))
            for etag in (conversation.etag, "stale"):
                with pytest.raises(LegalHold):
                    await conversations.delete(ANNA, conversation.id, etag=etag)
                with pytest.raises(LegalHold):
                    await conversations.discard(ANNA, conversation.id, etag=etag)
            with pytest.raises(LegalHold):
                await conversations.delete(
                    ANNA,
                    conversation.id,
                    etag=conversation.etag,
                    unused_since=datetime.now(UTC) + FUTURE,
                )
            assert await conversations.message(ANNA, conversation.id, message.id) == message
            assert await store.lift(ANNA, held)
        await conversations.delete(ANNA, conversation.id, etag=conversation.etag)
        with pytest.raises(NotFound):
            await conversations.get(ANNA, conversation.id)

    async def test_others_are_not_held(
        self, store: HoldStore, conversations: ConversationStore
    ) -> None:
        """A hold covers its own principal, and of conversations its own."""
        hers = [await conversations.create(ANNA, title=str(number)) for number in range(2)]
        his = await conversations.create(BEN, title="x")
        await store.place(hold_on(conversation=hers[0].id))
        await store.place(hold_on(principal=PrincipalId("another", "ben")))

        await conversations.delete(ANNA, hers[1].id, etag=hers[1].etag)
        await conversations.delete(BEN, his.id, etag=his.etag)
        with pytest.raises(LegalHold):
            await conversations.delete(ANNA, hers[0].id, etag=hers[0].etag)

    async def test_a_hold_of_everything_covers_what_is_begun_later(
        self, store: HoldStore, conversations: ConversationStore
    ) -> None:
        """Under a hold of everything people go on, and what they begin is held."""
        await store.place(hold_on())
        conversation = await conversations.create(ANNA, title="x")
        await conversations.append(ANNA, message_in(conversation))

        with pytest.raises(LegalHold):
            await conversations.delete(ANNA, conversation.id, etag=conversation.etag)

    async def test_the_first_stands(self, store: HoldStore) -> None:
        """Placed twice, the first stands; lifted twice, there is none any more."""
        first = await store.place(hold_on())
        assert first == hold_on()
        assert await store.place(replace(hold_on(case="B 2"), by=BEN)) == first
        assert await store.of(ANNA) == [first]

        assert await store.lift(ANNA, None)
        assert not await store.lift(ANNA, None)
        assert await store.of(ANNA) == []

    async def test_lists(self, store: HoldStore) -> None:
        """What is held is listed, of one principal and of all."""
        placed = [
            await store.place(hold_on(BEN)),
            await store.place(hold_on(ANNA, ConversationId("c"))),
            await store.place(hold_on(ANNA)),
        ]

        assert await store.of(ANNA) == [placed[2], placed[1]]
        assert await store.of(PrincipalId("tenant", "nobody")) == []
        assert await store.all() == [placed[2], placed[1], placed[0]]
        assert len({hold.principal for hold in await store.all(limit=1)}) == 1

    async def test_twenty_at_once(self, store: HoldStore) -> None:
        """Of holds that are placed at once none is lost."""
        names = [ConversationId(f"c{number}") for number in range(20)]
        await asyncio.gather(*(store.place(hold_on(conversation=name)) for name in names))

        assert {hold.conversation for hold in await store.of(ANNA)} == set(names)

    async def test_placed_while_it_is_deleted(
        self, store: HoldStore, conversations: ConversationStore
    ) -> None:
        """A conversation is there when its hold has been placed, or was gone before."""
        for _ in range(10):
            conversation = await conversations.create(ANNA, title="x")

            async def delete(conversation_id: ConversationId, etag: str) -> None:
                with suppress(LegalHold):
                    await conversations.delete(ANNA, conversation_id, etag=etag)

            async def look(conversation_id: ConversationId) -> bool:
                await store.place(hold_on(conversation=conversation_id))
                try:
                    await conversations.get(ANNA, conversation_id)
                except NotFound:
                    return False
                return True

            _, there = await asyncio.gather(
                delete(conversation.id, conversation.etag), look(conversation.id)
            )
            found = [one.id for one in (await conversations.list(ANNA)).items]
            assert (conversation.id in found) == there
            await store.lift(ANNA, conversation.id)
