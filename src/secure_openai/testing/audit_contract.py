"""What every `AuditStore` promises; subclass it and provide the fixtures `store` and `full`.

`full` is a store whose queue holds three events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from secure_openai.errors import AuditUnavailable, RequestError
from secure_openai.store import audit
from secure_openai.store.audit import (
    EVERYBODY,
    AuditEvent,
    AuditQuestion,
    AuditRecord,
    AuditStore,
    SealNote,
    StoredRecord,
)
from secure_openai.store.chain import (
    GENESIS,
    LARGEST_BYTES,
    canonical,
    event_document,
    record_hash,
)
from secure_openai.store.seals import Seal
from secure_openai.store.verification import verify
from secure_openai.types import JsonObject, PrincipalId, utc_now

AT = datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def event(
    number: int = 0, *, facts: JsonObject | None = None, reason: str = "x", at: datetime = AT
) -> AuditEvent:
    """Return an event that tells its number."""
    return AuditEvent(
        action="completion.admitted",
        at=at,
        principal=PrincipalId("tenant", "anna"),
        decision="allowed",
        reason=reason,
        deployment="gpt",
        request_id=str(number),
        facts=facts,
    )


async def all_records(store: AuditStore) -> list[AuditRecord]:
    """Return every record of the chain that this store writes, read in pages of seven."""
    heads = await store.heads()
    assert len(heads) <= 1
    records: list[AuditRecord] = []
    for head in heads:
        while True:
            page = await store.records(head.chain, after=len(records), limit=7)
            records += page.items
            if page.continuation is None:
                break
    return records


async def length(store: AuditStore) -> int:
    """Return how many records are written."""
    return sum(head.sequence for head in await store.heads())


async def no_seals() -> AsyncIterator[Seal]:
    """Yield no seal."""
    for _ in ():
        yield _


class AuditStoreContract:
    """The promises of `AuditStore`."""

    async def test_full_queue_refuses(self, full: AuditStore) -> None:
        """A full queue refuses what may yet be; all of it is written, and then there is room."""
        assert full.queued == 0
        for number in range(3):
            full.append(event(number))
        assert full.queued == 3
        with pytest.raises(AuditUnavailable):
            full.ensure_writable()
        with pytest.raises(AuditUnavailable):
            full.append(event(3))

        full.append(event(9), happened=True)
        assert full.queued == 4

        await full.flush()
        assert full.queued == 0
        full.ensure_writable()
        full.append(event(4))
        await full.flush()
        records = await all_records(full)
        assert [record.event.request_id for record in records] == ["0", "1", "2", "9", "4"]

    @pytest.mark.parametrize(
        "facts",
        [
            {"x": float("nan")},
            {"x": object()},
            {"x": "\ud800"},
            {"x": float("inf")},
            {"x": "x" * LARGEST_BYTES},
        ],
        ids=["no number", "no value", "no text", "infinite", "too large"],
    )
    async def test_unwritable_event(self, store: AuditStore, facts: JsonObject) -> None:
        """An event that cannot be written is refused at once and does not stop those after it."""
        with pytest.raises(AuditUnavailable):
            store.append(event(1, facts=facts))
        store.append(event(2))
        await store.flush()

        assert [record.event for record in await all_records(store)] == [event(2)]

    async def test_order_and_chain(self, store: AuditStore) -> None:
        """Records stand in the order of the calls, each naming the hash of the one before."""
        events = [event(number, facts={"tokens": number}) for number in range(150)]
        for item in events[:20]:
            store.append(item)
        await asyncio.sleep(0)
        for item in events[20:]:
            store.append(item)
        await store.flush()

        records = await all_records(store)
        assert [record.event for record in records] == events
        previous = GENESIS
        for sequence, record in enumerate(records, start=1):
            text = canonical(event_document(record.event))
            assert (record.sequence, record.previous) == (sequence, previous)
            assert record.hash == record_hash(sequence, text, previous)
            previous = record.hash
        [head] = await store.heads()
        assert (head.sequence, head.hash) == (150, previous)

    async def test_as_stored(self, store: AuditStore) -> None:
        """What verification reads is what was written, and an untouched audit holds."""
        for number in range(30):
            store.append(event(number, facts={"share": 1.0, "tokens": number, "name": "é\n"}))
        await store.flush()

        [chain] = [chain async for chain in store.chains()]
        stored = [record async for record in store.stored(chain)]
        assert stored == [
            StoredRecord(
                record.sequence,
                canonical(event_document(record.event)),
                record.previous,
                record.hash,
            )
            for record in await all_records(store)
        ]
        report = await verify(store, no_seals())
        assert (report.chains, report.records, report.found) == (1, 30, ())

    async def test_empty(self, store: AuditStore) -> None:
        """Without a record there is no head, and a chain that is unknown has no records."""
        assert await store.heads() == []
        assert (await store.records("unknown")).items == []
        assert [record async for record in store.stored("unknown")] == []
        await store.flush()

    async def test_unknown_chain(self, store: AuditStore) -> None:
        """The records of one chain are never given as those of another."""
        store.append(event(1))
        await store.flush()

        assert (await store.records("unknown")).items == []
        assert [record async for record in store.stored("unknown")] == []

    async def test_heads_since(self, store: AuditStore) -> None:
        """A chain that still grows is among the heads, whenever the last seal was."""
        store.append(event(1))
        await store.flush()
        heads = await store.heads()

        assert len(heads) == 1
        for since in (utc_now() - timedelta(days=400), utc_now()):
            assert await store.heads(since=since) == heads

    async def test_written_without_flush(self, store: AuditStore) -> None:
        """A queued event is written without anyone waiting for it."""
        store.append(event(1))
        while await length(store) == 0:
            await asyncio.sleep(0.01)

        assert [record.event for record in await all_records(store)] == [event(1)]

    async def test_optional_members(self, store: AuditStore) -> None:
        """An event of no one, about nothing in particular, comes back as it was."""
        bare = AuditEvent(
            "session.ended", datetime(2030, 1, 1, tzinfo=UTC), None, "allowed", "signed_out"
        )
        store.append(bare)
        await store.flush()

        assert [record.event for record in await all_records(store)] == [bare]

    async def test_seal_notes(self, store: AuditStore) -> None:
        """The highest note is the one that counts; the first of a number stands."""
        assert await store.noted_seal() is None

        for note in (SealNote(9, "a"), SealNote(10, "b"), SealNote(2, "c"), SealNote(10, "d")):
            await store.note_seal(note)
        assert await store.noted_seal() == SealNote(10, "b")
        assert await store.heads() == []

    async def test_of(self, store: AuditStore) -> None:
        """What a principal did is told in full and in order, and nothing of anybody else."""
        anna, ben = PrincipalId("tenant", "anna"), PrincipalId("tenant", "ben")
        for number in range(12):
            mine = number % 2 == 0
            # Several are of one instant.
            said = event(
                at=AT + timedelta(seconds=number // 8), facts={"number": number, "of": anna.key}
            )
            store.append(replace(said, principal=anna if mine else ben))
        await store.flush()

        found = [record.event async for record in store.of(anna)]
        assert [one.facts and one.facts["number"] for one in found] == [0, 2, 4, 6, 8, 10]
        assert {one.principal for one in found} == {anna}
        assert [record async for record in store.of(PrincipalId("tenant", "nobody"))] == []

    async def test_search_refuses_foreign_continuations(self, store: AuditStore) -> None:
        """A continuation of another question, or of no question, is refused."""
        for number in range(3):
            store.append(event(number))
        await store.flush()
        first = await store.search(AuditQuestion(), limit=1)
        assert first.continuation is not None

        for question, text in (
            (AuditQuestion(reason="x"), first.continuation),
            (AuditQuestion(), "nonsense"),
        ):
            with pytest.raises(RequestError):
                await store.search(question, continuation=text)

    async def test_search(self, store: AuditStore) -> None:
        """Each part of a question leaves out what does not answer it; the latest come first."""
        anna, ben = PrincipalId("tenant", "anna"), PrincipalId("tenant", "ben")
        said = {
            number: replace(
                event(number, at=AT + timedelta(seconds=number)),
                principal=anna if number % 2 else ben,
                subject=(None, anna.key, EVERYBODY)[number % 3],
                action=("a.done", "b.done")[number // 3 % 2],
                decision=("allowed", "refused")[number % 5 == 0],
                reason=("x", "y")[number % 4 == 0],
            )
            for number in range(12)
        }
        for one in said.values():
            store.append(one)
        await store.flush()

        for question in (
            AuditQuestion(),
            AuditQuestion(since=AT + timedelta(seconds=4), until=AT + timedelta(seconds=9)),
            AuditQuestion(principal=anna),
            AuditQuestion(subjects=(anna.key,)),
            AuditQuestion(subjects=(anna.key, EVERYBODY), principal=ben),
            AuditQuestion(actions=("b.done",)),
            AuditQuestion(actions=("a.done", "b.done"), decision="refused"),
            AuditQuestion(reason="y", until=AT + timedelta(seconds=6)),
            AuditQuestion(principal=PrincipalId("tenant", "nobody")),
        ):
            answer = await store.search(question)
            expected = [one for one in reversed(said.values()) if question.takes(one)]
            assert [record.event for record in answer.items] == expected
            assert (answer.continuation, answer.reached) == (None, None)

    async def test_search_in_pages(self, store: AuditStore) -> None:
        """Pages follow each other without a gap, also where many records are of one instant."""
        for number in range(10):
            store.append(event(number, at=AT + timedelta(seconds=number // 6)))
        await store.flush()

        found: list[str] = []
        continuation = None
        for _ in range(10):
            answer = await store.search(AuditQuestion(), limit=3, continuation=continuation)
            found += [str(record.event.request_id) for record in answer.items]
            continuation = answer.continuation
            if continuation is None:
                break
            assert answer.reached == answer.items[-1].event.at
        assert sorted(found[:4]) == ["6", "7", "8", "9"]
        assert sorted(found[4:]) == ["0", "1", "2", "3", "4", "5"]
        assert continuation is None

    async def test_a_search_is_bounded(
        self, store: AuditStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A search that finds nothing among the records it may look at says how far it came."""
        monkeypatch.setattr(audit, "LOOKED_AT", 20)
        for number in range(30):
            at = AT + timedelta(milliseconds=number)
            store.append(event(number, at=at, reason="rare" if number < 10 else "often"))
        await store.flush()

        first = await store.search(AuditQuestion(reason="rare"))
        assert (first.items, first.reached) == ([], AT + timedelta(milliseconds=10))
        rest = await store.search(AuditQuestion(reason="rare"), continuation=first.continuation)
        assert len(rest.items) == 10
        assert rest.continuation is None
