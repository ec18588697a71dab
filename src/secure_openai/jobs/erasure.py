"""Erase what is kept of a principal.

What people wrote, who they are by name, and what was put together for them goes at once. The counts
of their usage go once quota no longer needs them, `DAYS_COUNTED` after the day of the request:
whoever could drop them sooner would have no quota. The audit keeps its records: they name a
principal by tenant and object id only, which means nobody to whoever has no directory.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from secure_openai.conversations.attachments import Attachments
from secure_openai.errors import LegalHold, NotFound, PreconditionFailed
from secure_openai.jobs.export import every
from secure_openai.jobs.recording import record
from secure_openai.sessions import Sessions
from secure_openai.store.audit import AuditStore
from secure_openai.store.blobs import BlobStore, folder_of
from secure_openai.store.conversations import ConversationStore
from secure_openai.store.holds import KEPT, HoldStore
from secure_openai.store.personal import PersonalKind, PersonalStore, every_item
from secure_openai.store.quota import DAYS_COUNTED, Windows
from secure_openai.store.requests import (
    DataRequest,
    RequestKind,
    RequestState,
    RequestStore,
    export_name,
)
from secure_openai.store.sightings import SightingStore
from secure_openai.store.usage import UsageStore
from secure_openai.types import Clock, Conversation, JsonObject, utc_now


class Erasures:
    """Erases, in steps that may each be done again.

    Args:
        conversations: Where nothing is left of what was there when it was asked.
        holds: What stands in the way.
        sessions: Where nobody stays signed in.
        sightings: Where names are forgotten.
        usage: Where counts go last.
        personal: Where nothing is left of what was there when it was asked.
        attachments: The same.
        audit: Where it is recorded.
        requests: Where it says how far it has come.
        blobs: Where exports are kept.
    """

    def __init__(
        self,
        *,
        conversations: ConversationStore,
        holds: HoldStore,
        sessions: Sessions,
        sightings: SightingStore,
        usage: UsageStore,
        personal: PersonalStore,
        attachments: Attachments,
        audit: AuditStore,
        requests: RequestStore,
        blobs: BlobStore,
        clock: Clock = utc_now,
    ) -> None:
        self._conversations = conversations
        self._holds = holds
        self._sessions = sessions
        self._sightings = sightings
        self._usage = usage
        self._personal = personal
        self._attachments = attachments
        self._audit = audit
        self._requests = requests
        self._blobs = blobs
        self._clock = clock

    async def go_on(self, request: DataRequest) -> DataRequest:
        """Do what can be done of a request now, and return it as it stands then.

        Raises:
            AuditUnavailable: It cannot be recorded, so it is not done.
            StoreError: Something cannot be erased; the next run goes on.
        """
        self._audit.ensure_writable()
        if request.state is RequestState.ERASED:
            return await self._finished(request)
        if await self._holds.of(request.principal):
            return await self._held(request)
        try:
            erased = await self._erase(request)
        except LegalHold:
            # It was placed meanwhile.
            return await self._held(request)
        return await self._changed(
            replace(request, state=RequestState.ERASED, reason=None), "erasure.erased", erased
        )

    async def _held(self, request: DataRequest) -> DataRequest:
        if request.state is RequestState.HELD:
            return request
        return await self._changed(
            replace(request, state=RequestState.HELD, reason=KEPT), "erasure.held", {}
        )

    async def _erase(self, request: DataRequest) -> JsonObject:
        sessions = await self._sessions.revoke(request.principal)
        await self._sightings.erase(request.principal)
        return {
            "sessions": sessions,
            "conversations": await self._conversations_left(request),
            "personal": await self._personal_left(request),
            "attachments": await self._attachments.erase(request.principal, until=request.asked),
            "exports": await self._drop_exports(request),
        }

    async def _personal_left(self, request: DataRequest) -> int:
        """Remove what was kept beside conversations when it was asked; return how much."""
        removed = 0
        for kind in {*PersonalKind} - {PersonalKind.ATTACHMENT}:
            found = [one async for one in every_item(self._personal, request.principal, kind)]
            for item in found:
                if item.created <= request.asked:
                    with suppress(NotFound):
                        await self._personal.remove(item.owner, item.kind, item.id)
                        removed += 1
        return removed

    async def _conversations_left(self, request: DataRequest) -> int:
        """Delete what was there when it was asked; return how many there were.

        What its owner has discarded is looked for last: one may be discarded meanwhile.
        """
        found = [
            one
            for discarded in (False, True)
            async for one in every(self._conversations, request.principal, discarded=discarded)
        ]
        asked = [one for one in found if one.created <= request.asked]
        return sum([await self._delete(one) for one in asked])

    async def _delete(self, conversation: Conversation) -> bool:
        etag = conversation.etag
        while True:
            try:
                await self._conversations.delete(conversation.owner, conversation.id, etag=etag)
            except NotFound:
                return False
            except PreconditionFailed:
                # Renamed since it was read: that does not save it.
                try:
                    found = await self._conversations.get(conversation.owner, conversation.id)
                except NotFound:
                    return False
                etag = found.etag
            else:
                return True

    async def _drop_exports(self, request: DataRequest) -> int:
        """End the principal's exports, made and under way, then drop what bears their name.

        An export that is under way in another run finds its request ended, and removes itself.
        """
        later = set()
        for other in await self._requests.list(request.principal):
            if other.kind is not RequestKind.EXPORT:
                continue
            if other.asked > request.asked:
                later.add(export_name(other))
            else:
                await self._end(other)
        listed = self._blobs.list(folder_of(request.principal))
        named = [one.name async for one in listed if one.name not in later]
        for name in named:
            await self._blobs.delete(name)
        return len(named)

    async def _end(self, export: DataRequest) -> None:
        while export.state.open or export.expires is not None:
            ended = replace(export, state=RequestState.EXPIRED, changed=self._clock(), expires=None)
            try:
                await self._requests.change(ended)
            except PreconditionFailed:
                # It was made meanwhile.
                export = await self._requests.get(export.principal, export.id)
            else:
                return

    async def _finished(self, request: DataRequest) -> DataRequest:
        """Drop the counts; the request is done when a run finds nothing left to drop.

        Lists may be behind what others wrote a moment before it was asked, and an export that was
        cut off may have left its file: both are looked for again with every run.
        """
        if await self._holds.of(request.principal):
            return request
        try:
            left = await self._conversations_left(request)
            left += await self._personal_left(request)
            left += await self._attachments.erase(request.principal, until=request.asked)
        except LegalHold:
            return request
        left += await self._drop_exports(request)
        while cleared := await self._conversations.finish_deletions():
            left += cleared
        day = Windows.of(request.asked).day
        if Windows.of(self._clock() - timedelta(days=DAYS_COUNTED)).day <= day:
            return request
        left += await self._usage.erase(request.principal, until=day)
        if left:
            return request
        return await self._changed(replace(request, state=RequestState.DONE), "erasure.done", {})

    async def _changed(self, request: DataRequest, action: str, facts: JsonObject) -> DataRequest:
        try:
            changed = await self._requests.change(replace(request, changed=self._clock()))
        except (PreconditionFailed, NotFound):
            # Another run did the same and was faster.
            return request
        held = request.state is RequestState.HELD
        record(
            self._audit,
            action,
            of=request.principal,
            decision="refused" if held else "allowed",
            reason="legal-hold" if held else "asked",
            facts={"request": request.id, "by": request.by.key, **facts},
            clock=self._clock,
        )
        return changed
