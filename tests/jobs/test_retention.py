"""Conversations past their retention: run twice, killed, by several at once, and under hold."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from secure_openai.errors import AuditUnavailable, NotFound
from secure_openai.jobs.retention import expire
from secure_openai.store.conversations import ConversationStore
from secure_openai.store.personal import PersonalItem, PersonalKind
from secure_openai.store.verification import verify
from secure_openai.testing.audit_contract import no_seals
from secure_openai.testing.conversations_contract import ANNA, BEN, message_in
from secure_openai.testing.holds_contract import hold_on
from secure_openai.testing.sessions_contract import NOW, session
from secure_openai.types import Conversation, JsonObject, PrincipalId, utc_now
from tests.jobs.kept import Kept
from tests.jobs.processes import ended, killed

DAYS = 30
DAY = timedelta(days=1)


def later() -> datetime:
    """Return a time at which everything of now is past its retention."""
    return utc_now() + timedelta(days=DAYS + 1)


async def _none() -> int:
    return 0


async def run(kept: Kept, *, days: int | None = DAYS) -> JsonObject:
    """Run the job as it would run after the retention."""

    async def purge() -> int:
        return await kept.sessions.purge(
            now=NOW + timedelta(hours=13), idle_since=NOW + timedelta(hours=12)
        )

    async def clear() -> int:
        """Count what is due, whose clearing has tests of its own."""
        return len(await kept.personal.due(PersonalKind.ATTACHMENT, now=later()))

    return await expire(kept.conversations, kept.audit, purge, clear, days=days, clock=later)


async def filled(store: ConversationStore, owner: PrincipalId, count: int) -> list[Conversation]:
    """Return conversations with two messages each."""
    made = [await store.create(owner, title=str(number)) for number in range(count)]
    for conversation in made:
        await store.append(owner, message_in(conversation), message_in(conversation))
    return made


async def left(kept: Kept, *owners: PrincipalId) -> list[str]:
    """Return the ids of what the owners still have."""
    pages = [await kept.conversations.list(owner, limit=500) for owner in owners]
    return [conversation.id for page in pages for conversation in page.items]


async def test_without_a_retention_everything_stays(kept: Kept) -> None:
    """Where policy says no retention, no conversation is deleted; ended sessions go."""
    (conversation,) = await filled(kept.conversations, ANNA, 1)
    await kept.sessions.put(session())

    report = await run(kept, days=None)

    assert report == {"conversations": 0, "held": 0, "cleared": 0, "attachments": 0, "sessions": 1}
    assert await left(kept, ANNA) == [conversation.id]
    assert await kept.sessions.get("key") is None


async def test_what_cannot_be_recorded_is_not_deleted(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the audit cannot be written, nothing is deleted."""
    (conversation,) = await filled(kept.conversations, ANNA, 1)

    def refuse() -> None:
        raise AuditUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(kept.audit, "ensure_writable", refuse)
        with pytest.raises(AuditUnavailable):
            await run(kept)

    assert await left(kept, ANNA) == [conversation.id]


async def test_legal_hold(kept: Kept) -> None:
    """What is held stays, counted, until the hold is lifted; the rest goes."""
    mine = await filled(kept.conversations, ANNA, 3)
    theirs = await filled(kept.conversations, BEN, 2)
    await kept.holds.place(hold_on(ANNA, mine[1].id))
    await kept.holds.place(hold_on(BEN))

    report = await run(kept)

    assert (report["conversations"], report["held"]) == (2, 3)
    assert sorted(await left(kept, ANNA, BEN)) == sorted([mine[1].id, *(one.id for one in theirs)])
    assert len((await kept.conversations.messages(ANNA, mine[1].id)).items) == 2

    await kept.holds.lift(ANNA, mine[1].id)
    await kept.holds.lift(BEN, None)
    assert (await run(kept))["conversations"] == 3
    assert await left(kept, ANNA, BEN) == []


