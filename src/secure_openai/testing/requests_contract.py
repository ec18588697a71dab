"""What every `RequestStore` promises; subclass it and provide the fixture `store`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from secure_openai.errors import NotFound, PreconditionFailed
from secure_openai.store.requests import DataRequest, RequestKind, RequestState, RequestStore
from secure_openai.types import PrincipalId

ANNA = PrincipalId("tenant", "anna")
BEN = PrincipalId("tenant", "ben")
ADA = PrincipalId("tenant", "ada")
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


class RequestStoreContract:
    """The promises of `RequestStore`."""

    async def test_foreign_is_missing(self, store: RequestStore) -> None:
        """Another principal's request is there for nobody else, and no id is taken for one."""
        request = await store.ask(ANNA, RequestKind.EXPORT, by=ANNA, now=NOW)

        for owner, request_id in ((BEN, request.id), (ANNA, "none"), (ANNA, "a/b"), (ANNA, "")):
            with pytest.raises(NotFound):
                await store.get(owner, request_id)
        with pytest.raises(NotFound):
            await store.change(replace(request, principal=BEN))
        assert await store.list(BEN) == []

    async def test_it_comes_back(self, store: RequestStore) -> None:
        """A request comes back as it was asked for."""
        request = await store.ask(ANNA, RequestKind.ERASURE, by=ADA, now=NOW)

        assert request == DataRequest(
            request.id, RequestKind.ERASURE, ANNA, ADA, NOW, RequestState.ASKED, NOW,
            etag=request.etag,
        )  # fmt: skip
        assert await store.get(ANNA, request.id) == request
        assert await store.list(ANNA) == [request]

    async def test_one_of_a_kind_is_open(self, store: RequestStore) -> None:
        """Of many who ask at once, all get the same request; once it has ended, another."""
        asked = await asyncio.gather(
            *(store.ask(ANNA, RequestKind.EXPORT, by=ANNA, now=NOW) for _ in range(12))
        )
        assert len({request.id for request in asked}) == 1
        other = await store.ask(ANNA, RequestKind.ERASURE, by=ANNA, now=NOW)
        assert other.id != asked[0].id

        for state in (RequestState.HELD, RequestState.ERASED):
            asked[0] = await store.change(replace(asked[0], state=state))
            again = await store.ask(ANNA, RequestKind.EXPORT, by=ANNA, now=NOW + HOUR)
            assert again == asked[0]
        ended = await store.change(replace(asked[0], state=RequestState.DONE))
        again = await store.ask(ANNA, RequestKind.EXPORT, by=ANNA, now=NOW + HOUR)
        assert again.id != ended.id
        assert (await store.list(ANNA))[0].id == again.id
        assert {one.id for one in await store.list(ANNA)} == {again.id, ended.id, other.id}

    async def test_change(self, store: RequestStore) -> None:
        """A request is written over itself with its last etag only; of many writers one wins."""
        request = await store.ask(ANNA, RequestKind.EXPORT, by=ANNA, now=NOW)
        done = replace(
            request, state=RequestState.DONE, reason="A sentence.", changed=NOW + HOUR,
            expires=NOW + 2 * HOUR,
        )  # fmt: skip

        results = await asyncio.gather(
            *(store.change(done) for _ in range(10)), return_exceptions=True
        )

        won = [result for result in results if isinstance(result, DataRequest)]
        lost = [result for result in results if isinstance(result, PreconditionFailed)]
        assert (len(won), len(lost)) == (1, 9)
        assert won[0].etag not in {"", request.etag}
        assert await store.get(ANNA, request.id) == won[0] == replace(done, etag=won[0].etag)

    async def test_asked_anew(self, store: RequestStore) -> None:
        """A request that was asked again since is the newest, and due last."""
        first, other = [
            await store.ask(ANNA, kind, by=ANNA, now=NOW + HOUR * hours)
            for hours, kind in enumerate((RequestKind.ERASURE, RequestKind.EXPORT))
        ]
        anew = await store.change(replace(first, asked=NOW + 2 * HOUR))

        assert await store.list(ANNA) == [anew, other]
        assert await store.due(now=NOW + 3 * HOUR) == [other, anew]

    async def test_due(self, store: RequestStore) -> None:
        """What is open is due, oldest first, and what was made for one that has ended expires."""
        first = await store.ask(ANNA, RequestKind.EXPORT, by=ANNA, now=NOW)
        second = await store.ask(BEN, RequestKind.ERASURE, by=ADA, now=NOW + HOUR)
        assert await store.due(now=NOW) == [first, second]

        held = await store.change(replace(second, state=RequestState.HELD))
        done = await store.change(replace(first, state=RequestState.DONE, expires=NOW + 2 * HOUR))
        assert await store.due(now=NOW + HOUR) == [held]
        assert await store.due(now=NOW + 2 * HOUR) == [done, held]
        gone = replace(done, state=RequestState.EXPIRED, expires=None)
        await store.change(gone)
        assert await store.due(now=NOW + 3 * HOUR) == [held]

    async def test_purge(self, store: RequestStore) -> None:
        """Only what ended before, and has nothing left to expire, is dropped."""
        opened = await store.ask(ANNA, RequestKind.ERASURE, by=ANNA, now=NOW)
        kept = await store.change(
            replace(
                await store.ask(ANNA, RequestKind.EXPORT, by=ANNA, now=NOW),
                state=RequestState.DONE,
                expires=NOW,
            )
        )
        ended = await store.ask(BEN, RequestKind.EXPORT, by=BEN, now=NOW)
        ended = await store.change(replace(ended, state=RequestState.EXPIRED, changed=NOW))

        assert await store.purge(before=NOW) == 0
        assert await store.purge(before=NOW + HOUR) == 1
        assert await store.purge(before=NOW + HOUR) == 0
        assert {one.id for one in await store.list(ANNA)} == {opened.id, kept.id}
        with pytest.raises(NotFound):
            await store.get(BEN, ended.id)
