"""Export and erasure of what is kept of a principal, over SQLite and Cosmos DB."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from secure_openai import looks
from secure_openai.conversations.files import File
from secure_openai.errors import AuditUnavailable, NotFound, StoreError
from secure_openai.jobs import export as export_job
from secure_openai.store.audit import EVERYBODY, AuditEvent
from secure_openai.store.blobs import folder_of
from secure_openai.store.folder import FolderBlobs
from secure_openai.store.holds import KEPT
from secure_openai.store.personal import PersonalItem, PersonalKind, every_item
from secure_openai.store.requests import (
    DataRequest,
    RequestKind,
    RequestState,
    export_name,
)
from secure_openai.store.verification import verify
from secure_openai.testing.audit_contract import no_seals
from secure_openai.testing.conversations_contract import ANNA, BEN, message_in
from secure_openai.testing.holds_contract import hold_on
from secure_openai.testing.sessions_contract import BEN as BEN_SIGNED_IN
from secure_openai.testing.sessions_contract import session
from secure_openai.testing.usage_contract import LIMITS
from secure_openai.types import JsonObject, PrincipalId, Usage, utc_now
from tests.jobs.erasing import DAYS, Attending
from tests.jobs.kept import Kept, opened_sqlite
from tests.jobs.processes import ended, killed

MARKER = "PLANTED-MARKER-7f3a"
ADA = PrincipalId("tenant", "ada")
DAY = timedelta(days=1)


@pytest.fixture
def job(kept: Kept, tmp_path: Path) -> Attending:
    """Return the job over the stores."""
    return Attending(kept, FolderBlobs(tmp_path / "exports"))


async def fill(kept: Kept, *, conversations: int = 3) -> None:
    """Keep something of Anna everywhere, marked, and something of Ben."""
    for owner in (ANNA, BEN):
        for number in range(conversations):
            conversation = await kept.conversations.create(owner, title=f"{MARKER} {number}")
            await kept.conversations.append(
                owner, *(message_in(conversation, f"{MARKER} {text}") for text in "abc")
            )
        now = utc_now()
        reservation = await kept.usage.reserve(
            owner, "gpt", tokens=10, limits=LIMITS, now=now, lifetime=60
        )
        await kept.usage.settle(reservation, Usage(3, 4))
        kept.audit.append(
            AuditEvent("completion.settled", now, owner, "allowed", "done", deployment="gpt")
        )
    await kept.sessions.put(session("hers", principal=replace(BEN_SIGNED_IN, id=ANNA, name=MARKER)))
    await kept.sessions.put(session("his", principal=BEN_SIGNED_IN))
    await kept.usage.roll_up(now=utc_now())
    await kept.audit.flush()


async def keep(kept: Kept, job: Attending) -> None:
    """Keep something of every kind beside the conversations, marked, of Anna and of Ben."""
    for owner in (ANNA, BEN):
        now = utc_now()
        (conversation, *_) = (await kept.conversations.list(owner)).items
        for kind in {*PersonalKind} - {PersonalKind.ATTACHMENT}:
            goes_with = conversation.id if kind is PersonalKind.FEEDBACK else None
            item = PersonalItem(owner, kind, "one", {"text": MARKER}, now, now, goes_with)
            await kept.personal.add(item)
        for name in ("sent", "waiting"):
            file = File(f"{MARKER} {name}", "text/plain", MARKER.encode(), 64)
            attachment = await job.attachments.add(owner, file)
            if name == "sent":
                await job.attachments.bind(owner, [attachment.id], conversation.id)


async def beside(kept: Kept, job: Attending, principal: PrincipalId = ANNA) -> list[int]:
    """Return how many items there are beside conversations, and how many files."""
    items = [
        item for kind in PersonalKind async for item in every_item(kept.personal, principal, kind)
    ]
    stored = job.attachments._blobs
    return [len(items), len([one async for one in stored.list(folder_of(principal))])]


async def ask(
    kept: Kept, kind: RequestKind, principal: PrincipalId = ANNA, by: PrincipalId | None = None
) -> DataRequest:
    """Ask as the API does."""
    return await kept.requests.ask(principal, kind, by=by or principal, now=utc_now())


async def exported(job: Attending, request: DataRequest) -> JsonObject:
    """Return what was exported."""
    document: JsonObject = json.loads(await job.blobs.get(export_name(request)))
    return document


async def remains(kept: Kept, principal: PrincipalId = ANNA) -> list[int]:
    """Return how many conversations, sessions and days there are."""
    return [
        len((await kept.conversations.list(principal)).items),
        len(await kept.sessions.of(principal)),
        len(await kept.usage.of(principal)),
    ]


async def test_what_cannot_be_recorded_is_not_done(
    kept: Kept, job: Attending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the audit cannot be written nothing is exported and nothing erased."""
    await fill(kept)
    requests = [await ask(kept, kind) for kind in RequestKind]

    def refuse() -> None:
        raise AuditUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(kept.audit, "ensure_writable", refuse)
        with pytest.raises(AuditUnavailable):
            await job.run()

    assert await remains(kept) == [3, 1, 1]
    assert [one async for one in job.blobs.list()] == []
    for request in requests:
        assert await kept.requests.get(ANNA, request.id) == request


