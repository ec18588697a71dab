"""What every `ConversationStore` promises of its search.

Subclass it and provide the fixture `store`; register it as `conversations_contract` says.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from secure_openai.errors import RequestError
from secure_openai.store.conversations import ConversationStore, Found
from secure_openai.testing.conversations_contract import ANNA, BEN, message_in
from secure_openai.types import MessageStatus


class SearchContract:
    """The promises of `ConversationStore` about finding what was said."""

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