async def test_what_was_discarded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes for good when it cannot be had back any more, unless a hold was placed meanwhile."""
    mine = await filled(kept.conversations, ANNA, 3)
    (theirs,) = await filled(kept.conversations, BEN, 1)
    for one in (mine[0], mine[1], theirs):
        await kept.conversations.discard(one.owner, one.id, etag=one.etag)
    await kept.holds.place(hold_on(ANNA, mine[1].id))
    await kept.holds.place(hold_on(BEN))
    early = await run(kept, days=None)
    await kept.conversations.restore(ANNA, mine[0].id)
    back = await kept.conversations.get(ANNA, mine[0].id)
    await kept.conversations.discard(ANNA, back.id, etag=back.etag)

    monkeypatch.setattr(kept.conversations, "_clock", later)
    due, again = await run(kept, days=None), await run(kept, days=None)
    held = [
        one.id
        for owner in (ANNA, BEN)
        for one in (await kept.conversations.list(owner, discarded=True)).items
    ]
    await kept.holds.lift(ANNA, mine[1].id)
    await kept.holds.lift(BEN, None)
    lifted = await run(kept, days=None)

    assert [one["cleared"] for one in (early, due, again, lifted)] == [0, 1, 0, 2]
    assert held == [mine[1].id, theirs.id]
    assert await left(kept, ANNA, BEN) == [mine[2].id]


async def test_what_is_used_meanwhile_stays(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation whose owner comes back to it after it was listed is not deleted."""
    (conversation,) = await filled(kept.conversations, ANNA, 1)
    listed = await kept.conversations.unused(since=later())

    async def unused(**_: object) -> object:
        return listed

    monkeypatch.setattr(kept.conversations, "unused", unused)
    await kept.conversations.append(ANNA, message_in(conversation))
    used = await kept.conversations.get(ANNA, conversation.id)
    report = await expire(
        kept.conversations,
        kept.audit,
        _none,
        _none,
        days=DAYS,
        clock=lambda: used.updated + DAYS * DAY,
    )

    assert report["conversations"] == 0
    assert await left(kept, ANNA) == [conversation.id]


async def test_what_goes_with_a_conversation(kept: Kept) -> None:
    """Feedback goes with what is deleted, and attachments are cleared in the same run."""
    (conversation,) = await filled(kept.conversations, ANNA, 1)
    for kind in (PersonalKind.FEEDBACK, PersonalKind.ATTACHMENT):
        await kept.personal.add(
            PersonalItem(ANNA, kind, "one", {}, NOW, NOW, conversation=conversation.id)
        )

    report = await run(kept)

    assert (report["conversations"], report["attachments"]) == (1, 1)
    assert (await kept.personal.list(ANNA, PersonalKind.FEEDBACK)).items == []


async def test_twice(kept: Kept) -> None:
    """Run twice, it deletes once, records each deletion once and without a word of it."""
    made = await filled(kept.conversations, ANNA, 3) + await filled(kept.conversations, BEN, 2)

    assert (await run(kept))["conversations"] == 5
    assert (await run(kept))["conversations"] == 0

    events = await kept.events("conversation.expired")
    assert sorted(event.facts["conversation"] for event in events if event.facts) == sorted(
        one.id for one in made
    )
    assert {(event.principal, event.reason, event.decision) for event in events} == {
        (None, "retention", "allowed")
    }
    assert {frozenset(event.facts or ()) for event in events} == {frozenset({"conversation"})}


async def test_by_several_at_once(kept: Kept) -> None:
    """Run by several at once, each conversation is deleted and recorded once."""
    made = await filled(kept.conversations, ANNA, 12)

    reports = await asyncio.gather(*(run(kept) for _ in range(4)))

    assert sum(report["conversations"] for report in reports) == len(made)
    assert await left(kept, ANNA) == []
    assert len(await kept.events("conversation.expired")) == len(made)


@pytest.mark.process
async def test_killed_and_two_processes(kept: Kept) -> None:
    """Killed in the middle and run again by two processes, nothing is left and no chain breaks."""
    count = 24
    made = await filled(kept.conversations, ANNA, count)
    program = ("tests.jobs.expiring", *kept.place, str(DAYS))

    assert await asyncio.to_thread(killed, *program) >= 4
    assert await left(kept, ANNA) != []
    assert await asyncio.to_thread(ended, *program) == [(0, ""), (0, "")]

    assert await left(kept, ANNA) == []
    for conversation in made:
        with pytest.raises(NotFound):
            await kept.conversations.messages(ANNA, conversation.id)
    assert await kept.conversations.finish_deletions() == 0
    events = await kept.events("conversation.expired")
    named = [event.facts["conversation"] for event in events if event.facts]
    assert len(named) == len(set(named))
    # What was deleted within the last tenth of a second before the kill may not be recorded.
    assert len(named) >= count - 6
    assert (await verify(kept.audit, no_seals())).found == ()