async def test_legal_hold_stops_an_erasure(kept: Kept, job: Attending) -> None:
    """A hold of everything or of one conversation stops an erasure whole, and says why."""
    await fill(kept)
    await keep(kept, job)
    request = await ask(kept, RequestKind.ERASURE, by=ADA)
    (first, *_) = (await kept.conversations.list(ANNA)).items
    for held in (None, first.id):
        await kept.holds.place(hold_on(conversation=held))
        await job.run()
        await job.run()

        stands = await kept.requests.get(ANNA, request.id)
        assert (stands.state, stands.reason) == (RequestState.HELD, KEPT)
        assert await remains(kept) == [3, 1, 1]
        assert await beside(kept, job) == [6, 2]
        if held is None:
            await kept.holds.place(hold_on(conversation=first.id))
            await kept.holds.lift(ANNA, None)
    (event,) = await kept.events("erasure.held")
    assert (event.decision, event.reason, event.principal) == ("refused", "legal-hold", None)
    assert event.subject == ANNA.key
    assert event.facts == {"by": ADA.key, "request": request.id}

    await kept.holds.lift(ANNA, first.id)
    assert await job.run() == {"erased": 1}
    assert await remains(kept) == [0, 0, 1]
    assert await beside(kept, job) == [0, 0]


async def test_a_hold_placed_while_it_erases(
    kept: Kept, job: Attending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold that is placed while an erasure is under way stops it from there on."""
    await fill(kept)
    request = await ask(kept, RequestKind.ERASURE)
    real = kept.conversations.delete

    async def delete(*arguments: Any, **options: Any) -> None:
        await real(*arguments, **options)
        await kept.holds.place(hold_on())

    monkeypatch.setattr(kept.conversations, "delete", delete)
    assert await job.run() == {"held": 1}
    assert await remains(kept) == [2, 0, 1]
    assert (await kept.requests.get(ANNA, request.id)).reason == KEPT


async def test_export(kept: Kept, job: Attending) -> None:
    """An export holds everything of its person and nothing of another, and opens nothing."""
    await fill(kept)
    await keep(kept, job)
    request = await ask(kept, RequestKind.EXPORT)

    assert await job.run() == {"exported": 1}
    assert await job.run() == {}

    document = await exported(job, request)
    assert document["principal"] == {"tid": "tenant", "oid": "anna"}
    assert sorted(one["title"] for one in document["conversations"]) == [
        f"{MARKER} {number}" for number in range(3)
    ]
    for conversation in document["conversations"]:
        texts = [message["text"] for message in conversation["messages"]]
        assert texts == [f"{MARKER} {text}" for text in "abc"]
    for kind in ("instructions", "prompts", "feedback", "acceptances"):
        assert [one["text"] for one in document[kind]] == [MARKER]
    assert sorted(
        (one["name"], base64.b64decode(one["base64"]), one["bytes"])
        for one in document["attachments"]
    ) == [(f"{MARKER} {name}", MARKER.encode(), len(MARKER)) for name in ("sent", "waiting")]
    (signed_in,) = document["sessions"]
    assert (signed_in["name"], signed_in["roles"]) == (MARKER, ["user"])
    (day,) = document["usage"]
    assert (day["deployment"], day["requests"]) == ("gpt", 1)
    assert (day["prompt_tokens"], day["completion_tokens"]) == (3, 4)
    assert [one["action"] for one in document["audit"]] == ["completion.settled"]
    assert [(one["id"], one["by"]) for one in document["requests"]] == [(request.id, "self")]
    text = json.dumps(document)
    # The key of a session and what the identity provider gave for it.
    assert "hers" not in text
    assert "refresh" not in text
    assert "ben" not in text
    stands = await kept.requests.get(ANNA, request.id)
    assert stands.state is RequestState.DONE
    assert stands.expires == stands.changed + timedelta(days=DAYS)
    (event,) = await kept.events("export.made")
    assert event.facts is not None
    assert (event.subject, event.facts["request"]) == (ANNA.key, request.id)
    assert MARKER not in json.dumps(event.facts)


async def test_who_looked_at_what_is_exported(kept: Kept, job: Attending) -> None:
    """By their role and not by who they are, however many; one's own acts are no looks."""
    now = utc_now()
    for _ in range(2):
        looked = AuditEvent(
            "principal.viewed", now, ADA, "allowed", "administrator", subject=ANNA.key
        )
        kept.audit.append(looked)
        kept.audit.append(replace(looked, action="usage.viewed", subject=EVERYBODY))
        kept.audit.append(replace(looked, action="seen.removed", principal=None))
        kept.audit.append(replace(looked, action="data.viewed", subject=BEN.key))
        kept.audit.append(replace(looked, action="own.act", principal=ANNA))
    request = await ask(kept, RequestKind.EXPORT)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(looks, "AT_ONCE", 2)
        await job.run()
    document = await exported(job, request)

    told = sorted((one["action"], one["by"], one["everybody"]) for one in document["looks"])
    assert told == [
        *[("principal.viewed", "administrator", False)] * 2,
        *[("seen.removed", "job", False)] * 2,
        *[("usage.viewed", "administrator", True)] * 2,
    ]
    assert {"at", "action", "by", "everybody"} == set(document["looks"][0])
    assert ADA.oid not in json.dumps(document["looks"])


async def test_an_export_names_nobody_else(kept: Kept, job: Attending) -> None:
    """Neither the administrator who asked for it nor, in an administrator's own, whom they saw."""
    now = utc_now()
    looked = AuditEvent(
        "hold.placed", now, ADA, "allowed", "administrator", facts={"conversation": MARKER}
    )
    for subject in (ANNA.key, EVERYBODY, ADA.key, None):
        kept.audit.append(replace(looked, subject=subject))
    for_anna = await ask(kept, RequestKind.EXPORT, by=ADA)
    erasure = await ask(kept, RequestKind.ERASURE, by=ADA)
    her_own = await ask(kept, RequestKind.EXPORT, ADA)
    for request in (for_anna, her_own):
        await job.exports.make(request)
    anna, ada = await exported(job, for_anna), await exported(job, her_own)

    told = {one["id"]: one["by"] for one in anna["requests"]}
    assert told == {for_anna.id: "administrator", erasure.id: "administrator"}
    assert ADA.oid not in json.dumps(anna)
    acts = [(one.get("subject"), "facts" in one) for one in ada["audit"]]
    assert sorted(acts, key=str) == [
        ("*", True),
        ("somebody", False),
        (ADA.key, True),
        (None, True),
    ]
    assert ANNA.oid not in json.dumps(ada)
    assert {one["by"] for one in ada["requests"]} == {"self"}


async def test_an_export_that_is_cut_off(
    kept: Kept, job: Attending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off between the file and its request, and run again, there is one file and one record."""
    await fill(kept)
    request = await ask(kept, RequestKind.EXPORT)

    async def killed(_: DataRequest) -> DataRequest:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(kept.requests, "change", killed)
        with pytest.raises(asyncio.CancelledError):
            await job.run()
    assert (await kept.requests.get(ANNA, request.id)).state is RequestState.ASKED

    assert await job.run() == {"exported": 1}
    assert [one.name async for one in job.blobs.list()] == [export_name(request)]
    assert len(await kept.events("export.made")) == 1


async def test_an_export_expires(kept: Kept, job: Attending) -> None:
    """An export is gone when its days are over, and its request says so."""
    request = await ask(kept, RequestKind.EXPORT)
    await job.run()
    job.now = lambda: utc_now() + DAYS * DAY - timedelta(hours=1)
    assert await job.run() == {}
    await exported(job, request)

    job.now = lambda: utc_now() + DAYS * DAY + timedelta(hours=1)
    assert await job.run() == {"exports_expired": 1}
    assert await job.run() == {}
    with pytest.raises(NotFound):
        await exported(job, request)
    stands = await kept.requests.get(ANNA, request.id)
    assert (stands.state, stands.expires) == (RequestState.EXPIRED, None)
    assert len(await kept.events("export.expired")) == 1


async def test_too_large_for_a_file(kept: Kept, job: Attending) -> None:
    """What one file does not hold is refused with a sentence, and not tried for ever."""
    await fill(kept)
    job.blobs = FolderBlobs(job.blobs.folder, largest=100)
    request = await ask(kept, RequestKind.EXPORT)

    assert await job.run() == {"too_large": 1}
    assert await job.run() == {}
    stands = await kept.requests.get(ANNA, request.id)
    assert (stands.state, stands.expires) == (RequestState.FAILED, None)
    assert stands.reason is not None
    assert "administrator" in stands.reason


async def test_more_than_any_file_may_have(
    kept: Kept, job: Attending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has written more than any file holds is refused before all of it has been read."""
    monkeypatch.setattr(export_job, "LARGEST_BYTES", 1000)
    conversations = [await kept.conversations.create(ANNA, title=str(one)) for one in range(5)]
    for conversation in conversations:
        await kept.conversations.append(ANNA, message_in(conversation, "x" * 600))
    await ask(kept, RequestKind.EXPORT)
    read = 0
    real = kept.conversations.messages

    async def messages(*arguments: Any, **options: Any) -> Any:
        nonlocal read
        read += 1
        return await real(*arguments, **options)

    monkeypatch.setattr(kept.conversations, "messages", messages)

    assert await job.run() == {"too_large": 1}
    assert read == 2


async def test_attachments_need_not_fit(
    kept: Kept, job: Attending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that there is no room for are named, and fail no export."""
    await fill(kept)
    await keep(kept, job)
    monkeypatch.setattr(export_job, "LARGEST_BYTES", 12_000)
    for _ in range(4):
        await job.attachments.add(ANNA, File("large", "text/plain", b"x" * 1_500, 64))
    request = await ask(kept, RequestKind.EXPORT)

    assert await job.run() == {"exported": 1}

    found = [one["base64"] is None for one in (await exported(job, request))["attachments"]]
    assert (len(found), any(found), all(found)) == (6, True, False)


async def test_erasure(kept: Kept, job: Attending) -> None:
    """Everything of a person goes, counts last; of another nothing; the audit still verifies."""
    await fill(kept)
    await keep(kept, job)
    export = await ask(kept, RequestKind.EXPORT)
    await job.run()
    request = await ask(kept, RequestKind.ERASURE)
    before = await verify(kept.audit, no_seals())

    assert await job.run() == {"erased": 1}
    assert await job.run() == {}

    assert await remains(kept) == [0, 0, 1]
    assert await remains(kept, BEN) == [3, 1, 1]
    assert await beside(kept, job) == [0, 0]
    assert await beside(kept, job, BEN) == [6, 2]
    assert [one async for one in job.blobs.list(folder_of(ANNA))] == []
    assert (await kept.requests.get(ANNA, export.id)).state is RequestState.EXPIRED
    # She comes back, before the counts are gone: what is new is hers.
    back = await kept.conversations.create(ANNA, title="back")
    await job.attachments.add(ANNA, File("back", "text/plain", b"back", 64))

    job.now = lambda: utc_now() + 4 * DAY
    assert await job.run() == {}
    assert await remains(kept) == [1, 0, 1]
    job.now = lambda: utc_now() + 5 * DAY
    first, second = await job.run(), await job.run()
    assert (first, second) == ({}, {"erasures_done": 1})

    assert await remains(kept) == [1, 0, 0]
    assert await kept.conversations.get(ANNA, back.id) == back
    assert await beside(kept, job) == [1, 1]
    day = utc_now().astimezone(UTC).date().isoformat()
    await kept.usage.roll_up(now=utc_now())
    left = {one.principal for one in (await kept.usage.day(day)).items}
    assert left == {BEN}
    assert (await kept.requests.get(ANNA, request.id)).state is RequestState.DONE
    assert [len(await kept.events(f"erasure.{step}")) for step in ("erased", "done")] == [1, 1]
    after = await verify(kept.audit, no_seals())
    assert (before.found, after.found) == ((), ())
    assert after.records > before.records
    by_her = [record.event async for record in kept.audit.of(ANNA)]
    assert [one.action for one in by_her] == ["completion.settled"]


async def test_what_was_discarded(kept: Kept, job: Attending) -> None:
    """What its owner has deleted and could still have back is exported as that, and is erased."""
    await fill(kept)
    (one, *_) = (await kept.conversations.list(ANNA)).items
    await kept.conversations.discard(ANNA, one.id, etag=one.etag)
    export = await ask(kept, RequestKind.EXPORT)
    await job.run()
    document = json.loads(await job.blobs.get(export_name(export)))
    await ask(kept, RequestKind.ERASURE)

    assert await job.run() == {"erased": 1}
    assert one.id not in [exported["id"] for exported in document["conversations"]]
    (discarded,) = document["discarded_conversations"]
    assert (discarded["id"], discarded["title"]) == (one.id, one.title)
    assert [said["text"] for said in discarded["messages"]] == [f"{MARKER} {it}" for it in "abc"]
    assert discarded["discarded"] is not None
    assert (await kept.conversations.list(ANNA, discarded=True)).items == []
    with pytest.raises(NotFound):
        await kept.conversations.restore(ANNA, one.id)


async def test_what_a_list_did_not_show(
    kept: Kept, job: Attending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a list that was behind did not show goes with the next run; a hold stops that too."""
    await fill(kept)
    page = await kept.conversations.list(ANNA)
    behind = replace(page, items=page.items[1:])
    request = await ask(kept, RequestKind.ERASURE)

    async def listed(*_: object, **__: object) -> object:
        return behind

    with monkeypatch.context() as patched:
        patched.setattr(kept.conversations, "list", listed)
        assert await job.run() == {"erased": 1}
    assert (await remains(kept))[0] == 1
    await kept.holds.place(hold_on())
    job.now = lambda: utc_now() + 9 * DAY
    await job.run()
    assert await remains(kept) == [1, 0, 1]

    await kept.holds.lift(ANNA, None)
    await job.run()
    await job.run()
    assert await remains(kept) == [0, 0, 0]
    assert (await kept.requests.get(ANNA, request.id)).state is RequestState.DONE


async def test_what_was_begun_after_it_was_asked_stays(kept: Kept, job: Attending) -> None:
    """What a person begins between the request and the job is not erased."""
    old = await kept.conversations.create(ANNA, title="old")
    await kept.requests.ask(ANNA, RequestKind.ERASURE, by=ANNA, now=old.created)
    new = await kept.conversations.create(ANNA, title="new")
    later = await ask(kept, RequestKind.EXPORT)

    await job.run()

    assert list((await kept.conversations.list(ANNA)).items) == [new]
    document = await exported(job, later)
    assert [one["title"] for one in document["conversations"]] == ["new"]
    await job.run()
    await exported(job, later)


async def test_an_export_that_an_erasure_overtakes(
    kept: Kept, job: Attending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export that is being made while its person is erased leaves no file behind."""
    await fill(kept)
    export = await ask(kept, RequestKind.EXPORT)
    await ask(kept, RequestKind.ERASURE)
    real = job.blobs.put

    async def put(*arguments: Any, **options: Any) -> None:
        # Another run erases after this one has read everything.
        monkeypatch.setattr(job.blobs, "put", real)
        due = await kept.requests.due(now=utc_now())
        await job.erasures.go_on(next(one for one in due if one.kind is RequestKind.ERASURE))
        await real(*arguments, **options)

    monkeypatch.setattr(job.blobs, "put", put)
    await job.exports.make(export)

    assert [one async for one in job.blobs.list()] == []
    assert (await kept.requests.get(ANNA, export.id)).state is RequestState.EXPIRED


async def test_one_that_fails_keeps_no_other_waiting(
    kept: Kept, job: Attending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one request cannot be done, the others are, and it is tried again."""
    await fill(kept)
    first = await ask(kept, RequestKind.EXPORT)
    await ask(kept, RequestKind.EXPORT, BEN)
    real = job.blobs.put

    async def put(name: str, content: bytes, *, replace: bool = False) -> None:
        if name == export_name(first):
            raise StoreError
        await real(name, content, replace=replace)

    with monkeypatch.context() as patched:
        patched.setattr(job.blobs, "put", put)
        assert await job.run() == {"exported": 1, "failed": 1}
    assert await job.run() == {"exported": 1}


async def test_by_several_at_once(kept: Kept, job: Attending) -> None:
    """Run by several at once, each request comes to one end, recorded once."""
    await fill(kept)
    await ask(kept, RequestKind.EXPORT, BEN)
    await ask(kept, RequestKind.ERASURE)

    await asyncio.gather(*(job.run() for _ in range(4)))
    await job.run()

    assert await remains(kept) == [0, 0, 1]
    assert len([one async for one in job.blobs.list()]) == 1
    assert len(await kept.events("export.made")) == 1
    assert len(await kept.events("erasure.erased")) == 1


@pytest.mark.process
async def test_killed_and_two_processes(kept: Kept, job: Attending, tmp_path: Path) -> None:
    """Killed in the middle and run again by two processes, an erasure comes to the same end."""
    await fill(kept, conversations=16)
    request = await ask(kept, RequestKind.ERASURE)
    program = ("tests.jobs.erasing", *kept.place, str(job.blobs.folder))

    assert await asyncio.to_thread(killed, *program) >= 4
    assert (await remains(kept))[0] > 0
    assert (await kept.requests.get(ANNA, request.id)).state is RequestState.ASKED
    assert await asyncio.to_thread(ended, *program) == [(0, ""), (0, "")]

    assert await remains(kept) == [0, 0, 1]
    assert await remains(kept, BEN) == [16, 1, 1]
    assert (await kept.requests.get(ANNA, request.id)).state is RequestState.ERASED
    assert len(await kept.events("erasure.erased")) == 1
    assert (await verify(kept.audit, no_seals())).found == ()


async def test_nothing_is_left_in_the_file(tmp_path: Path) -> None:
    """After an erasure no byte of what a person wrote, or of their name, is in any file."""
    path = tmp_path / "data" / "test.db"
    async with opened_sqlite(path) as kept:
        await fill(kept)
        job = Attending(kept, FolderBlobs(tmp_path / "data" / "exports"))
        await keep(kept, job)
        for owner in (ANNA, BEN):
            await ask(kept, RequestKind.EXPORT, owner)
        await job.run()
    assert sum(MARKER.encode() in file.read_bytes() for file in files(tmp_path)) == 7

    async with opened_sqlite(path) as kept:
        job = Attending(kept, FolderBlobs(tmp_path / "data" / "exports"))
        for owner in (ANNA, BEN):
            await ask(kept, RequestKind.ERASURE, owner)
        assert await job.run() == {"erased": 2}
        job.now = lambda: utc_now() + 5 * DAY
        await job.run()
        assert await job.run() == {"erasures_done": 2}

    assert [file.name for file in files(tmp_path) if MARKER.encode() in file.read_bytes()] == []


def files(folder: Path) -> list[Path]:
    """Return every file below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
