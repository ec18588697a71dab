"""What every `AuditStore` promises; subclass it and provide the fixtures `store` and `full`.

`full` is a store whose queue holds three events.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from secure_openai.errors import AuditUnavailable
from secure_openai.store.audit import AuditEvent, AuditRecord, AuditStore
from secure_openai.store.chain import GENESIS, canonical, event_document, record_hash
from secure_openai.types import JsonObject, PrincipalId


def event(number: int = 0, *, facts: JsonObject | None = None, reason: str = "x") -> AuditEvent:
    """Return an event that tells its number."""
    return AuditEvent(
        action="completion.admitted",
        at=datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        principal=PrincipalId("tenant", "anna"),
        decision="allowed",
        reason=reason,
        deployment="gpt",
        request_id=str(number),
        facts=facts,
    )


async def all_records(store: AuditStore) -> list[AuditRecord]:
    """Return every record, read in pages of seven."""
    records: list[AuditRecord] = []
    while True:
        page = await store.records(after=len(records), limit=7)
        records += page.items
        if page.continuation is None:
            return records


class AuditStoreContract:
    """The promises of `AuditStore`."""

    async def test_full_queue_refuses(self, full: AuditStore) -> None:
        """A full queue refuses; what is queued is written and then there is room again."""
        assert full.queued == 0
        for number in range(3):
            full.append(event(number))
        assert full.queued == 3
        with pytest.raises(AuditUnavailable):
            full.ensure_writable()
        with pytest.raises(AuditUnavailable):
            full.append(event(3))

        await full.flush()
        assert full.queued == 0
        full.ensure_writable()
        full.append(event(4))
        await full.flush()
        records = await all_records(full)
        assert [record.event.request_id for record in records] == ["0", "1", "2", "4"]

    @pytest.mark.parametrize(
        "facts", [{"x": float("nan")}, {"x": object()}, {"x": "\ud800"}, {"x": float("inf")}]
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
        events = [event(number, facts={"tokens": number}) for number in range(50)]
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
        head = await store.head()
        assert (head.sequence, head.hash) == (50, previous)

    async def test_empty_chain(self, store: AuditStore) -> None:
        """An empty chain has a name and ends at zero."""
        head = await store.head()

        assert (head.sequence, head.hash, bool(head.chain)) == (0, GENESIS, True)
        assert (await store.records()).items == []
        await store.flush()

    async def test_written_without_flush(self, store: AuditStore) -> None:
        """A queued event is written without anyone waiting for it."""
        store.append(event(1))
        while (await store.head()).sequence == 0:
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
