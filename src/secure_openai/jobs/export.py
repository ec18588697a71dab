"""Put what is kept of a principal into one file that they can fetch.

The file is JSON: conversations with their messages, also those that were deleted and are not gone
yet, what is kept beside them, sessions without what opens them, when and with which name and roles
they were last seen, usage by day, requests like this one, the audit's records of what the principal
did, what others looked at or did about them, and attachments as far as there is room.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import timedelta

from secure_openai.conversations.attachments import Attachments
from secure_openai.errors import NotFound, PreconditionFailed, TooLarge
from secure_openai.jobs.recording import record
from secure_openai.looks import act_document, every_look, look_document, own_request_document
from secure_openai.sessions import Sessions
from secure_openai.store.audit import AuditStore
from secure_openai.store.blobs import LARGEST_BYTES, BlobStore
from secure_openai.store.conversations import ConversationStore
from secure_openai.store.documents import conversation_document, message_document, time_text
from secure_openai.store.personal import (
    PersonalItem,
    PersonalKind,
    PersonalStore,
    every_item,
)
from secure_openai.store.requests import (
    DataRequest,
    RequestState,
    RequestStore,
    export_name,
)
from secure_openai.store.sessions import Session
from secure_openai.store.sightings import SightingStore, sighting_document
from secure_openai.store.usage import UsageStore
from secure_openai.types import Clock, Conversation, JsonObject, PrincipalId, utc_now

VERSION = 1
"""Of the file."""

MEMBERS = {
    PersonalKind.INSTRUCTION: "instructions",
    PersonalKind.PROMPT: "prompts",
    PersonalKind.FEEDBACK: "feedback",
    PersonalKind.ACCEPTANCE: "acceptances",
}
"""What a file calls what is kept beside conversations."""

TOO_LARGE = "There is more than one file holds: ask your administrator."


class Exports:
    """Makes exports, and removes them when their days are over.

    Args:
        conversations: Part of what is exported.
        sessions: The same.
        sightings: The same.
        usage: The same.
        personal: The same.
        attachments: The same.
        audit: The same, and where it is recorded that an export was made.
        requests: Where it says so to whoever asked.
        blobs: Where exports are kept.
        days: How long.
    """

    def __init__(
        self,
        *,
        conversations: ConversationStore,
        sessions: Sessions,
        sightings: SightingStore,
        usage: UsageStore,
        personal: PersonalStore,
        attachments: Attachments,
        audit: AuditStore,
        requests: RequestStore,
        blobs: BlobStore,
        days: int,
        clock: Clock = utc_now,
    ) -> None:
        self._conversations = conversations
        self._sessions = sessions
        self._sightings = sightings
        self._usage = usage
        self._personal = personal
        self._attachments = attachments
        self._audit = audit
        self._requests = requests
        self._blobs = blobs
        self._days = days
        self._clock = clock

    async def make(self, request: DataRequest) -> DataRequest:
        """Make an export and say so in its request.

        Made again after a death in between, it is made anew under the same name. If the request has
        ended meanwhile, what was made goes again.

        Raises:
            AuditUnavailable: It cannot be recorded, so it is not made.
            StoreError: Something cannot be read or written; the next run goes on.
        """
        self._audit.ensure_writable()
        await self._audit.flush()
        name, now = export_name(request), self._clock()
        ended = replace(
            request,
            state=RequestState.DONE,
            changed=now,
            reason=None,
            expires=now + timedelta(days=self._days),
        )
        content = b""
        try:
            content = await self._content(request)
            await self._blobs.put(name, content, replace=True)
        except TooLarge:
            ended = replace(ended, state=RequestState.FAILED, reason=TOO_LARGE, expires=None)
        try:
            changed = await self._requests.change(ended)
        except (PreconditionFailed, NotFound):
            return await self._overtaken(request)
        made = changed.state is RequestState.DONE
        record(
            self._audit,
            "export.made" if made else "export.failed",
            of=request.principal,
            reason="asked" if made else "too-large",
            facts={"request": request.id, "bytes": len(content)},
            clock=self._clock,
        )
        return changed

    async def _overtaken(self, request: DataRequest) -> DataRequest:
        """Leave what another run made, and nothing for a request that ended without it."""
        stands = await self._requests.get(request.principal, request.id)
        if stands.state is not RequestState.DONE and not stands.state.open:
            await self._blobs.delete(export_name(request))
        return stands

    async def expire(self, request: DataRequest) -> DataRequest:
        """Remove what was made for a request.

        Raises:
            StoreError: It cannot be removed; the next run tries again.
        """
        await self._blobs.delete(export_name(request))
        try:
            changed = await self._requests.change(
                replace(request, state=RequestState.EXPIRED, changed=self._clock(), expires=None)
            )
        except (PreconditionFailed, NotFound):
            return request
        record(
            self._audit,
            "export.expired",
            of=request.principal,
            reason="retention",
            facts={"request": request.id},
            clock=self._clock,
        )
        return changed

    async def _content(self, request: DataRequest) -> bytes:
        """Return the file.

        Raises:
            TooLarge: It would be larger than any may be.
        """
        document = await self._document(request, _Room(LARGEST_BYTES))
        return json.dumps(document, ensure_ascii=False, indent=1).encode()

    async def _document(self, request: DataRequest, room: _Room) -> JsonObject:
        principal = request.principal
        sighting = await self._sightings.get(principal)
        kept = [
            await self._conversation(one, room)
            async for one in every(self._conversations, principal)
        ]
        # Looked for last: one may be discarded meanwhile, and is not told twice.
        told = {one["id"] for one in kept}
        discarded = [
            await self._conversation(one, room)
            async for one in every(self._conversations, principal, discarded=True)
            if one.id not in told
        ]
        return {
            "version": VERSION,
            "principal": {"tid": principal.tid, "oid": principal.oid},
            "asked": time_text(request.asked),
            "made": time_text(self._clock()),
            "conversations": kept,
            "discarded_conversations": discarded,
            "seen": None if sighting is None else sighting_document(sighting),
            **{
                members: [
                    room.taken(_item(one))
                    async for one in every_item(self._personal, principal, kind)
                ]
                for kind, members in MEMBERS.items()
            },
            "sessions": [_session(one) for one in await self._sessions.of(principal)],
            "usage": [
                {**asdict(one), "principal": principal.key}
                for one in await self._usage.of(principal)
            ],
            "requests": [own_request_document(one) for one in await self._requests.list(principal)],
            "audit": [
                room.taken(act_document(one.event)) async for one in self._audit.of(principal)
            ],
            "looks": [
                room.taken(look_document(one)) async for one in every_look(self._audit, principal)
            ],
            # Last: what there is no room for is fetched one by one.
            "attachments": [
                await self._attachment(item, room)
                async for item in self._attachments.every(principal)
            ],
        }

    async def _attachment(self, item: PersonalItem, room: _Room) -> JsonObject:
        """Return a file with its bytes, or without them where there is no room or they are gone."""
        told = room.taken({**_item(item), "bytes": item.size})
        try:
            _, content = await self._attachments.get(item.owner, item.id)
            encoded = {"base64": base64.b64encode(content).decode()}
            return {**told, **room.taken(encoded, leave=LARGEST_BYTES // 4)}
        except (NotFound, TooLarge):
            return {**told, "base64": None}

    async def _conversation(self, conversation: Conversation, room: _Room) -> JsonObject:
        messages: list[JsonObject] = []
        continuation = None
        while True:
            try:
                page = await self._conversations.messages(
                    conversation.owner,
                    conversation.id,
                    continuation=continuation,
                    discarded=True,
                )
            except NotFound:
                # It went meanwhile.
                break
            messages += [room.taken({"id": one.id, **message_document(one)}) for one in page.items]
            continuation = page.continuation
            if continuation is None:
                break
        return {
            "id": conversation.id,
            **conversation_document(conversation),
            "messages": messages,
        }


def _item(item: PersonalItem) -> JsonObject:
    return {
        "id": item.id,
        "created": time_text(item.created),
        "changed": time_text(item.changed),
        "conversation": item.conversation,
        **item.document,
    }


class _Room:
    """How much a file may still take, counted as it is put together.

    Whoever has the most must not have the job run out of memory, for everybody.
    """

    def __init__(self, left: int) -> None:
        self._left = left

    def taken(self, part: JsonObject, *, leave: int = 0) -> JsonObject:
        """Return a part of the file.

        Raises:
            TooLarge: There is no room for it, or less would be left than is to be left.
        """
        size = len(json.dumps(part, ensure_ascii=False).encode())
        if size > self._left - leave:
            raise TooLarge
        self._left -= size
        return part


async def every(
    conversations: ConversationStore, owner: PrincipalId, *, discarded: bool = False
) -> AsyncIterator[Conversation]:
    """Yield an owner's conversations, those begun meanwhile perhaps not.

    Args:
        conversations: Where they are.
        owner: Whose.
        discarded: Yield those that were discarded, and only them.
    """
    continuation = None
    while True:
        page = await conversations.list(
            owner, limit=100, continuation=continuation, discarded=discarded
        )
        for conversation in page.items:
            yield conversation
        continuation = page.continuation
        if continuation is None:
            return


def _session(session: Session) -> JsonObject:
    """Return a session without its key and without what the identity provider gave for it."""
    principal = session.principal
    return {
        "created": time_text(session.created),
        "last_seen": time_text(session.last_seen),
        "expires": time_text(session.expires),
        "roles_checked": time_text(session.roles_checked),
        "roles": sorted(principal.roles),
        "name": principal.name,
        "username": principal.username,
        "client_id": principal.client_id,
    }
