"""Files that people attach to messages: kept as they are checked, and put into prompts.

A file is what its bytes say: an image (PNG, JPEG, WebP) rebuilt without what it tells, or a text in
UTF-8. It is nobody's message at first, and goes a day later unless it is sent with one; then it
goes when the message's conversation does.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from secure_openai.conversations.files import MOST_IMAGES, File
from secure_openai.errors import (
    LegalHold,
    LimitReached,
    NotFound,
    PreconditionFailed,
    RequestError,
    StoreError,
)
from secure_openai.store.blobs import BlobStore, folder_of
from secure_openai.store.personal import (
    ELSEWHERE,
    Bound,
    PersonalItem,
    PersonalKind,
    PersonalStore,
    every_item,
)
from secure_openai.types import Attachment, Clock, ConversationId, PrincipalId, utc_now

LARGEST_BYTES = 2_000_000
"""How large a file may be: as much as the estate's firewall lets through (Azure Web Application
Firewall, "Request size limits": 2,000 kB)."""

MOST = 1_000
"""How many files a person keeps."""

MOST_IN_MESSAGE = MOST_IMAGES

WAITS = timedelta(days=1)
"""How long a file waits for its message."""

GONE = datetime(1970, 1, 1, tzinfo=UTC)
"""When what is being removed has expired: nobody attaches or fetches it from then on."""

NO_ATTACHMENT = "There is no such attachment: it is another's, or gone. Send the file again."
KIND = PersonalKind.ATTACHMENT
PAGE = 100


class Attachments:
    """A person's files; each method raises `StoreError` where it cannot.

    Args:
        store: Where it is kept what they are, and counted.
        blobs: Where their bytes are.
        total_bytes: How much one person's may take together.
    """

    def __init__(
        self,
        store: PersonalStore,
        blobs: BlobStore,
        *,
        total_bytes: int,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._bound = Bound(MOST, total_bytes)
        self._clock = clock

    async def add(self, owner: PrincipalId, file: File) -> Attachment:
        """Keep a file until it is sent with a message.

        It is counted first and written then: what dies in between is cleared away like any other
        file that nobody sent.

        Raises:
            LimitReached: The person keeps as much as they may.
        """
        now = self._clock()
        item = PersonalItem(
            owner=owner,
            kind=KIND,
            id=secrets.token_urlsafe(16),
            document={"name": file.name, "type": file.type, "tokens": file.tokens},
            created=now,
            changed=now,
            expires=now + WAITS,
            size=len(file.content),
        )
        try:
            stored = await self._store.add(item, self._bound)
        except LimitReached:
            if not await self.clear(owner=owner):
                raise
            stored = await self._store.add(item, self._bound)
        try:
            await self._blobs.put(_blob(stored), file.content)
            # An erasure may have come in between, and have found nothing to delete.
            await self._store.get(owner, KIND, stored.id)
        except Exception:
            with suppress(StoreError, NotFound, LegalHold):
                await self._blobs.delete(_blob(stored))
                await self._store.remove(owner, KIND, stored.id)
            raise
        return _attachment(stored)

    async def get(self, owner: PrincipalId, attachment_id: str) -> tuple[Attachment, bytes]:
        """Return a file.

        Raises:
            NotFound: The person has none of this id.
        """
        item = await self._item(owner, attachment_id)
        return _attachment(item), await self._content(item)

    async def content(self, owner: PrincipalId, attachment: Attachment) -> bytes:
        """Return the bytes of a file that was sent with one of the person's messages.

        Raises:
            NotFound: It is not kept any more.
        """
        return (await self.get(owner, attachment.id))[1]

    async def remove(self, owner: PrincipalId, attachment_id: str) -> None:
        """Remove a file; messages that it was sent with say that it is gone.

        Raises:
            LegalHold: It is held.
            NotFound: The person has none of this id.
        """
        await self._remove(await self._item(owner, attachment_id))

    async def _remove(self, item: PersonalItem) -> None:
        while True:
            try:
                await self._drop(item)
            except PreconditionFailed:
                # It was sent meanwhile, or has lost its conversation: that does not save it.
                item = await self._store.get(item.owner, KIND, item.id)
            else:
                return

    async def bind(
        self, owner: PrincipalId, attachment_ids: Sequence[str], conversation: ConversationId
    ) -> tuple[Attachment, ...]:
        """Let files go with a conversation, all or none, as they are sent with its message.

        Raises:
            NotFound: One of them, or the conversation, is not there.
            PreconditionFailed: One of them was sent in another conversation.
            RequestError: There are too many, or one twice.
        """
        if not attachment_ids:
            return ()
        checked_number(attachment_ids)
        bound = await self._store.bind(owner, KIND, attachment_ids, conversation, now=self._clock())
        return tuple(map(_attachment, bound))

    async def described(
        self, owner: PrincipalId, attachment_ids: Sequence[str], conversation: ConversationId
    ) -> tuple[Attachment, ...]:
        """Return what files are that could be sent in a conversation, before any is.

        Raises:
            NotFound: One of them is not there.
            PreconditionFailed: One of them was sent in another conversation.
            RequestError: There are too many, or one twice.
        """
        checked_number(attachment_ids)
        items = [await self._item(owner, one) for one in attachment_ids]
        if any(item.conversation not in {None, conversation} for item in items):
            raise PreconditionFailed(ELSEWHERE)
        return tuple(map(_attachment, items))

    async def every(self, owner: PrincipalId) -> AsyncIterator[PersonalItem]:
        """Yield all that is kept of a person's files."""
        async for item in every_item(self._store, owner, KIND):
            yield item

    async def clear(self, *, owner: PrincipalId | None = None) -> int:
        """Remove what was not sent in time, and what went with a conversation that is gone.

        Done again, or by several at once, it removes what is left.

        Args:
            owner: Whose; everybody's for a job.

        Returns:
            How many were removed.
        """
        cleared = 0
        kept: set[tuple[PrincipalId, str]] = set()
        while True:
            # What stays keeps nothing behind it waiting.
            limit = PAGE + len(kept)
            due = await self._store.due(KIND, now=self._clock(), limit=limit, owner=owner)
            waiting = [item for item in due if (item.owner, item.id) not in kept]
            if not waiting:
                return cleared
            for item in waiting:
                if await self._cleared(item):
                    cleared += 1
                else:
                    kept.add((item.owner, item.id))

    async def _cleared(self, item: PersonalItem) -> bool:
        try:
            await self._drop(item)
        except (LegalHold, NotFound, PreconditionFailed):
            # It is held, another run was faster, or it was sent at the last moment.
            return False
        return True

    async def erase(self, owner: PrincipalId, *, until: datetime) -> int:
        """Remove what a person sent up to a time, and bytes that nothing tells of.

        Raises:
            LegalHold: Something is held.
        """
        items = [item async for item in self.every(owner)]
        erased = 0
        for item in items:
            if item.created <= until:
                with suppress(NotFound):
                    await self._remove(item)
                    erased += 1
        left = {_blob(item) async for item in self.every(owner)}
        for entry in [one async for one in self._blobs.list(folder_of(owner))]:
            if entry.name not in left and entry.modified <= until:
                await self._blobs.delete(entry.name)
                erased += 1
        return erased

    async def _item(self, owner: PrincipalId, attachment_id: str) -> PersonalItem:
        try:
            item = await self._store.get(owner, KIND, attachment_id)
        except NotFound:
            raise NotFound(NO_ATTACHMENT) from None
        if item.expires is not None and item.expires <= self._clock():
            raise NotFound(NO_ATTACHMENT)
        return item

    async def _content(self, item: PersonalItem) -> bytes:
        try:
            return await self._blobs.get(_blob(item))
        except NotFound:
            raise NotFound(NO_ATTACHMENT) from None

    async def _drop(self, item: PersonalItem) -> None:
        """Say that a file is gone, delete its bytes, and forget it; each step may be done again.

        A hold or a message that comes first keeps it: the first step is written over the item as
        it was read.
        """
        gone = await self._store.change(replace(item, expires=GONE))
        await self._blobs.delete(_blob(item))
        with suppress(NotFound):
            await self._store.remove(gone.owner, KIND, gone.id)


def checked_number(attachment_ids: Sequence[str]) -> None:
    """Return if a message may have so many files, each once.

    Raises:
        RequestError: It may not.
    """
    if len(attachment_ids) > MOST_IN_MESSAGE or len({*attachment_ids}) < len(attachment_ids):
        raise RequestError(
            f"A message has at most {MOST_IN_MESSAGE} attachments, each once.",
            pointer="/attachments",
        )


def _blob(item: PersonalItem) -> str:
    """Return the name of a file's bytes: its type is all that it tells."""
    kind = str(item.document["type"])
    ending = kind.partition("/")[2] if kind.startswith("image/") else "txt"
    return f"{folder_of(item.owner)}{item.id}.{ending}"


def _attachment(item: PersonalItem) -> Attachment:
    document = item.document
    return Attachment(
        id=item.id,
        name=document["name"],
        type=document["type"],
        size=item.size,
        tokens=document["tokens"],
    )
